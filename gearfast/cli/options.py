"""Every option of the command line, in one table, and the text of ``--help``.

Names, letters, defaults and what is accepted are stock gearmand's (protocol section 5.1); what
gearfast adds or reads differently says so in its own line of the table.
"""

import shutil
import textwrap
from collections.abc import Callable
from dataclasses import dataclass

from gearfast.cli.readers import (
    OneOf,
    int32,
    io_threads,
    memory_size,
    milliseconds,
    natural,
    seconds,
    size,
    unsigned,
    wakeup,
)
from gearfast.config import AUTO_IO_THREADS, IO_THREADS, MOST_IO_THREADS, TIMEOUT_UNITS

LOG_FILE = "/var/log/gearmand.log"
PID_FILE = "/var/gearmand.pid"
PID_FILE_NAME = "gearmand.pid"
CONFIG_FILE = "/etc/gearmand.conf"
SSL_CA_FILE = "/etc/ssl/certs/gearmand-ca.pem"
SSL_CERTIFICATE = "/etc/ssl/certs/gearmand.pem"
SSL_KEY = "/etc/ssl/certs/gearmand.key"

OWN = "[gearfast]"
"""The end of the help of an option that gearmand has not."""


@dataclass(frozen=True, slots=True)
class Option:
    """One option: a row of the table."""

    name: str
    """The long name, without dashes."""
    short: str = ""
    """Its letter, or empty."""
    value: str = ""
    """What stands for its value in ``--help``; empty: it takes none."""
    default: str = ""
    """The value, as text, when it is not given."""
    help: str = ""
    """What it does, for ``--help``; empty: not shown there."""
    read: Callable[[str], object] = str
    """Turns the value's text into the value; raises ValueError."""
    many: bool = False
    """It may be given several times."""
    argv_only: bool = False
    """It is not allowed in the config file."""
    store_only: bool = False
    """It is an option of ``gearfast store``, not of the server."""

    def told(self) -> str:
        """What it does, and its default."""
        return f"{self.help} (default: {self.default})" if self.default else self.help

    def usage(self) -> str:
        """How it is written: ``-p, --port P``."""
        letter = f"-{self.short}, " if self.short else "    "
        return f"{letter}--{self.name}{' ' + self.value if self.value else ''}"


@dataclass(frozen=True, slots=True)
class Group:
    """Options that stand together in ``--help``."""

    title: str
    options: tuple[Option, ...]


# fmt: off
NETWORK = Group(
    "Where it listens",
    (
        Option("listen", "L", "ADDR", "",
               "Name or address to listen on, or unix:/path; may be given several times. Default: all addresses.",
               many=True),
        Option("port", "p", "P", "4730",
               "Number or service name; 0 takes a free one. When it is 4730, GEARMAND_PORT is used instead."),
        Option("backlog", "b", "N", "32", "Connections that may wait to be accepted.", int32),
        Option("max-connections", "", "N", "0",
               "Connections that may be open; a few more may send admin lines. 0: as many as there are descriptors "
               "for. [gearfast]", natural),
        Option("max-connections-per-address", "", "N", "0",
               "The same of one address; 0: no limit of its own. [gearfast]", natural),
        Option("io-threads", "", "N", str(IO_THREADS),
               f"Serve connections by so many threads, 1 to {MOST_IO_THREADS}; auto: as many as the load needs, at "
               "most --threads. [gearfast]", io_threads),
        Option("threads", "t", "N", "",
               "The most threads of --io-threads=auto. Default: one for each core that the server may use, at most "
               f"{AUTO_IO_THREADS}.", unsigned(32)),
        Option("keepalive", "", "", "", "Accepted; connections always have TCP keepalive on."),
        Option("keepalive-idle", "", "N", "60",
               "Seconds of silence before the first keepalive probe; -1: the system's figure, gearmand's default.",
               int32),
        Option("keepalive-interval", "", "N", "15",
               "Seconds between keepalive probes; -1: the system's figure.", int32),
        Option("keepalive-count", "", "N", "4",
               "Unanswered probes that end a connection; -1: the system's figure.", int32),
        Option("idle-packet-timeout", "", "S", "60",
               "Seconds, with fractions, without a further byte of an unfinished packet that end a connection. "
               "[gearfast]", seconds),
        Option("max-packet-size", "", "SIZE", "256M",
               "Largest packet a peer may send, in bytes; K, M and G are understood. [gearfast]", size),
        Option("max-memory", "", "SIZE", "0",
               "Memory of the whole process: bytes, with K, M, G or T, or a percentage of what machine or container "
               "has, such as 80%; 0: no limit. Above 80 % of it submits are refused, above 90 % the largest unfinished "
               "packets and unread answers are cut off. [gearfast]", memory_size),
    ),
)

JOBS = Group(
    "Jobs and workers",
    (
        Option("job-retries", "j", "N", "-1",
               "Attempts a job has before it fails for good: -1 no limit, 0 no retries, or 1 to 255.", int32),
        Option("job-handle-prefix", "", "S", "",
               "What stands before the number in a job handle. Default: H:<host name>."),
        Option("worker-wakeup", "w", "N", "1",
               "Sleeping workers woken per job; all (or 0) wakes every one, which is gearmand's default.", wakeup),
        Option("worker-wakeup-grace", "", "MS", "50",
               "Milliseconds a woken worker has to ask for its job before the next is woken. [gearfast]", milliseconds),
        Option("exceptions", "", "", "", "Every connection starts with the option 'exceptions' on."),
        Option("timeout-unit", "", "UNIT", "ms",
               "Unit of the time-outs that workers set for functions: ms, at least 1000, as in gearmand; or s, as "
               "PHP's manual says. [gearfast]",
               OneOf(*TIMEOUT_UNITS)),
        Option("policy", "", "FILE", "",
               "File that says what holds for the jobs of functions, such as how often they are tried; SIGHUP has it "
               "read again. [gearfast]"),
        Option("submit-parameters", "", "WORD", "yes",
               "yes: a job for the function 'name;delay=20m' is one for 'name', due in 20 minutes; no: names are "
               "read as they are. [gearfast]", OneOf("yes", "no")),
    ),
)

DURABLE = Group(
    "Durable queues: where background jobs are kept, so that they survive the end of the server",
    (
        Option("store", "", "URL", "",
               "sqlite:FILE, postgresql://..., mysql://..., redis://..., or what an installed package adds. "
               "Default: memory. [gearfast]"),
        Option("durability", "", "WORD", "full",
               "What a job that was acknowledged survives. full: a power cut. normal: the end of the server at any "
               "moment, kill -9 included; a power cut may cost up to the last 16 MB. off: the end of the server as "
               "with normal, but nothing is forced to disk: a crash of the machine may cost the newest jobs or, with "
               "SQLite, the file. [gearfast]", OneOf("full", "normal", "off")),
        Option("store-timeout", "", "S", "5",
               "Seconds, with fractions, that a submit waits for a store that is unavailable. [gearfast]", seconds),
        Option("store-password-file", "", "FILE", "",
               "File with the store's password, so that it need not stand in the URL, where everybody on the machine "
               "can read it; or GEARFAST_STORE_PASSWORD in the environment. [gearfast]"),
        Option("store-queue-on-shutdown", "", "", "",
               "Write nothing while the server runs, and all jobs that are left when it stops properly; any store."),
        Option("queue-type", "q", "NAME", "builtin",
               "gearmand's name for the store: builtin (memory), libsqlite3, MySQL, Postgres or redis."),
    ),
)

TLS = Group(
    "TLS",
    (
        Option("ssl", "", "", "", "Serve TLS 1.2 and 1.3 only."),
        Option("ssl-ca-file", "", "FILE", "",
               "PEM file of the authority that signs client certificates; or GEARMAND_CA_CERTIFICATE."),
        Option("ssl-certificate", "", "FILE", SSL_CERTIFICATE,
               "PEM file of the server's certificate chain; or GEARMAND_SERVER_PEM."),
        Option("ssl-key", "", "FILE", SSL_KEY, "PEM file of the server's private key; or GEARMAND_SERVER_KEY."),
        Option("ssl-verify-client", "", "", "",
               "Refuse clients without a certificate signed by --ssl-ca-file. [gearfast]"),
    ),
)

LOGGING = Group(
    "Log",
    (
        Option("log-file", "l", "FILE", LOG_FILE,
               "File to write the log to; stderr, none for no log, or an open descriptor such as /dev/stdout."),
        Option("verbose", "", "LEVEL", "ERROR", "FATAL, ALERT, CRITICAL, ERROR, WARNING, NOTICE, INFO or DEBUG."),
        Option("syslog", "", "", "", "Log to syslog too."),
    ),
)

START = Group(
    "Start",
    (
        Option("daemon", "d", "", "", "Run in the background; returns once the server is serving."),
        Option("pid-file", "P", "FILE", PID_FILE, "File to write the process id to; in a directory: gearmand.pid."),
        Option("user", "u", "USER", "", "User to switch to; only root can."),
        Option("file-descriptors", "f", "N", "", "Limit of open files. Default: as it is.", unsigned(64)),
        Option("drain-timeout", "", "S", "",
               "Seconds after which a drain (SIGUSR1) is given up, whatever still runs. Default: never. [gearfast]",
               seconds),
        Option("config-file", "", "FILE", CONFIG_FILE,
               "File with more options, written as here; gearmand's names may be shortened. The command line wins."),
        Option("check-args", "", "", "",
               "Read the command line and the config file, say whether a start would be refused for them, and what in "
               "them is ignored, and end.",
               argv_only=True),
        Option("help", "h", "", "", "Print this help."),
        Option("version", "V", "", "", "Print the version."),
    ),
)

WITHOUT_EFFECT = Group(
    "Accepted, and without effect here",
    (
        Option("hashtable-buckets", "", "N", "991", "Its tables grow by themselves.", unsigned(32)),
        Option("round-robin", "R", "", "", "A worker's functions are always served in turn."),
        Option("coredump", "", "", "", "It installs no crash handler."),
    ),
)

QUEUE = Group(
    "Queues and protocols of gearmand's plugins",
    (
        Option("protocol", "r", "NAME", "", "A protocol beside Gearman's own: this version has none."),
        Option("http-port", "", "P", "8080"),
        Option("libsqlite3-db", "", "FILE"),
        Option("libsqlite3-table", "", "S", "gearman_queue"),
        Option("mysql-host", "", "S", "localhost"),
        Option("mysql-port", "", "P", "3306", "", unsigned(16)),
        Option("mysql-user", "", "S"),
        Option("mysql-password", "", "S"),
        Option("mysql-db", "", "S"),
        Option("mysql-table", "", "S", "gearman_queue"),
        Option("libpq-conninfo", "", "S"),
        Option("libpq-table", "", "S", "queue"),
        Option("redis-server", "", "S", "127.0.0.1"),
        Option("redis-port", "", "P", "6379"),
        Option("redis-password", "", "S"),
        Option("redis-prefix", "", "S", "_gear_"),
        Option("libmemcached-servers", "", "S"),
        Option("libmemcached-prefix", "", "S", "gear_"),
    ),
)

OTHER_BUILDS = Group(
    "Queues that Debian's gearmand is built without",
    (
        Option("libtokyocabinet-file", "", "FILE"),
        Option("libtokyocabinet-optimize"),
        Option("libdrizzle-host", "", "S"),
        Option("libdrizzle-port", "", "P"),
        Option("libdrizzle-uds", "", "S"),
        Option("libdrizzle-user", "", "S"),
        Option("libdrizzle-password", "", "S"),
        Option("libdrizzle-db", "", "S", "gearman"),
        Option("libdrizzle-table", "", "S", "queue"),
        Option("libdrizzle-mysql"),
    ),
)

FOR_TESTS = Group(
    "For tests of the server: not told of, and not shortened",
    (
        Option("io-shuffle", "", "S", "", "", seconds),
    ),
)

STORE_OPTIONS = Group(
    "Options of these commands",
    (
        Option("function", "", "NAME", "", "list, count, export: only the jobs of this function.", store_only=True),
        Option("json", "", "", "", "list: one JSON object per line.", store_only=True),
        Option("output", "", "FILE", "", "export: write this file instead of standard output, all of it or nothing.",
               store_only=True),
        Option("to", "", "gearmand", "",
               "export: give the jobs back to gearmand's own table, for gearmand to start with.", OneOf("gearmand"),
               store_only=True),
        Option("take-over", "", "", "",
               "list, count, export: open the store as a server does, and make the jobs that gearmand has there its "
               "own. Without it they change nothing.", store_only=True),
        Option("skip-bad", "", "", "", "import: leave out lines that cannot be read, and say which.", store_only=True),
    ),
)
# fmt: on

STORE_HELP = {
    "list": "One line per job: handle, priority, when it is due, attempts, bytes of payload, function, unique id. "
    "Jobs that gearmand has there, and a start would take over, have no handle.",
    "count": "How many jobs there are, by function and priority, and how many schedules, buried and ended jobs.",
    "export": "Every job as a line of JSON.",
    "import [FILE|-]": "Read such lines, from standard input unless there is a FILE, and add the jobs to the store. "
    "Nothing is written when a line cannot be read.",
}
"""The words behind ``gearfast store``."""

GROUPS = (NETWORK, JOBS, DURABLE, TLS, LOGGING, START, WITHOUT_EFFECT, QUEUE)
STORE_CHOICE = ("store", "store-password-file", "queue-type", "user", "config-file", "help")
"""Options of the server's that ``gearfast store`` takes as well."""


def shown() -> list[Option]:
    """Return the options that ``--help`` shows."""
    return [option for group in GROUPS for option in group.options if option.help]


OPTIONS = {
    option.name: option for group in (*GROUPS, OTHER_BUILDS, FOR_TESTS, STORE_OPTIONS) for option in group.options
}
SHORTENED = sorted(
    option.name
    for group in GROUPS
    for option in group.options
    if not option.help.endswith(OWN) and not option.argv_only
)
"""Names of Debian's gearmand, which may be shortened in the config file, in the order in which it tells them."""
LETTERS = {option.short: option for option in OPTIONS.values() if option.short}


def help_text() -> str:
    """Return what ``--help`` prints: the groups of the table, with defaults."""
    lines = ["Usage: gearfast [options]", "       gearfast store list|count|export|import [options]", ""]
    lines += filled("A Gearman job server. Options are gearmand's; those marked [gearfast] are its own.", "")
    lines += filled("The second form looks into a store, and moves jobs: see gearfast store --help.", "")
    for group in GROUPS:
        lines += ["", *filled(f"{group.title}:", "")]
        for option in group.options:
            if option.help:
                lines += describe(option)
    return "\n".join(lines + of_plugins())


def store_help_text(word: str = "") -> str:
    """Return what ``gearfast store --help`` prints; with a command, what ``gearfast store COMMAND --help`` does."""
    usages = [usage for usage in STORE_HELP if not word or usage.split()[0] == word]
    lines = [f"Usage: gearfast store {usages[0] if word else 'COMMAND'} [options]", ""]
    if word != "import":
        lines += filled(
            "list, count and export change nothing. While a server runs, they can read a database, or gearmand's "
            "SQLite file. A SQLite file that a gearfast server uses can be read only when that server is stopped. "
            "import and export --to gearmand always need the server stopped.",
            "",
        )
        lines += [""]
    for usage in usages:
        lines += filled(STORE_HELP[usage], " " * 22, f"  {usage:<20}")
    own = [option for option in STORE_OPTIONS.options if not word or word in option.help.partition(":")[0].split(", ")]
    if own:
        lines += ["", f"{STORE_OPTIONS.title}:"]
        for option in own:
            lines += describe(option)
    lines += [
        "",
        *filled("Which store, as for the server itself; its config file is read too. One has to be named:", ""),
    ]
    for name in STORE_CHOICE:
        lines += describe(OPTIONS[name])
    return "\n".join(lines + of_plugins())


def of_plugins() -> list[str]:
    """Return the lines that name the options of gearmand's plugins."""
    hidden = [f"--{option.name}" for option in (*QUEUE.options, *OTHER_BUILDS.options) if not option.help]
    plugins = "and the options of gearmand's plugins: " + " ".join(hidden)
    return filled(plugins, "      ", "  ")


def columns() -> int:
    """Return how wide help is written: as the terminal is, within reason."""
    return min(max(shutil.get_terminal_size((96, 24)).columns, 60), 120)


def filled(text: str, indent: str, first: str | None = None) -> list[str]:
    """Return a text in lines that fit."""
    first = indent if first is None else first
    return textwrap.wrap(text, columns(), initial_indent=first, subsequent_indent=indent, break_on_hyphens=False)


def describe(option: Option) -> list[str]:
    """Return an option's lines of help."""
    text, usage = option.told(), option.usage()
    if len(usage) < 30:
        return filled(text, " " * 32, f"  {usage:<30}")
    return [f"  {usage}", *filled(text, " " * 32)]
