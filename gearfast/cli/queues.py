"""Which store a command line asks for: ``--store``, or gearmand's ``--queue-type`` and the options of its queues."""

import re
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import quote, urlencode

from gearfast.cli import mysql_files
from gearfast.cli.arguments import Arguments
from gearfast.cli.options import OPTIONS
from gearfast.cli.readers import port_of
from gearfast.errors import ConfigError
from gearfast.store import password
from gearfast.store.contract import StoreSettings
from gearfast.store.password import without_password

PASSWORD_FILE: Final = "store-password-file"
PASSWORD_VARIABLE: Final = "GEARFAST_STORE_PASSWORD"
MYSQL_PORT: Final = OPTIONS["mysql-port"].default

Environment = Mapping[str, str]
Warnings = tuple[str, ...]
Maker = Callable[[Arguments, Environment], tuple[str, Warnings]]
"""What makes the URL of a queue of stock's, and lines for standard error."""


def store_settings(given: Arguments, environment: Environment) -> tuple[StoreSettings | None, Warnings]:
    """Return which store is asked for, in our words or in stock's, and lines for standard error.

    None: jobs are kept in memory. Raises ConfigError.
    """
    kind = given.text("queue-type")
    if given.has("store"):
        if kind.lower() != "builtin":
            raise ConfigError(f"--store and --queue-type={kind} both say where jobs are kept: remove one of them")
        url, warnings = given.text("store"), Warnings()
        option = TABLES.get(url.partition(":")[0].lower(), "")
        table = given.text(option) if given.has(option) else ""
    elif kind.lower() != "builtin":
        option, url_of = queue(kind)
        url, warnings = url_of(given, environment)
        table = given.text(option)
    else:
        for name in ("durability", "store-timeout", PASSWORD_FILE):
            if given.has(name):
                raise ConfigError(f"--{name} needs --store: without it jobs are kept in memory, and survive nothing")
        return None, ()
    secret, remarks = password_for(url, given, environment)
    settings = StoreSettings(url=url, password=secret, table=table, durability=given.text("durability"))
    return settings, (*warnings, *remarks)


def password_for(url: str, given: Arguments, environment: Environment) -> tuple[str, Warnings]:
    """Return the password that is given apart from the URL, and lines for standard error. Raises ConfigError."""
    variable = environment.get(PASSWORD_VARIABLE, "")
    in_file = url.lower().startswith("sqlite:")
    if given.has(PASSWORD_FILE):
        if in_file:
            raise ConfigError(f"--{PASSWORD_FILE}: a store in a file has no password: remove it")
        if variable:
            raise ConfigError(f"--{PASSWORD_FILE} and {PASSWORD_VARIABLE} both give a password: remove one of them")
        secret, warning = password.from_file(given.text(PASSWORD_FILE), f"--{PASSWORD_FILE}")
        return secret, (warning,) if warning else ()
    if variable and in_file:
        return "", (f"{PASSWORD_VARIABLE} is ignored: a store in a file has no password",)
    return variable, ()


def queue(name: str) -> tuple[str, Maker]:
    """Return the table's option and the URL's maker of a queue of stock's; refuse what is no store of ours."""
    kind = name.lower()
    if kind in QUEUES:
        return QUEUES[kind]
    reason = REFUSED.get(kind, "unknown; there are builtin, libsqlite3, MySQL, Postgres and redis")
    raise ConfigError(f"Error while initializing the queue : {name} ({reason})")


def sqlite_url(given: Arguments, _: Environment) -> tuple[str, Warnings]:
    """Return the URL that ``--libsqlite3-db`` stands for."""
    file = given.text("libsqlite3-db")
    if not file:
        reason = "missing required --libsqlite3-db=<dbfile> argument"
        raise ConfigError(f"Error while initializing the queue : {given.text('queue-type')} ({reason})")
    return f"sqlite:{file}", ()


def mysql_url(given: Arguments, environment: Environment) -> tuple[str, Warnings]:
    """Return the URL that the ``--mysql-`` options stand for, and MySQL's option files where they were not given."""
    files = mysql_files.option_files(environment, given.text("user"))
    host, port = mysql_files.place_of(files)
    if given.has("mysql-host") or not host:
        host = given.text("mysql-host")
    if given.has("mysql-port") or not port:
        port = str(given.number("mysql-port"))
    query = mysql_files.encryption(files)
    socket = mysql_files.socket_of(files)
    if socket is not None and host == "localhost" and not (given.has("mysql-port") and port != MYSQL_PORT):
        query["unix_socket"] = socket
    apart = given.has(PASSWORD_FILE) or environment.get(PASSWORD_VARIABLE)
    secret = given.text("mysql-password") or ("" if apart else files.text("password"))
    login = user_and_password(given.text("mysql-user") or files.text("user"), secret)
    database = given.text("mysql-db") or files.text("database")
    if not database:
        reason = "missing required --mysql-db=<database> argument, and no option file of MySQL's names one"
        raise ConfigError(f"Error while initializing the queue : {given.text('queue-type')} ({reason})")
    options = f"?{urlencode(query, errors='surrogateescape')}" if query else ""
    return f"mysql://{login}{network_place(host, port)}/{quoted(database)}{options}", tuple(files.warnings)


def postgresql_url(given: Arguments, _: Environment) -> tuple[str, Warnings]:
    """Return the URL that ``--libpq-conninfo`` stands for: it may be one already."""
    conninfo = given.text("libpq-conninfo")
    return conninfo if re.match("postgres(ql)?://", conninfo) else f"postgresql:{conninfo}", ()


def redis_url(given: Arguments, _: Environment) -> tuple[str, Warnings]:
    """Return the URL that the ``--redis-`` options stand for."""
    text = given.text("redis-port")
    port = port_of(text)
    if port is None:
        raise ConfigError(f"the argument ('{text}') for option '--redis-port' is not a port (0 to 65535) or a service")
    login = user_and_password("", given.text("redis-password"))
    return f"redis://{login}{network_place(given.text('redis-server'), str(port))}", ()


def network_place(host: str, port: str) -> str:
    """Return ``host:port`` as it stands in a URL."""
    return f"[{host}]:{port}" if ":" in host else f"{quoted(host)}:{port}"


def user_and_password(user: str, secret: str) -> str:
    """Return ``user:password@`` as it stands in a URL; empty when there is neither."""
    behind = f":{quoted(secret)}" if secret else ""
    return f"{quoted(user)}{behind}@" if user or behind else ""


def quoted(text: str) -> str:
    """Return the text with everything percent-encoded that means something in a URL."""
    return quote(text, safe="", errors="surrogateescape")


def complaint(url: str, error: object) -> str:
    """Return what a store complains of, with its name before it unless the words name it already."""
    shown, text = without_password(url), str(error)
    place = shown.partition(":")[2].rpartition("@")[2].strip("/")
    return text if place and place in text else f"{shown}: {text}"


QUEUES: dict[str, tuple[str, Maker]] = {
    "libsqlite3": ("libsqlite3-table", sqlite_url),
    "mysql": ("mysql-table", mysql_url),
    "postgres": ("libpq-table", postgresql_url),
    "redis": ("redis-prefix", redis_url),
}
"""Stock's queues that are stores: the option with the table's name, and what makes the URL."""

TABLES = {
    "sqlite": "libsqlite3-table",
    **dict.fromkeys(("mysql", "mariadb"), "mysql-table"),
    **dict.fromkeys(("postgresql", "postgres"), "libpq-table"),
    **dict.fromkeys(("redis", "rediss", "redis+unix", "unix", "valkey", "valkeys"), "redis-prefix"),
}
"""The option with the table's name, by the scheme of ``--store``."""

REFUSED = {
    "libmemcached": "memcached keeps nothing on disk, and deletes jobs when it is full: use --store=sqlite:FILE",
    "libtokyocabinet": "not a store of this version: use --store=sqlite:FILE",
    "libdrizzle": "Drizzle does not exist any more: use --queue-type=MySQL, or --store=sqlite:FILE",
}
"""Stock's queues that are none of ours, and what to use."""
