"""The command line: what is accepted, and every refusal's text, beside Debian's gearmand."""

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from gearfast.cli import command, options, program
from gearfast.cli.command import Command, Wish
from gearfast.cli.log import logbook
from gearfast.config import AUTO_IO_THREADS, HANDLE_PREFIX_SIZE, IO_THREADS, MOST_IO_THREADS, VERSION, Config
from gearfast.errors import ConfigError
from gearfast.store.contract import StoreSettings
from tests.support.peers import PROJECT, peer, start_gearfast

GOOD = (
    "",
    "--verbose=DEBUG",
    "--verbose FATAL",
    "--threads=0",
    "--threads=-1",
    "--threads=+4",
    "--threads=007",
    "--threads=4294967295",
    "--hashtable-buckets=-1",
    "--backlog=-1",
    "-b5",
    "-b 5",
    "-dR",
    "-dRb5",
    "-db 5",
    "-j -1",
    "-j 0",
    "--job-retries 255",
    "-w 3",
    "-w -1",
    "--worker-wakeup=4294967295",
    "--worker-wakeup=0",
    "-l=stderr",
    "-lstderr",
    "-L - -P /nonexistent/pid -u nobody -f 1024",
    "--exceptions --keepalive --coredump --syslog --round-robin --ssl",
    "--keepalive-idle=-5 --keepalive-interval=3 --keepalive-count=127",
    "--ssl --ssl-ca-file=a --ssl-certificate=b --ssl-key=c",
    "--http-port=abc --redis-port=abc --mysql-port=3307",
    "--libsqlite3-db=f --libsqlite3-table=t --store-queue-on-shutdown",
    "--mysql-host=a --mysql-user=b --mysql-password=c --mysql-db=d --mysql-table=e",
    "--libpq-conninfo=a=b --libpq-table=t --libmemcached-servers=s --libmemcached-prefix=p",
    "--redis-server=a --redis-password=b --redis-prefix=c",
    "-q BUILTIN",
    "--job-handle-prefix=H:me",
    "-h",
    "-V",
)
"""Command lines that stock takes too."""

BAD = (
    ("--bogus", "unrecognised option '--bogus'"),
    ("-Z", "unrecognised option '-Z'"),
    ("-v", "unrecognised option '-v'"),
    ("-vvv", "unrecognised option '-vvv'"),
    ("-d5", "unrecognised option '-d5'"),
    ("-dZ", "unrecognised option '-dZ'"),
    ("--thread=3", "unrecognised option '--thread=3'"),
    ("--verb=INFO", "unrecognised option '--verb=INFO'"),
    ("--Threads=4", "unrecognised option '--Threads=4'"),
    ("--=x", "unrecognised option '--=x'"),
    ("here", "unrecognised option 'here'"),
    ("-", "unrecognised option '-'"),
    ("@file", "unrecognised option '@file'"),
    ("-- --daemon", "unrecognised option '--daemon'"),
    ("--bogus --threads=abc", "unrecognised option '--bogus'"),
    ("--threads=abc --bogus", "unrecognised option '--bogus'"),
    ("--threads=abc here", "the argument ('abc') for option '--threads' is invalid"),
    ("--threads=abc", "the argument ('abc') for option '--threads' is invalid"),
    ("-t abc", "the argument ('abc') for option '--threads' is invalid"),
    ("--threads=1.5", "the argument ('1.5') for option '--threads' is invalid"),
    ("--threads=0x10", "the argument ('0x10') for option '--threads' is invalid"),
    ("--threads=4=5", "the argument ('4=5') for option '--threads' is invalid"),
    ("--threads=4294967296", "the argument ('4294967296') for option '--threads' is invalid"),
    ("--threads=-4294967296", "the argument ('-4294967296') for option '--threads' is invalid"),
    ("--threads --daemon", "the argument ('--daemon') for option '--threads' is invalid"),
    ("--threads --", "the argument ('--') for option '--threads' is invalid"),
    ("--threads=", "the argument for option '--threads' should follow immediately after the equal sign"),
    ("--daemon=", "the argument for option '--daemon' should follow immediately after the equal sign"),
    ("--bogus=", "the argument for option '--bogus' should follow immediately after the equal sign"),
    ("--daemon=yes", "option '--daemon' does not take any arguments"),
    ("--version=1", "option '--version' does not take any arguments"),
    ("-b=5", "the argument ('=5') for option '--backlog' is invalid"),
    ("-bd", "the argument ('d') for option '--backlog' is invalid"),
    ("-j=-1", "the argument ('=-1') for option '--job-retries' is invalid"),
    ("--backlog=2147483648", "the argument ('2147483648') for option '--backlog' is invalid"),
    ("--keepalive-idle=abc", "the argument ('abc') for option '--keepalive-idle' is invalid"),
    ("--file-descriptors=abc", "the argument ('abc') for option '--file-descriptors' is invalid"),
    ("--worker-wakeup=abc", "the argument ('abc') for option '--worker-wakeup' is invalid"),
    ("--mysql-port=abc", "the argument ('abc') for option '--mysql-port' is invalid"),
    ("--port=1 --port=2", "option '--port' cannot be specified more than once"),
    ("-t 4 --threads=5", "option '--threads' cannot be specified more than once"),
    ("-h --daemon --daemon", "option '--daemon' cannot be specified more than once"),
    ("--hashtable-buckets=0", "hashtable-buckets has to be greater than 0"),
    ("--verbose=info", "Invalid value for --verbose supplied"),
    ("--verbose=info --hashtable-buckets=0", "Invalid value for --verbose supplied"),
    ("-V --verbose=info", "Invalid value for --verbose supplied"),
)
"""Command lines that stock refuses too, in the same words."""

OURS = (
    *((f"--{name}", f"--{name.partition('=')[0]} needs --ssl: without it everything would be served in plain text")
      for name in ("ssl-verify-client", "ssl-certificate=f", "ssl-key=f", "ssl-ca-file=f")),
    ("--keepalive-count=2147483647",
     "--keepalive-count (Config.keepalive_count) is 2147483647, and has to be None or a whole number from 1 to 127"),
    *((f"--listen={address}", f"--listen (Config.listen) is ('{address}',), and has to be a tuple of texts, each of "
       "them a name, an address or unix:/path") for address in ("unix:", "a..b")),
    ("--backlog", "the required argument for option '--backlog' is missing"),
    ("-dP", "the required argument for option '--pid-file' is missing"),
    ("--job-retries=256", "job-retries must be -1 (no limit), 0 (no retries), or between 1 and 255"),
    ("--job-retries=-2", "job-retries must be -1 (no limit), 0 (no retries), or between 1 and 255"),
    ("--queue-type=libsqlite3", "Error while initializing the queue : libsqlite3 (missing required "
     "--libsqlite3-db=<dbfile> argument)"),
    ("-q bogus", "Error while initializing the queue : bogus (unknown; there are builtin, libsqlite3, MySQL, Postgres "
     "and redis)"),
    ("-q LibMemcached", "Error while initializing the queue : LibMemcached (memcached keeps nothing on disk, and "
     "deletes jobs when it is full: use --store=sqlite:FILE)"),
    ("-q libtokyocabinet", "Error while initializing the queue : libtokyocabinet (not a store of this version: use "
     "--store=sqlite:FILE)"),
    ("-q libdrizzle", "Error while initializing the queue : libdrizzle (Drizzle does not exist any more: use "
     "--queue-type=MySQL, or --store=sqlite:FILE)"),
    ("-q redis --redis-port=abc",
     "the argument ('abc') for option '--redis-port' is not a port (0 to 65535) or a service"),
    ("--store=sqlite:f -q redis", "--store and --queue-type=redis both say where jobs are kept: remove one of them"),
    ("--store=", "the argument for option '--store' should follow immediately after the equal sign"),
    ("--durability=normal", "--durability needs --store: without it jobs are kept in memory, and survive nothing"),
    ("--store-timeout=1", "--store-timeout needs --store: without it jobs are kept in memory, and survive nothing"),
    ("--store=sqlite:f --durability=most", "the argument ('most') for option '--durability' is invalid"),
    ("--store=sqlite:f --store-timeout=0", "the argument ('0') for option '--store-timeout' is invalid"),
    ("--store=sqlite:f --store-timeout=1e3", "the argument ('1e3') for option '--store-timeout' is invalid"),
    ("--store=sqlite:f --store-timeout=86400.1", "the argument ('86400.1') for option '--store-timeout' is invalid"),
    ("--skip-bad", "unrecognised option '--skip-bad' (it is an option of gearfast store)"),
    ("-r http", "Unknown protocol module : http (this version speaks Gearman's own: leave --protocol out)"),
    ("--port=abc", "the argument ('abc') for option '--port' is not a port (0 to 65535) or a service"),
    ("--port=65536", "the argument ('65536') for option '--port' is not a port (0 to 65535) or a service"),
    ("--port=-1", "the argument ('-1') for option '--port' is not a port (0 to 65535) or a service"),
    ("--io-threads=0", "the argument ('0') for option '--io-threads' is invalid"),
    ("--io-threads=65", "the argument ('65') for option '--io-threads' is invalid"),
    ("--io-threads=-1", "the argument ('-1') for option '--io-threads' is invalid"),
    ("--io-threads=Auto", "the argument ('Auto') for option '--io-threads' is invalid"),
    ("--io-shuffle=0", "the argument ('0') for option '--io-shuffle' is invalid"),
    ("--max-connections=-1", "the argument ('-1') for option '--max-connections' is invalid"),
    ("--max-connections=many", "the argument ('many') for option '--max-connections' is invalid"),
    ("--max-connections-per-address=2147483648",
     "the argument ('2147483648') for option '--max-connections-per-address' is invalid"),
    ("--idle-packet-timeout=0", "the argument ('0') for option '--idle-packet-timeout' is invalid"),
    ("--idle-packet-timeout=86401", "the argument ('86401') for option '--idle-packet-timeout' is invalid"),
    ("--timeout-unit=m", "the argument ('m') for option '--timeout-unit' is invalid"),
    ("--timeout-unit=S", "the argument ('S') for option '--timeout-unit' is invalid"),
    ("--max-packet-size=0", "the argument ('0') for option '--max-packet-size' is invalid"),
    ("--max-packet-size=4G", "the argument ('4G') for option '--max-packet-size' is invalid"),
    ("--max-packet-size=1T", "the argument ('1T') for option '--max-packet-size' is invalid"),
    ("--worker-wakeup-grace=0", "the argument ('0') for option '--worker-wakeup-grace' is invalid"),
    (f"--job-handle-prefix={'x' * (HANDLE_PREFIX_SIZE + 1)}",
     f"job-handle-prefix has {HANDLE_PREFIX_SIZE + 1} bytes; "
     f"at most {HANDLE_PREFIX_SIZE} leave room for the job's number"),
    ("--config-file=/nonexistent/f",
     "Could not open configuration file. (/nonexistent/f: No such file or directory)"),
)  # fmt: skip
"""Refusals of gearfast's own, or with more said than stock says."""


def read(line: str, **environment: str) -> Command:
    """Read a command line, with no config file of the machine in the way."""
    words = line.split()
    if "--config-file" not in line:
        words.append("--config-file=/dev/null")
    return command.read(words, environment)


def config(line: str, **environment: str) -> Config:
    """Return the server's part of a command line."""
    return read(line, **environment).config


@pytest.mark.parametrize("line", GOOD)
def test_good_lines_are_taken(line: str) -> None:
    assert read(f"{line} --check-args").wish is Wish.CHECK


@pytest.mark.parametrize(("line", "message"), BAD + OURS)
def test_bad_lines_are_refused_in_one_line(line: str, message: str) -> None:
    # Before, not behind: the last word of a line may lack its value.
    with pytest.raises(ConfigError) as refusal:
        command.read(["--check-args", *line.split()], {})
    assert str(refusal.value) == message


def test_stock_takes_and_refuses_the_same_lines_in_the_same_words() -> None:
    program = peer("gearmand")
    for line, message in (*((line, "") for line in GOOD), *BAD):
        words = ["--check-args", *line.split()]
        done = subprocess.run([program, *words], capture_output=True, text=True, timeout=20, check=False)
        said = done.stderr.partition(": ")[2].rstrip("\n")
        assert (line, done.returncode, said) == (line, 1 if message else 0, message)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--ssl", "--ssl-certificate=/nonexistent/f"], "TLS: cannot read /nonexistent/f: No such file or directory"),
        (["--user=nosuchuser"], "Could not find user : nosuchuser"),
    ],
)
def test_check_args_looks_at_what_is_named(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """As the start would, in the same words."""
    assert program.main(["--check-args", "--config-file=/dev/null", *words]) == 1
    assert capsys.readouterr().err.endswith(f": {said}\n")


def test_refusal_names_the_program_and_exits_1(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["/usr/local/bin/gearfast", "--bogus"])
    assert program.main() == 1
    assert capsys.readouterr().err == "gearfast: unrecognised option '--bogus'\n"


@pytest.mark.parametrize("name", ["/x/gearfast/__main__.py", "-m", ""])
def test_program_name_of_a_module_run(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", [name])
    assert program.program_name() == "gearfast"


def test_defaults_are_stocks() -> None:
    asked = read("")
    assert asked.config == Config()
    assert (asked.pid_file, asked.log_file, asked.log_level) == ("/var/gearmand.pid", "/var/log/gearmand.log", "ERROR")
    assert (asked.daemon, asked.user, asked.syslog, asked.file_descriptors) == (False, "", False, None)


def test_every_option_reaches_its_place() -> None:
    asked = read(
        "-d -u nobody -f 1024 -P /p -l /l --verbose=INFO --syslog -L a -L unix:/s -p 5000 -b 7 -j 3 --exceptions "
        "--job-handle-prefix=H:x -w 2 --worker-wakeup-grace=20 --max-packet-size=1M --keepalive-idle=1 "
        "--max-connections=9 --max-connections-per-address=5 --idle-packet-timeout=1.5 --timeout-unit=s "
        "--io-threads=auto --threads=3 --io-shuffle=.25 "
        "--keepalive-interval=2 --keepalive-count=3 --ssl --ssl-ca-file=/ca --ssl-certificate=/crt --ssl-key=/key "
        "--ssl-verify-client --store=sqlite:/s --durability=off --store-timeout=2.5 --store-queue-on-shutdown"
    )
    assert asked == Command(
        wish=Wish.SERVE, daemon=True, user="nobody", file_descriptors=1024, pid_file="/p", log_file="/l",
        log_level="INFO", syslog=True, store=StoreSettings(url="sqlite:/s", durability="off"),
        config=Config(
            listen=("a", "unix:/s"), port=5000, backlog=7, job_retries=3, exceptions=True, job_handle_prefix="H:x",
            io_threads="auto", threads=3, io_shuffle=0.25,
            max_connections=9, max_connections_per_address=5, idle_packet_timeout=1.5, timeout_unit="s",
            worker_wakeup=2, wakeup_grace=0.020, max_packet_size=1 << 20, keepalive_idle=1, keepalive_interval=2,
            keepalive_count=3, ssl=True, ssl_ca_file="/ca", ssl_certificate="/crt", ssl_key="/key",
            ssl_verify_client=True, store_timeout=2.5, store_on_shutdown=True,
        ),
    )  # fmt: skip


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("all", 0), ("1", 1), ("300", 300), ("-1", (1 << 31) - 1)])
def test_worker_wakeup(text: str, number: int) -> None:
    assert config(f"--worker-wakeup={text}").worker_wakeup == number


@pytest.mark.parametrize(("text", "number"), [("auto", "auto"), ("1", 1), ("007", 7), ("64", MOST_IO_THREADS)])
def test_io_threads(text: str, number: int | str) -> None:
    assert config(f"--io-threads={text}").io_threads == number


@pytest.mark.parametrize(("text", "number"), [("0", 1), ("4", 4), ("65", MOST_IO_THREADS), ("-1", MOST_IO_THREADS)])
def test_most_threads(text: str, number: int) -> None:
    """Stock takes any number, and 0 has its one thread do everything."""
    assert config(f"--threads={text}").threads == number


@pytest.mark.parametrize(("cores", "most"), [(1, 1), (3, 3), (AUTO_IO_THREADS + 1, AUTO_IO_THREADS)])
def test_there_are_not_more_threads_than_cores_unless_told_so(
    cores: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)), raising=False)
    assert (config("").threads, Config().threads, Config().io_threads) == (most, most, IO_THREADS)


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("7", 7), ("-1", (1 << 31) - 1)])
def test_backlog(text: str, number: int) -> None:
    """Stock hands -1 to the system, which takes it for the most that it allows."""
    assert config(f"--backlog={text}").backlog == number


def test_a_server_starts_with_figures_that_wrap_round_in_stock() -> None:
    with start_gearfast("-w", "-1", "--backlog=-1", "--threads=-1") as server, server.connect() as peer_:
        assert peer_.admin("version").startswith(b"OK")


@pytest.mark.parametrize(("text", "number"), [("1", 1), ("2K", 2048), ("3M", 3 << 20), ("3G", 3 << 30)])
def test_max_packet_size(text: str, number: int) -> None:
    assert config(f"--max-packet-size={text}").max_packet_size == number


def test_handle_prefix_may_have_the_limits_length() -> None:
    prefix = "x" * HANDLE_PREFIX_SIZE
    assert config(f"--job-handle-prefix={prefix}").job_handle_prefix == prefix


def test_tls_files_have_stocks_defaults() -> None:
    found = config("--ssl")
    assert (found.ssl_certificate, found.ssl_key) == (options.SSL_CERTIFICATE, options.SSL_KEY)


def test_ca_file_has_a_default_only_when_clients_are_verified() -> None:
    assert config("--ssl").ssl_ca_file == ""
    assert config("--ssl --ssl-verify-client").ssl_ca_file == options.SSL_CA_FILE


def test_a_service_name_is_a_port() -> None:
    assert config("--port=ssh").port == 22


def test_a_service_name_in_gearmand_port_is_a_port() -> None:
    assert config("", GEARMAND_PORT="http").port == 80


# --- environment -------------------------------------------------------------------------


@pytest.mark.parametrize(("line", "port"), [("", 5001), ("--port=4730", 5001), ("-p 5000", 5000), ("-p 0", 0)])
def test_gearmand_port_counts_when_the_port_is_4730(line: str, port: int) -> None:
    assert config(line, GEARMAND_PORT="5001").port == port


def test_tls_files_of_the_environment_need_tls() -> None:
    """Stock does not look at them without --ssl either."""
    assert config("", GEARMAND_SERVER_PEM="/2", GEARMAND_SERVER_KEY="/3") == Config()


@pytest.mark.parametrize("junk", ["tcp://10.0.0.1:4730", "abc", "70000", "-1", " 5001"])
def test_gearmand_port_that_is_no_port_is_ignored_with_a_warning(junk: str) -> None:
    asked = read("", GEARMAND_PORT=junk)
    assert asked.config.port == 4730
    assert asked.warnings == (f"GEARMAND_PORT='{junk}' is not a port number and is ignored; the port is 4730",)


def test_gearmand_port_is_not_even_looked_at_with_another_port() -> None:
    assert read("-p 5000", GEARMAND_PORT="tcp://10.0.0.1:4730").warnings == ()


def test_tls_files_of_the_environment_win() -> None:
    environment = {"GEARMAND_CA_CERTIFICATE": "/1", "GEARMAND_SERVER_PEM": "/2", "GEARMAND_SERVER_KEY": "/3"}
    found = config("--ssl --ssl-ca-file=a --ssl-certificate=b --ssl-key=c", **environment)
    assert (found.ssl_ca_file, found.ssl_certificate, found.ssl_key) == ("/1", "/2", "/3")


# --- config file -------------------------------------------------------------------------


def with_file(tmp_path: Path, text: str, line: str = "") -> Command:
    """Read a command line beside a config file of that text."""
    path = tmp_path / "gearmand.conf"
    path.write_bytes(text.encode())
    return read(f"{line} --config-file={path}")


def test_config_file_is_split_at_blanks_and_line_ends(tmp_path: Path) -> None:
    asked = with_file(tmp_path, "--port=1 -b 2\r\n\n  -L\nlocalhost\n--daemon")
    assert (asked.config.port, asked.config.backlog, asked.config.listen, asked.daemon) == (1, 2, ("localhost",), True)


def test_config_file_words_that_are_no_options_are_passed_over(tmp_path: Path) -> None:
    assert with_file(tmp_path, "# a comment\nport=1\nx - --backlog=3 -- --bogus").config == config("--backlog=3")


def test_config_file_keeps_quotes_and_tabs(tmp_path: Path) -> None:
    assert with_file(tmp_path, '--log-file="x"\ty').log_file == '"x"\ty'


def test_command_line_wins_over_the_config_file(tmp_path: Path) -> None:
    asked = with_file(tmp_path, "--port=1 --backlog=2 --listen=a --listen=b", "--port=3 --listen=c")
    assert (asked.config.port, asked.config.backlog, asked.config.listen) == (3, 2, ("c",))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("--bogus", "unrecognised option '--bogus'"),
        ("-Z", "unrecognised option '-Z'"),
        ("--threads=abc", "the argument ('abc') for option '--threads' is invalid"),
        ("-t\t4", "the argument ('\t4') for option '--threads' is invalid"),
        ("--threads=2 --threads=3", "option '--threads' cannot be specified more than once"),
        ("--threads", "the required argument for option '--threads' is missing"),
        ("--check-args", "unrecognised option '--check-args'"),
        ("--verbose=info", "Invalid value for --verbose supplied"),
        ("--hashtable-buckets=0", "hashtable-buckets has to be greater than 0"),
    ],
)
def test_config_file_errors_are_fatal(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        with_file(tmp_path, text)
    assert str(refusal.value) == message
    path = tmp_path / "gearmand.conf"
    done = subprocess.run(
        [peer("gearmand"), f"--config-file={path}"], capture_output=True, text=True, timeout=20, check=False
    )
    assert (done.returncode, done.stderr.partition(": ")[2]) == (1, message + "\n")


def test_a_missing_default_config_file_is_fine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    row = options.Option("config-file", value="FILE", default=str(tmp_path / "none"))
    monkeypatch.setitem(options.OPTIONS, "config-file", row)
    assert command.read([], {}).wish is Wish.SERVE


# --- what lies beside the program --------------------------------------------------------

PACKAGING = PROJECT / "packaging"


@pytest.mark.parametrize("unit", ["gearfast.service", "gearfast-forking.service"])
def test_service_units_start_with_options_that_exist(unit: str) -> None:
    text = (PACKAGING / unit).read_text()
    (line,) = re.findall(r"^ExecStart=\S+/gearfast (.*)$", text, re.MULTILINE)
    (more,) = re.findall(r"^Environment=\"?(?:PARAMS|OPTIONS)=(.*?)\"?$", text, re.MULTILINE)
    asked = read(re.sub(r"\$\w+", more, line).replace("%%", "%"))  # as systemd does
    assert asked.config.listen == ("localhost",)
    assert asked.daemon == (unit == "gearfast-forking.service")


def test_make_run_serves_on_this_machine_only_and_can_be_told_otherwise() -> None:
    path = PACKAGING / "run.conf"
    asked = read(f"--config-file={path}")
    assert (asked.config.listen, asked.config.port, asked.log_file) == (("127.0.0.1",), 4730, "stderr")
    assert read(f"--config-file={path} --listen=localhost --log-file=none").config.listen == ("localhost",)


@pytest.mark.parametrize(
    ("line", "addresses", "words"),
    [
        ("", ["0.0.0.0:4730", "[::]:4730"], "gearadmin --status"),
        ("", ["127.0.0.1:5000"], "gearadmin --port=5000 --status"),
        ("", ["unix:/s", "10.0.0.1:4730"], "gearadmin --host=10.0.0.1 --status"),
        ("", ["unix:/s"], ""),
        ("--ssl", ["127.0.0.1:4730"], ""),
    ],
)
def test_hint(line: str, addresses: list[str], words: str) -> None:
    look = f"Look at it with: {words}. " if words else ""
    assert program.hint(read(line), addresses) == f"{look}Ctrl-C stops it."


# --- help and version ----------------------------------------------------------------------


def test_help_names_every_option_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["-h"]) == 0
    printed = capsys.readouterr().out
    words = printed.replace(",", " ").split()
    for option in options.OPTIONS.values():
        if option.name != "check-args":
            hidden = option.store_only or option in options.FOR_TESTS.options
            assert (f"--{option.name}" in words) != hidden, option.name
    assert max(map(len, printed.splitlines())) <= 100


def test_version_has_stocks_form(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["gearfast"])
    assert program.main(["-V"]) == 0
    blank, line, _ = capsys.readouterr().out.split("\n")
    assert blank == ""
    assert line == f"gearfast {VERSION} - a drop-in Gearman job server"


def test_version_is_the_packages() -> None:
    project = PROJECT / "pyproject.toml"
    assert tomllib.loads(project.read_text())["project"]["version"] == VERSION


def test_help_wins_over_version_and_check_args_over_both(capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["-V", "-h"]) == 0
    assert capsys.readouterr().out.startswith("Usage: ")
    assert program.main(["-V", "-h", "--check-args"]) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("words", [[], ["--syslog"]], ids=["file only", "syslog too"])
@pytest.mark.parametrize("writable", [True, False], ids=["writable", "not writable"])
def test_syslog_is_for_the_log_wherever_it_goes(
    words: list[str], writable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when stock's default file cannot be written, and the log goes to standard error instead."""
    opened = []

    def open_log(path: str, level: str, *, to_syslog: bool = False) -> None:
        if path != "stderr" and not writable:
            raise PermissionError(13, "Permission denied")
        opened.append((path, level, to_syslog))

    monkeypatch.setattr(logbook, "open_log", open_log)
    program.open_log(command.read([*words, "--verbose=INFO"], {}), "gearfast")
    assert opened == [(options.LOG_FILE if writable else "stderr", "INFO", "--syslog" in words)]
