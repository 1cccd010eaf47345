"""The connection parameters of libpq, one table for all the ways of giving them: what becomes of each of them here.

The driver, asyncpg, takes most of them. Of the others those that change nothing about where the jobs are, and who may
read them, are left out. One that asks for a safety which the driver cannot give is refused.
"""

import re
from collections.abc import Callable
from typing import Final, NamedTuple

from gearfast.errors import ConfigError
from gearfast.plugins.postgresql import demands
from gearfast.plugins.postgresql.demands import Given


class Parameter(NamedTuple):
    """A row of the table."""

    variable: str = ""
    """Of the environment, which counts when the parameter is not given."""
    passed: bool = False
    """The driver takes it; else it is left out."""
    allowed: str = ""
    """A regular expression of the values that libpq takes; empty: any."""
    demand: Callable[[str, Given], str] = demands.none
    """Says why the driver cannot do what a value asks for."""
    demanding: str = ".*"
    """A regular expression of the values that ``demand`` is asked about."""


PASSED: Final = Parameter(passed=True)
TEXT: Final = Parameter()
FLAG: Final = Parameter(allowed="[01]")
NUMBER: Final = Parameter(allowed=r"\s*[+-]?[0-9]{1,9}\s*")
SECRET: Final = Parameter(demand=demands.other_secret)
TLS_VERSION: Final = Parameter(passed=True, allowed=r"TLSv1(\.[123])?")

PARAMETERS: Final[dict[str, Parameter]] = {
    # where
    "host": PASSED._replace(variable="PGHOST"),
    "hostaddr": Parameter("PGHOSTADDR", True, r"[0-9a-fA-F.:]*(%\w+)?(,[0-9a-fA-F.:]*(%\w+)?)*"),
    "port": Parameter("PGPORT", True, "[0-9]*(,[0-9]*)*"),
    "dbname": PASSED._replace(variable="PGDATABASE"),
    "service": PASSED._replace(variable="PGSERVICE"),
    "servicefile": PASSED._replace(variable="PGSERVICEFILE"),
    "target_session_attrs": Parameter(
        "PGTARGETSESSIONATTRS",
        True,
        "any|read-write|read-only|primary|standby|prefer-standby",
        demands.read_only,
        "read-only|standby",
    ),
    "load_balance_hosts": Parameter("PGLOADBALANCEHOSTS", allowed="disable|random"),
    "options": PASSED._replace(variable="PGOPTIONS"),
    "replication": Parameter(demand=demands.replication, demanding="(?!(false|off|no|0)$).*"),
    # who
    "user": PASSED._replace(variable="PGUSER"),
    "password": PASSED._replace(variable="PGPASSWORD"),
    "passfile": PASSED._replace(variable="PGPASSFILE"),
    "require_auth": Parameter("PGREQUIREAUTH", demand=demands.methods),
    "channel_binding": Parameter("PGCHANNELBINDING", False, "disable|prefer|require", demands.bound_channel, "require"),
    "requirepeer": Parameter("PGREQUIREPEER", demand=demands.peer),
    "krbsrvname": PASSED._replace(variable="PGKRBSRVNAME"),
    "gsslib": Parameter("PGGSSLIB", True, "gssapi|sspi"),
    "gssdelegation": FLAG._replace(variable="PGGSSDELEGATION"),
    "scram_client_key": SECRET,
    "scram_server_key": SECRET,
    "oauth_issuer": SECRET,
    "oauth_client_id": SECRET,
    "oauth_client_secret": SECRET,
    "oauth_scope": SECRET,
    # how the way there is kept safe
    "sslmode": Parameter(
        "PGSSLMODE", True, "|".join((*demands.WEAK, *demands.STRONG)), demands.checked_name, "verify-full"
    ),
    "sslnegotiation": Parameter("PGSSLNEGOTIATION", True, "postgres|direct", demands.direct_tls, "direct"),
    "sslcert": PASSED._replace(variable="PGSSLCERT"),
    "sslkey": PASSED._replace(variable="PGSSLKEY"),
    "sslpassword": PASSED,
    "sslcertmode": Parameter(
        "PGSSLCERTMODE", False, "disable|allow|require", demands.client_certificate, "disable|require"
    ),
    "sslrootcert": Parameter("PGSSLROOTCERT", True, "", demands.authorities),
    "sslcrl": Parameter("PGSSLCRL", True, "", demands.revocations),
    "sslcrldir": Parameter("PGSSLCRLDIR", demand=demands.revoked),
    "ssl_min_protocol_version": TLS_VERSION._replace(variable="PGSSLMINPROTOCOLVERSION"),
    "ssl_max_protocol_version": TLS_VERSION._replace(variable="PGSSLMAXPROTOCOLVERSION"),
    "gssencmode": Parameter("PGGSSENCMODE", False, "disable|prefer|require", demands.gss_encryption, "require"),
    "sslcompression": FLAG._replace(variable="PGSSLCOMPRESSION"),
    "sslsni": FLAG._replace(variable="PGSSLSNI"),
    "sslkeylogfile": TEXT,
    # what the connection is like; the queue has its own figures
    "application_name": TEXT._replace(variable="PGAPPNAME"),
    "fallback_application_name": TEXT,
    "client_encoding": TEXT._replace(variable="PGCLIENTENCODING"),
    "connect_timeout": NUMBER._replace(variable="PGCONNECT_TIMEOUT"),
    "keepalives": NUMBER,
    "keepalives_idle": NUMBER,
    "keepalives_interval": NUMBER,
    "keepalives_count": NUMBER,
    "tcp_user_timeout": NUMBER,
    "min_protocol_version": Parameter(
        "PGMINPROTOCOLVERSION", False, r"3\.[02]|latest", demands.newer_protocol, r"3\.2|latest"
    ),
    "max_protocol_version": Parameter("PGMAXPROTOCOLVERSION", False, r"3\.[02]|latest"),
}
"""Of libpq 18, and so of all before it."""


def passed(given: Given, places: Given) -> dict[str, str]:
    """Return the parameters that the driver takes.

    ``places``: where one was found that was not given itself. Raises ConfigError for a parameter that is none, a value
    that cannot be, and one that asks for what the driver cannot do.
    """
    for name, value in given.items():
        where = f" ({places[name]})" if name in places else ""
        if name not in PARAMETERS:
            raise ConfigError(
                f"PostgreSQL's connection parameter {name!r}{where} is not known: remove it (a setting of the "
                "session is written options=-cNAME=VALUE)"
            )
        row = PARAMETERS[name]
        hidden = row == SECRET or name == "port"  # in a URL without its host, a password stands where a port would
        said = f"PostgreSQL's {name}{'' if hidden else f'={value}'}{where}"
        if row.allowed and not re.fullmatch(row.allowed, value):
            raise ConfigError(f"{said} is not valid: {words_of(row)}")
        why = row.demand(value, given) if re.fullmatch(row.demanding, value) else ""
        if why:
            raise ConfigError(f"{said} asks for something the driver cannot do: {why}")
    return {name: value for name, value in given.items() if PARAMETERS[name].passed}


def words_of(row: Parameter) -> str:
    """Return what a value has to be, for a message."""
    if row.allowed == NUMBER.allowed:
        return "write a whole number"
    return (
        f"write {', '.join(row.allowed.split('|'))}"
        if re.fullmatch(r"[\w|-]+", row.allowed)
        else "libpq reads no such value"
    )
