"""From when to when a certificate is valid (RFC 5280, section 4.1).

The standard library tells this of a peer's certificate and of an authority's, but not of a server's own.
"""

import datetime
import re
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

PEM: Final = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)

# Of DER, the encoding: the first byte of a value says what it is.
VERSION: Final = 0xA0
UTC_TIME: Final = 0x17

PARTS_OF_TIME: Final = ((0, 4), (4, 6), (6, 8), (8, 10), (10, 12), (12, 14))
"""Where year, month, day, hour, minute and second stand; `strptime` would look for a module that `become` hides."""


class Certificate(NamedTuple):
    """The dates of one certificate, with their time zone."""

    begins: datetime.datetime
    ends: datetime.datetime


def certificates_of(path: str) -> list[Certificate]:
    """Return the certificates of a PEM file that can be read, in their order. Raises OSError."""
    text = Path(path).read_bytes().decode("ascii", "replace")
    found = []
    for pem in PEM.findall(text):
        try:
            found.append(read_dates(ssl.PEM_cert_to_DER_cert(pem)))
        except (ValueError, IndexError):  # OpenSSL is the one to judge it
            continue
    return found


def read_dates(der: bytes) -> Certificate:
    """Return the dates of a certificate. Raises ValueError or IndexError for what is none."""
    ((_, outer),) = values(der)
    signed = next(values(outer))[1]
    # [version], serial number, algorithm, issuer, validity, ...
    parts = [value for kind, value in values(signed) if kind != VERSION]
    begins, ends = (time_of(kind, value) for kind, value in values(parts[3]))
    return Certificate(begins, ends)


def values(der: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the kind and the content of each value that stands there."""
    at = 0
    while at < len(der):
        kind, size = der[at], der[at + 1]
        at += 2
        if size >= 0x80:  # then it is how many bytes the size has
            count = size - 0x80
            size = int.from_bytes(der[at : at + count], "big")
            at += count
        yield kind, der[at : at + size]
        at += size


def time_of(kind: int, value: bytes) -> datetime.datetime:
    """Return a time: ``YYMMDDHHMMSSZ``, or with all four digits of the year from 2050 on."""
    text = value.decode("ascii")
    if kind == UTC_TIME:
        text = ("19" if text[:2] >= "50" else "20") + text
    year, month, day, hour, minute, second = (int(text[start:end]) for start, end in PARTS_OF_TIME)
    return datetime.datetime(year, month, day, hour, minute, second, tzinfo=datetime.UTC)
