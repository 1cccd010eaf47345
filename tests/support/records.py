"""What stands in the `more` of a stored job: the fields of its versions 1 and 2, as the room `record` tells of them."""

from __future__ import annotations

REDUCER, POLICY, SUBMITTED, STARTED, FAILED, ERROR, STATE, FIRED, RUN = range(1, 10)
DEAD, ENDED, SCHEDULED = b"\5", b"\6", b"\7"


def size(value: int) -> bytes:
    """As version 2 writes it."""
    low, high = value & 0x7F, value >> 7
    return bytes((low | 0x80,)) + size(high) if high else bytes((low,))


def field(tag: int, value: bytes) -> bytes:
    """One, in version 2."""
    return bytes((tag,)) + size(len(value)) + value


def moment(when: float) -> bytes:
    """As seconds since 1970 are kept: in microseconds."""
    return round(when * 1e6).to_bytes(8, "little")


def seconds(value: bytes) -> float:
    """And back."""
    return int.from_bytes(value, "little") / 1e6


def fields(more: bytes) -> list[tuple[int, bytes]]:
    """All of them, as they come."""
    found: list[tuple[int, bytes]] = []
    version, at = more[:1], 1
    while at < len(more):
        tag, length, shift = more[at], 0, 0
        at += 1
        while True:
            length |= (more[at] & (0x7F if version == b"\2" else 0xFF)) << shift
            at, shift = at + 1, shift + 7
            if version == b"\1" or not more[at - 1] & 0x80:
                break
        found.append((tag, more[at : at + length]))
        at += length
    return found
