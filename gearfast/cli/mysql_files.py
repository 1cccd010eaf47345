"""MySQL's option files: what they say in place of ``--mysql-`` options that were not given.

Read as libmysql and MariaDB's library do: the system's files, then the user's; of two that say something the later
one counts, and likewise of two groups in one file.
"""

import os
import pwd
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from gearfast.errors import ConfigError
from gearfast.store.password import is_open

SYSTEM: Final = ("/etc/my.cnf", "/etc/mysql/my.cnf")
GROUPS: Final = ("client", "client-server", "client-mariadb", "gearmand")
"""What MariaDB's library reads for gearmand."""
DEEPEST: Final = 10
"""How many files may include each other: their libraries' own limit."""
ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "s": " ", '"': '"', "'": "'", "\\": "\\"}
TLS: Final = {
    "ssl-ca": "ssl_ca",
    "ssl-capath": "ssl_capath",
    "ssl-cert": "ssl_cert",
    "ssl-key": "ssl_key",
    "ssl-cipher": "ssl_cipher",
}
"""Options of the files, and those of a mysql:// URL."""
OTHER_NAMES: Final = {
    "tls-verify-peer": "ssl-verify-server-cert",
    "ssl-enforce": "ssl",
    "tls-enforce": "ssl",
    **{f"tls-{word}": f"ssl-{word}" for word in ("ca", "capath", "cert", "key", "cipher", "crl", "crlpath")},
    **{f"tls-{word}": f"ssl-{word}" for word in ("fp", "fplist", "passphrase")},
}
"""What MariaDB's library calls some of them as well."""
UNKEPT: Final = ("ssl-crl", "ssl-crlpath", "ssl-fp", "ssl-fp-list", "ssl-fplist", "ssl-passphrase", "tls-version")
"""Options that ask for what the driver cannot do, and that it must not do without."""
ON: Final = ("", "1", "on", "true", "yes")


class Said(NamedTuple):
    """A value, and where it stands."""

    text: str
    place: str


@dataclass(slots=True)
class OptionFiles:
    """What some files say together."""

    said: dict[str, Said] = field(default_factory=dict)
    """By the option's name, with dashes."""
    warnings: list[str] = field(default_factory=list)
    """What is to be told about them."""

    def text(self, name: str) -> str:
        """Return the value of an option, empty when no file has it."""
        return self.said[name].text if name in self.said else ""

    def read(self, path: str, deep: int = 0) -> None:
        """Take in a file, and those that it includes; one that is not there, or not to be read, is passed over."""
        try:
            with open(path, "rb") as file:
                status = os.fstat(file.fileno())
                if stat.S_ISREG(status.st_mode) and status.st_mode & stat.S_IWOTH:
                    self.warnings.append(f"{path} is ignored: everybody can write to it: chmod o-w {path}")
                    return
                lines = os.fsdecode(file.read()).split("\n")
        except FileNotFoundError:
            return
        except OSError as error:
            self.warnings.append(f"{path} is ignored: it cannot be read ({error.strerror})")
            return
        group = ""
        for number, line in enumerate(map(str.strip, lines), 1):
            if line.startswith("!"):
                for included in includes(line) if deep < DEEPEST else ():
                    self.read(included, deep + 1)
            elif match := re.match(r"\[([^\]]*)\]", line):
                group = match[1].rstrip()
            elif line and line[0] not in "#;" and group in GROUPS:
                name, value = setting(line)
                name = OTHER_NAMES.get(name, name)
                self.said[name] = Said(value, f"{path}, line {number}")
                if name == "password" and value and is_open(status):
                    self.warnings.append(f"{path} contains a password, and others can read it: chmod go= {path}")


def option_files(environment: Mapping[str, str], user: str) -> OptionFiles:
    """Read all of them; ``user`` is the name of the one whom the server is to run as, empty: whoever starts it."""
    found = OptionFiles()
    for path in (*SYSTEM, *private(environment, user)):
        found.read(path)
    return found


def private(environment: Mapping[str, str], user: str) -> Iterator[str]:
    """Yield the paths of the files that are not the system's."""
    folder = environment.get("MARIADB_HOME") or environment.get("MYSQL_HOME")
    if folder:
        yield os.path.join(folder, "my.cnf")
    home = environment.get("HOME", "")
    if user:  # as root, we can read root's file: the server is not to have root's password then
        try:
            home = pwd.getpwnam(user).pw_dir
        except KeyError:
            home = ""
    if home:
        yield os.path.join(home, ".my.cnf")


def includes(line: str) -> Iterator[str]:
    """Yield the files that ``!include FILE`` or ``!includedir FOLDER`` names."""
    word, _, place = line.partition(" ")
    if word == "!include":
        yield place.strip()
    elif word == "!includedir":
        yield from map(str, sorted(Path(place.strip()).glob("*.cnf")))


def setting(line: str) -> tuple[str, str]:
    """Return name and value of a line such as ``ssl_ca = "/path" # whose``; the value of a bare name is empty."""
    line = without_comment(line)
    name, _, value = line.partition("=")
    name = name.strip().replace("_", "-").removeprefix("loose-")
    value = value.strip()
    if len(value) > 1 and value[0] in "\"'" and value[0] == value[-1]:
        value = value[1:-1]
    value = re.sub(r"\\(.)", lambda match: ESCAPES.get(match[1], match[0]), value)
    for prefix in ("skip-", "disable-"):
        if name.startswith(prefix):
            return name.removeprefix(prefix), "0"
    return name, value


def without_comment(line: str) -> str:
    """Return the line up to a ``#`` that does not stand between quotes."""
    quote, escaped = "", False
    for place, letter in enumerate(line):
        if letter in "\"'" and not escaped:
            quote = letter if not quote else "" if letter == quote else quote
        elif letter == "#" and not quote:
            return line[:place]
        escaped = bool(quote) and letter == "\\" and not escaped
    return line


def place_of(files: OptionFiles) -> tuple[str, str]:
    """Return host and port, each empty when no file says so. Raises ConfigError when the port is none."""
    port = files.text("port")
    if port and not (re.fullmatch("[0-9]{1,5}", port) and int(port) <= 65535):
        raise ConfigError(f"{files.said['port'].place}: {port!r} is not a port: use a number from 0 to 65535")
    return files.text("host"), port.strip("0") and port


def socket_of(files: OptionFiles) -> str | None:
    """Return the Unix socket that they name; empty: they ask for TCP; None: they say nothing."""
    if files.text("protocol").lower() == "tcp":
        return ""
    return files.text("socket") or None


def encryption(files: OptionFiles) -> dict[str, str]:
    """Return what they say about TLS, in the options of a mysql:// URL.

    Raises ConfigError when they ask for a safety that the driver cannot give.
    """
    for name in UNKEPT:
        # The driver agrees on TLS 1.2 or 1.3, so a list with both of them restricts nothing.
        either = name == "tls-version" and {"TLSv1.2", "TLSv1.3"} <= set(files.text(name).split(","))
        if files.text(name) and not either:
            raise ConfigError(f"{files.said[name].place}: the driver of MySQL does not support {name}: remove it")
    found = {ours: files.text(theirs) for theirs, ours in TLS.items() if files.text(theirs)}
    mode = files.text("ssl-mode").upper()
    verified = "ssl-verify-server-cert" in files.said and files.text("ssl-verify-server-cert").lower() in ON
    wanted = "ssl" in files.said and files.text("ssl").lower() in ON
    if mode == "DISABLED" or ("ssl" in files.said and not wanted):
        return {}
    if (verified or mode.startswith("VERIFY_")) and not ("ssl_ca" in found or "ssl_capath" in found):
        where = files.said["ssl-verify-server-cert" if verified else "ssl-mode"].place
        raise ConfigError(f"{where}: the certificate of the server cannot be checked: write ssl-ca=FILE beside it")
    if "ssl_ca" in found or "ssl_capath" in found:
        found["ssl_check_hostname"] = "1" if verified or mode == "VERIFY_IDENTITY" else "0"
    if found or wanted or verified or mode in ("REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY"):
        found["ssl"] = "1"
    return found
