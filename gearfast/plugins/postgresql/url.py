"""Where a PostgreSQL database is: a URL, or the connection parameters of libpq."""

import re
import urllib.parse
from typing import Final

from gearfast.errors import ConfigError

UNDERSTOOD: Final = re.compile(
    "host|port|dbname|user|password|passfile|service|options|target_session_attrs|krbsrvname|gsslib"
    "|sslmode|sslnegotiation|sslcert|sslkey|sslrootcert|sslcrl|sslpassword|ssl_m(in|ax)_protocol_version"
)
"""Parameters that mean the same to libpq and to asyncpg."""
WITHOUT_EFFECT: Final = re.compile(
    "(fallback_)?application_name|client_encoding|connect_timeout|sslcompression|sslsni"
    "|keepalives(_idle|_interval|_count)?|tcp_user_timeout"
)
"""Those of libpq that asyncpg does not know, and that change nothing about where the jobs are or who may read them."""

# A name, and a value that is quoted or ends at a blank; in both a backslash takes the next character as it is.
PARAMETER: Final = re.compile(r"(\w+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|((?!')(?:[^\s\\]|\\.|\\$)*))\s*", re.DOTALL)


def read_url(url: str) -> tuple[str, str]:
    """Return what asyncpg takes, and how messages call the place. Raises ConfigError.

    ``postgresql://user@host/database``; or after ``postgresql:``, with or without ``//``, what libpq takes:
    ``host=... dbname=...``, nothing for libpq's defaults, or a URL once more.
    """
    scheme, _, rest = url.partition(":")
    if scheme.lower() not in ("postgresql", "postgres"):
        raise ConfigError(f"{scheme!r} is no scheme of PostgreSQL: write postgresql://user@host/database")
    if rest.startswith(("postgresql:", "postgres:")):
        return read_url(rest)
    if not rest.startswith("//") or re.match(r"//\s*(\w+\s*=|$)", rest):
        given = read_conninfo(rest.removeprefix("//"))
        base, host = "//", given.get("host", "")
    else:
        base, _, query = rest.partition("?")
        given = dict(urllib.parse.parse_qsl(query))
        host = base[2:].rpartition("@")[2]
    # PostgreSQL would take one that asyncpg does not know for a setting of the session.
    kept = {name: value for name, value in given.items() if value and not WITHOUT_EFFECT.fullmatch(name)}
    return f"postgresql:{base}?{urllib.parse.urlencode(kept)}", f"PostgreSQL at {host}" if host else "PostgreSQL"


def read_conninfo(text: str) -> dict[str, str]:
    """Return the parameters, read as libpq reads them. Raises ConfigError."""
    given: dict[str, str] = {}
    rest = text.strip()
    while rest:
        match = PARAMETER.match(rest)
        if match is None:
            raise ConfigError(f"PostgreSQL's connection parameters cannot be read: {mistake(rest)}; write name=value")
        name, inside, plain = match.groups()
        value = re.sub(r"\\(.?)", r"\1", plain if inside is None else inside, flags=re.DOTALL)
        if not (name == "hostaddr" or UNDERSTOOD.fullmatch(name) or WITHOUT_EFFECT.fullmatch(name)):
            raise ConfigError(f"gearfast knows no connection parameter {name!r} of PostgreSQL: leave it out")
        given[name] = value
        rest = rest[match.end() :]
    address = given.pop("hostaddr", "")
    return {**given, "host": address} if address else given


def mistake(rest: str) -> str:
    """Say what is wrong at the beginning of a text, without a value: it may be a password."""
    name, equals = re.match(r"(\w*)\s*(=?)", rest).groups()  # type: ignore[union-attr]  # it matches always
    return f"the quote after {name!r} is not closed" if equals else f"there is no '=' after {name!r}"
