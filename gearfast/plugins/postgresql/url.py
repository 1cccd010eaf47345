"""Where a PostgreSQL database is: a URL, or the connection parameters of libpq, and what these leave open."""

import os
import re
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from gearfast.errors import ConfigError
from gearfast.plugins.postgresql.demands import by_sockets
from gearfast.plugins.postgresql.parameters import PARAMETERS, passed
from gearfast.plugins.postgresql.service import read_service

# A name, and a value that is quoted or ends at a blank; in both a backslash takes the next character as it is.
PARAMETER: Final = re.compile(r"(\w+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|((?!')(?:[^\s\\]|\\.|\\$)*))\s*", re.DOTALL)
# //user:password@host:port,host:port/database?name=value&name=value
URL: Final = re.compile(r"//(?:([^@/:]*)(?::([^@/]*))?@)?([^/?]*)(?:/([^?]*))?(?:\?(.*))?", re.DOTALL)
PLACE: Final = re.compile(r"(\[[^\]]*\]|[^:\[\]]*)(?::([^:]*))?")
IN_URL: Final[tuple[str, ...]] = (
    *("sslcert", "sslkey", "sslpassword", "sslrootcert", "sslcrl"),
    *("ssl_min_protocol_version", "ssl_max_protocol_version"),
)
"""Parameters that asyncpg takes in a URL only."""


@dataclass(frozen=True, slots=True)
class Address:
    """How to reach a database."""

    arguments: dict[str, Any] = field(repr=False)
    """What ``asyncpg.connect`` is given. There may be a password among them."""
    place: str
    """How messages call it."""


def address_of(url: str, password_beside: Callable[[str], str] = lambda inside: inside) -> Address:
    """Read ``postgresql://user@host/database``. Raises ConfigError.

    After ``postgresql:``, with or without ``//``, may also stand what libpq takes: ``host=... dbname=...``, nothing
    for libpq's defaults, or a URL once more. ``password_beside`` is given the password in it, and returns the one to
    use.
    """
    given, place = read_url(url)
    password = password_beside(given.pop("password", ""))
    if password:
        given["password"] = password
    places = dict[str, str]()
    complete(given, places)
    return Address(arguments(passed(given, places)), f"PostgreSQL at {place}" if place else "PostgreSQL")


def read_url(url: str) -> tuple[dict[str, str], str]:
    """Return the parameters that are given, and the place as it was typed. Raises ConfigError."""
    scheme, _, rest = url.partition(":")
    if scheme.lower() not in ("postgresql", "postgres"):
        raise ConfigError(f"{scheme!r} is not a scheme of PostgreSQL: write postgresql://user@host/database")
    if rest.startswith(("postgresql:", "postgres:")):
        return read_url(rest)
    if not rest.startswith("//") or re.match(r"//\s*(\w+\s*=|$)", rest):
        given = read_conninfo(rest.removeprefix("//"))
        return given, given.get("host") or given.get("hostaddr", "")
    match = URL.fullmatch(rest)
    assert match is not None, "every text after two slashes is one"
    user, password, hosts, database, query = (part or "" for part in match.groups())
    host, port = read_hosts(hosts)
    parts = {"user": user, "password": password, "host": host, "port": port, "dbname": database}
    given = {name: decoded(part) for name, part in parts.items()} | dict(map(read_word, filter(None, query.split("&"))))
    place = hosts + (f"/{database}" if match[4] is not None else "")
    return {name: value for name, value in given.items() if value}, place if hosts else given["host"]


def read_hosts(text: str) -> tuple[str, str]:
    """Return hosts and ports of a URL, each separated by commas, and empty when there is none."""
    matches = [PLACE.fullmatch(part) for part in text.split(",")]
    if not all(matches):
        raise ConfigError("a host in the URL of PostgreSQL cannot be read: write name:port or [IPv6 address]:port")
    found = [(match[1].strip("[]"), match[2] or "") for match in matches if match is not None]
    ports = ",".join(port for _, port in found)
    return ",".join(host for host, _ in found), ports if ports.strip(",") else ""


def read_word(text: str) -> tuple[str, str]:
    """Read ``name=value`` of a URL's query. A plus stands for itself there."""
    name, equals, value = text.partition("=")
    name, value = decoded(name), decoded(value)
    if not equals or "=" in text.partition("=")[2]:
        raise ConfigError(f"the word {name!r} after the '?' of PostgreSQL's URL has to be name=value")
    return ("sslmode", "require") if (name, value) == ("ssl", "true") else (name, value)


def decoded(text: str) -> str:
    """Return a part of a URL as it is meant."""
    return urllib.parse.unquote(text, errors="surrogateescape")


def read_conninfo(text: str) -> dict[str, str]:
    """Return the parameters, read as libpq reads them; without those that are empty. Raises ConfigError."""
    given: dict[str, str] = {}
    rest = text.strip()
    while rest:
        match = PARAMETER.match(rest)
        if match is None:
            raise ConfigError(f"PostgreSQL's connection parameters cannot be read: {mistake(rest)}; write name=value")
        name, inside, plain = match.groups()
        given[name] = re.sub(r"\\(.?)", r"\1", plain if inside is None else inside, flags=re.DOTALL)
        rest = rest[match.end() :]
    return {name: value for name, value in given.items() if value}


def mistake(rest: str) -> str:
    """Say what is wrong at the beginning of a text, without a value: it may be a password."""
    name, equals = re.match(r"(\w*)\s*(=?)", rest).groups()  # type: ignore[union-attr]  # it matches always
    return f"the quote after {name!r} is not closed" if equals else f"there is no '=' after {name!r}"


def complete(given: dict[str, str], places: dict[str, str]) -> None:
    """Add what was not given: from a service, then from the environment, as libpq does. Raises ConfigError."""
    service = given.get("service") or os.environ.get("PGSERVICE", "")
    if service:
        file = given.get("servicefile") or os.environ.get("PGSERVICEFILE", "")
        for name, value in read_service(service, file).items():
            if value and name not in given:
                given[name], places[name] = value, f"the service {service!r}"
    for name, row in PARAMETERS.items():
        value = os.environ.get(row.variable, "") if row.variable else ""
        if value and name not in given:
            given[name], places[name] = value, row.variable


def arguments(given: dict[str, str]) -> dict[str, Any]:
    """Return what asyncpg.connect takes. Raises ConfigError when hosts and ports do not go together."""
    if by_sockets(given):
        given = {name: value for name, value in given.items() if not name.startswith("ssl")} | {"sslmode": "disable"}
    given = {**given}
    for name in ("sslcert", "sslrootcert"):  # libpq does without a file that is not there, unless it is needed
        if name in given and not os.path.exists(given[name]):
            del given[name]
    if "sslcert" not in given:
        given.pop("sslkey", None)
    found: dict[str, Any] = {name: given[name] for name in ("user", "password", "passfile") if name in given}
    found |= {name: given[name] for name in ("target_session_attrs", "krbsrvname", "gsslib") if name in given}
    in_url: dict[str, str] = {name: given[name] for name in IN_URL if name in given}
    found["dsn"] = f"postgresql://?{urllib.parse.urlencode(in_url, errors='surrogateescape')}"
    if "dbname" in given:
        found["database"] = given["dbname"]
    if "sslmode" in given:
        found["ssl"] = given["sslmode"]
    if "sslnegotiation" in given:
        found["direct_tls"] = given["sslnegotiation"] == "direct"
    if "options" in given:
        found["server_settings"] = {"options": given["options"]}
    return found | ways(given)


def ways(given: dict[str, str]) -> dict[str, Any]:
    """Return hosts and ports; where there is an address beside a host's name, it is the address that is gone to."""
    names = given["host"].split(",") if "host" in given else []
    addresses = given["hostaddr"].split(",") if "hostaddr" in given else []
    if names and addresses and len(names) != len(addresses):
        raise ConfigError(f"PostgreSQL's host names {len(names)}, its hostaddr {len(addresses)}: give as many of each")
    hosts = [address or name for name, address in zip(names or addresses, addresses or names, strict=True)]
    if not all(hosts):
        raise ConfigError("one of PostgreSQL's hosts is empty: name each of them")
    ports = [int(port or 5432) for port in given["port"].split(",")] if "port" in given else []
    if any(not 1 <= port <= 65535 for port in ports):
        raise ConfigError("PostgreSQL's port cannot be read: use a number from 1 to 65535")
    if len(ports) > 1 and len(ports) != len(hosts):
        raise ConfigError(f"PostgreSQL's port names {len(ports)}, its host {len(hosts)}: give as many, or one")
    if len(ports) == 1:
        ports *= max(len(hosts), 1)
    found: dict[str, Any] = {"host": hosts} if hosts else {}
    return found | ({"port": ports if hosts else ports[0]} if ports else {})
