"""Where a MySQL or MariaDB database is: a URL."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from gearfast.errors import ConfigError
from gearfast.store.password import without_password

PORT: Final = 3306
SOCKETS: Final = ("/run/mysqld/mysqld.sock", "/var/lib/mysql/mysql.sock", "/tmp/mysql.sock")
"""Where packages put the Unix socket that libmysql means by ``localhost``."""
TLS_WORDS: Final = ("ssl_ca", "ssl_capath", "ssl_cert", "ssl_key", "ssl_cipher")
FLAGS: Final = {
    "": None,
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """What a URL says."""

    host: str
    port: int
    socket: str
    """The path of a Unix socket; empty: TCP."""
    user: str
    """Empty: whoever we are."""
    password: bytes
    database: str
    tls: dict[str, Any] | bool
    """What asyncmy takes: True to encrypt, or with what to check the other side, and to prove who we are."""

    def __str__(self) -> str:
        """Without the password."""
        return f"{self.socket or f'{self.host}:{self.port}'}/{self.database}"


def address_of(url: str, password_beside: Callable[[str], str] = lambda inside: inside) -> Address:
    """Read ``mysql://user:password@host:port/database``. Raises ConfigError.

    Options: ``unix_socket=PATH`` (empty: TCP, to localhost too), ``ssl=1`` (encrypted), ``ssl_ca=FILE`` or
    ``ssl_capath=FOLDER`` (and the server's certificate is checked, with its name unless ``ssl_check_hostname=0``),
    ``ssl_cert=FILE``, ``ssl_key=FILE`` and ``ssl_cipher=LIST``. ``password_beside`` is given the URL's password, and
    returns the one to use.
    """
    shown, form = without_password(url), "is not of the form mysql://user:password@host:port/database"
    try:
        parts = urlsplit(url)
        port = parts.port
        options = dict(
            parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query), errors="surrogateescape")
        )
    except ValueError:  # its words may hold a password, taken for a port
        raise ConfigError(f"the store {shown!r} {form}") from None
    host = host_of(parts.netloc) or "localhost"
    database = unquote(parts.path.removeprefix("/"), errors="surrogateescape")
    if parts.scheme not in ("mysql", "mariadb") or not url.partition(":")[2].startswith("//") or "/" in database:
        raise ConfigError(f"the store {shown!r} {form}")
    if not database:
        raise ConfigError(f"the store {shown!r} does not name a database: write mysql://user:password@host/database")
    if unknown := options.keys() - {"unix_socket", "ssl", "ssl_check_hostname", *TLS_WORDS}:
        known = f"unix_socket, ssl, ssl_check_hostname, {', '.join(TLS_WORDS)}"
        raise ConfigError(f"the store's option {min(unknown)!r} is unknown; there are {known}")
    inside = unquote(parts.password or "", errors="surrogateescape")
    return Address(
        host=host,
        port=port or PORT,
        socket=options["unix_socket"] if "unix_socket" in options else usual_socket(host, port),
        user=unquote(parts.username or "", errors="surrogateescape"),
        password=password_beside(inside).encode("utf-8", "surrogateescape"),
        database=database,
        tls=encryption(options),
    )


def host_of(netloc: str) -> str:
    """Return the host as it was typed: urlsplit's is in lower case."""
    place = netloc.rpartition("@")[2]
    return place[1:].partition("]")[0] if place.startswith("[") else unquote(place.partition(":")[0])


def usual_socket(host: str, port: int | None) -> str:
    """Return the Unix socket that libmysql means by ``localhost``; empty when there is none, or TCP is meant."""
    if host != "localhost" or port not in (None, PORT):
        return ""
    usual = (os.environ.get("MYSQL_UNIX_PORT", ""), *SOCKETS)
    return next((path for path in usual if path and Path(path).is_socket()), "")


def encryption(options: Mapping[str, str]) -> dict[str, Any] | bool:
    """Return what asyncmy takes for TLS. Raises ConfigError for a word that is none, or a file that is not there."""
    flags = {}
    for name in ("ssl", "ssl_check_hostname"):
        text = options.get(name, "")
        if text.lower() not in FLAGS:
            raise ConfigError(f"the store's option {name}={text} is neither 1 nor 0")
        flags[name] = FLAGS[text.lower()]
    tls: dict[str, Any] = {word.removeprefix("ssl_"): options[word] for word in TLS_WORDS if options.get(word)}
    for name, path in tls.items():
        if name != "cipher" and not os.access(path, os.R_OK):
            raise ConfigError(f"the store's ssl_{name}={path} cannot be read: name a file that is there")
    if tls and flags["ssl_check_hostname"] is not None:
        tls["check_hostname"] = flags["ssl_check_hostname"]
    if tls and flags["ssl"] is False:
        raise ConfigError("the store's ssl=0 and its other ssl_ options contradict each other: leave one of them out")
    return tls or bool(flags["ssl"])
