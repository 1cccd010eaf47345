"""What a connection parameter of PostgreSQL may ask for, and why the driver, asyncpg, cannot do it.

Each function is given a value and all parameters, and returns the reason and what helps; nothing when there is no
trouble.
"""

import os
from collections.abc import Mapping
from typing import Final

Given = Mapping[str, str]

METHODS: Final = frozenset({"none", "password", "md5", "scram-sha-256", "gss", "sspi"})
"""Ways of proving who we are that asyncpg goes, whichever of them the database asks for."""
KNOWN_METHODS: Final = METHODS | {"oauth"}
WEAK: Final = ("disable", "allow", "prefer")
"""Values of sslmode with which the other side is not checked, nor its certificate looked for in lists."""
STRONG: Final = ("require", "verify-ca", "verify-full")


def hosts(given: Given) -> list[str]:
    """Return where the connection may go to; empty: wherever the driver looks, over TCP and through Unix sockets."""
    place = given.get("host") or given.get("hostaddr") or ""
    return place.split(",") if place else []


def by_sockets(given: Given) -> bool:
    """Say whether it can only go through Unix sockets, where nothing is encrypted whatever sslmode says."""
    return bool(hosts(given)) and all(host.startswith("/") for host in hosts(given))


def is_strong(given: Given) -> bool:
    """Say whether the connection must be encrypted."""
    return given.get("sslmode", "prefer") in STRONG and not by_sockets(given)


def none(value: str, given: Given) -> str:
    """Nothing is asked for that the driver does not do."""
    return ""


def bound_channel(value: str, given: Given) -> str:
    """The password is to be bound to the encrypted channel."""
    return "it does not support channel binding: use sslmode=verify-full, which checks the server"


def gss_encryption(value: str, given: Given) -> str:
    """GSSAPI is to encrypt."""
    return "it does not encrypt with GSSAPI: use sslmode=verify-full"


def peer(value: str, given: Given) -> str:
    """The owner of the Unix socket's other end is to be a certain one. Over TCP this asks for nothing."""
    over_tcp = hosts(given) and all(host and not host.startswith(("/", "@")) for host in hosts(given))
    return "" if over_tcp else "it does not check the owner of a Unix socket: let nobody else write to its folder"


def revoked(value: str, given: Given) -> str:
    """A folder of revoked certificates is to be looked at."""
    return "it does not read a folder: put the lists into one file, and write sslcrl=FILE" if is_strong(given) else ""


def methods(value: str, given: Given) -> str:
    """Only certain ways of proving who we are are to be gone."""
    words = [word.strip() for word in value.split(",")]
    named = {word.removeprefix("!") for word in words}
    if not named <= KNOWN_METHODS or len({word.startswith("!") for word in words}) > 1:
        return f"write some of {', '.join(sorted(KNOWN_METHODS))}, or each of them after a '!'"
    allowed = KNOWN_METHODS - named if words[0].startswith("!") else named
    others = ", ".join(sorted(METHODS - allowed))
    return others and f"it would also do {others}; have the database ask for nothing else (pg_hba.conf)"


def client_certificate(value: str, given: Given) -> str:
    """Our certificate is to be asked for, or not to be sent."""
    if value == "require":
        return "it does not insist on being asked for its certificate: set that in pg_hba.conf"
    own = os.path.expanduser("~/.postgresql/postgresql.crt")
    return f"it sends {own} to every server that asks: move that file away" if os.path.exists(own) else ""


def authorities(value: str, given: Given) -> str:
    """A file of authorities is to be there, and is not to be the system's own collection."""
    if value == "system" and not by_sockets(given):
        return "it does not know where the authorities of the system are: name their file"
    needed = is_strong(given) and given["sslmode"].startswith("verify")
    return "this file does not exist or cannot be read" if needed and not os.access(value, os.R_OK) else ""


def revocations(value: str, given: Given) -> str:
    """A file of revoked certificates is to be looked at."""
    return "this file does not exist or cannot be read" if is_strong(given) and not os.access(value, os.R_OK) else ""


def checked_name(value: str, given: Given) -> str:
    """The name in the other side's certificate is to be checked, though the way there is given by an address."""
    aside = given.get("hostaddr") and given.get("host") not in (None, given["hostaddr"])
    return "it would check the address instead of the name: remove hostaddr" if aside else ""


def direct_tls(value: str, given: Given) -> str:
    """Encryption is to begin at once."""
    return "" if is_strong(given) or by_sockets(given) else "it needs sslmode=require, verify-ca or verify-full"


def replication(value: str, given: Given) -> str:
    """The connection is to be a replica's."""
    return "a store does not use replication connections: leave it out"


def read_only(value: str, given: Given) -> str:
    """The database is to be one that cannot be written."""
    return "a store has to write: remove it, or use read-write"


def other_secret(value: str, given: Given) -> str:
    """Something else than a password is to prove who we are."""
    return "it knows passwords only: use one"


def newer_protocol(value: str, given: Given) -> str:
    """A version of the protocol after 3.0 is to be spoken."""
    return "it speaks version 3.0: remove it"
