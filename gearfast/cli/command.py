"""What a command line asks for: the server's Config, and how its process is to run.

Joins the words of the command line, the config file (protocol section 5.2) and the environment (5.3).
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from gearfast import config
from gearfast.cli import config_file, options, queues
from gearfast.cli.arguments import Arguments
from gearfast.cli.readers import io_threads, port_of
from gearfast.config import Config
from gearfast.errors import ConfigError
from gearfast.logs import LEVELS
from gearfast.server.policyfile import read_policy_file
from gearfast.store.contract import StoreSettings

TLS_ONLY: Final = ("ssl-ca-file", "ssl-certificate", "ssl-key", "ssl-verify-client")
"""Options that say what only --ssl does."""


class Wish(Enum):
    """What the command line is for."""

    SERVE = "serve"
    CHECK = "check"
    HELP = "help"
    VERSION = "version"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A whole command line, checked: what to do, and every word of it in its place."""

    wish: Wish
    config: Config = field(default_factory=Config)
    daemon: bool = False
    user: str = ""
    """Name of the user to switch to; empty: none."""
    file_descriptors: int | None = None
    """Limit of open files; None: as it is."""
    pid_file: str = options.PID_FILE
    log_file: str = options.LOG_FILE
    log_level: str = "ERROR"
    syslog: bool = False
    store: StoreSettings | None = None
    """Where background jobs are kept; None: in memory."""
    warnings: tuple[str, ...] = ()
    """Lines for standard error: what was ignored, and why."""


def read(words: Sequence[str], environment: Mapping[str, str]) -> Command:
    """Read the words behind the program's name.

    Raises ConfigError: one line, in stock's words where stock has any.
    """
    given, rest = Arguments.read(words)
    if rest:
        raise ConfigError(f"unrecognised option '{rest[0]}'")
    of_file, strays = config_file.read(given)
    given = given.over(of_file)
    for name in given.given:
        if options.OPTIONS[name].store_only:
            raise ConfigError(f"unrecognised option '--{name}' (it is an option of gearfast store)")
    if given.text("verbose") not in LEVELS:
        raise ConfigError("Invalid value for --verbose supplied", f"the levels are {', '.join(LEVELS)}")
    if given.number("hashtable-buckets") == 0:
        raise ConfigError("hashtable-buckets has to be greater than 0")
    if given.has("check-args"):
        return build(Wish.CHECK, given, environment, strays)
    if given.has("help"):
        return Command(wish=Wish.HELP)
    if given.has("version"):
        return Command(wish=Wish.VERSION)
    return build(Wish.SERVE, given, environment, strays)


def build(wish: Wish, given: Arguments, environment: Mapping[str, str], strays: tuple[str, ...]) -> Command:
    """Turn options into a Command; refuse what this version cannot do. ``strays``: warnings of the config file."""
    if given.has("protocol"):
        name = given.text("protocol")
        raise ConfigError(f"Unknown protocol module : {name} (this version speaks Gearman's own: leave --protocol out)")
    for name in TLS_ONLY:
        if given.has(name) and not given.has("ssl"):
            raise ConfigError(f"--{name} needs --ssl: without it everything would be served in plain text")
    if wish == Wish.CHECK and given.has("policy"):
        read_policy_file(given.text("policy"))
    store, remarks = queues.store_settings(given, environment)
    port, warnings = port_and_warnings(given.text("port"), environment.get("GEARMAND_PORT", ""))
    warnings = (*strays, *warnings, *remarks)
    if store is None and given.has("store-queue-on-shutdown"):
        warnings += ("--store-queue-on-shutdown has no effect without --store: jobs are kept in memory only",)
    if given.has("daemon") and given.text("log-file") == "stderr":
        warnings += (
            "--log-file=stderr shows nothing once --daemon has left the terminal: name a file, or use --syslog",
        )
    return Command(
        wish=wish,
        config=server_config(given, port, environment),
        daemon=given.has("daemon"),
        user=given.text("user"),
        file_descriptors=given.number("file-descriptors") if given.has("file-descriptors") else None,
        pid_file=given.text("pid-file"),
        log_file=given.text("log-file"),
        log_level=given.text("verbose"),
        syslog=given.has("syslog"),
        store=store,
        warnings=warnings,
    )


def server_config(given: Arguments, port: int, environment: Mapping[str, str]) -> Config:
    """Return the server's part of the options."""
    return Config(
        listen=given.texts("listen"),
        port=port,
        backlog=backlog(given.number("backlog")),
        max_connections=given.number("max-connections"),
        max_connections_per_address=given.number("max-connections-per-address"),
        io_threads=io_threads(given.text("io-threads")),
        threads=threads(given.number("threads")) if given.has("threads") else config.usable_cores(),
        io_shuffle=float(given.text("io-shuffle") or 0),
        job_handle_prefix=handle_prefix(given.text("job-handle-prefix")),
        job_retries=job_retries(given.number("job-retries")),
        exceptions=given.has("exceptions"),
        timeout_unit=given.text("timeout-unit"),
        policy=os.path.abspath(given.text("policy")) if given.text("policy") else "",
        submit_parameters=given.text("submit-parameters") == "yes",
        worker_wakeup=min(given.number("worker-wakeup"), config.INT),
        wakeup_grace=given.number("worker-wakeup-grace") / 1000,
        max_packet_size=given.number("max-packet-size"),
        max_memory=given.number("max-memory"),
        idle_packet_timeout=float(given.text("idle-packet-timeout")),
        store_timeout=float(given.text("store-timeout")),
        store_on_shutdown=given.has("store-queue-on-shutdown"),
        drain_timeout=float(given.text("drain-timeout")) if given.has("drain-timeout") else None,
        keepalive_idle=positive(given.number("keepalive-idle")),
        keepalive_interval=positive(given.number("keepalive-interval")),
        keepalive_count=positive(given.number("keepalive-count")),
        **(tls_files(given, environment) if given.has("ssl") else {}),
        ssl=given.has("ssl"),
        ssl_verify_client=given.has("ssl-verify-client"),
    )


def tls_files(given: Arguments, environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the files of TLS: the environment wins, as in stock."""
    return {
        "ssl_ca_file": environment.get("GEARMAND_CA_CERTIFICATE") or ca_file(given),
        "ssl_certificate": environment.get("GEARMAND_SERVER_PEM") or given.text("ssl-certificate"),
        "ssl_key": environment.get("GEARMAND_SERVER_KEY") or given.text("ssl-key"),
    }


def ca_file(given: Arguments) -> str:
    """Return the authority's file: stock's default only where it is needed, as it need not exist elsewhere."""
    return given.text("ssl-ca-file") or (options.SSL_CA_FILE if given.has("ssl-verify-client") else "")


def positive(value: int) -> int | None:
    """Return a keepalive figure, or None (the system's own) for stock's -1 and what no system takes."""
    return value if value > 0 else None


def backlog(value: int) -> int:
    """Return ``--backlog``; a negative one is as many as the system allows, as it takes it in stock."""
    return value if value >= 0 else config.INT


def threads(value: int) -> int:
    """Return ``--threads``: stock takes any number, and 0 has its one thread do everything."""
    return min(max(value, 1), config.MOST_IO_THREADS)


def handle_prefix(prefix: str) -> str:
    """Check ``--job-handle-prefix``: with the number behind it, a handle must still fit into what clients keep."""
    length = len(prefix.encode("utf-8", "surrogateescape"))
    if length > config.HANDLE_PREFIX_SIZE:
        raise ConfigError(
            f"job-handle-prefix has {length} bytes; at most {config.HANDLE_PREFIX_SIZE} leave room for the job's number"
        )
    return prefix


def job_retries(value: int) -> int:
    """Check ``--job-retries`` by gearmand 2.0's rule."""
    if not -1 <= value <= 255:
        raise ConfigError("job-retries must be -1 (no limit), 0 (no retries), or between 1 and 255")
    return value


def port_and_warnings(text: str, variable: str) -> tuple[int, tuple[str, ...]]:
    """Return the port to listen on, and what is to be said about ``GEARMAND_PORT``.

    The variable counts when the port is stock's 4730. Kubernetes sets it to a URL (``tcp://10.0.0.1:4730``) in every
    pod beside a service named gearmand; that, like all that is no port, is passed over.
    """
    if text == "4730" and variable:
        port = port_of(variable)
        if port is None:
            return 4730, (f"GEARMAND_PORT='{variable}' is not a port number and is ignored; the port is 4730",)
        return port, ()
    port = port_of(text)
    if port is None:
        raise ConfigError(f"the argument ('{text}') for option '--port' is not a port (0 to 65535) or a service")
    return port, ()
