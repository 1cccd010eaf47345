"""The door: how many connections there may be, and who may still look when the limit is reached."""

import ipaddress
import resource
import socket
import struct
import sys
from collections.abc import Mapping
from contextlib import suppress
from enum import Enum
from typing import Final

from gearfast.config import DESCRIPTORS_KEPT, VISIT, VISITORS, Config
from gearfast.ground.clock import monotonic
from gearfast.protocol.packet import PacketType
from gearfast.server.transport import Transport
from gearfast.server.visitor import CODE, QUESTIONS, REASON

SCRAP: Final = 16 * 1024
"""Bytes read from whoever is turned away: what stays unread would cost the peer our answer."""
HEADER: Final = struct.Struct(">4sII")
ASKED: Final = {(b"\0REQ", kind) for kind in QUESTIONS}
BODY: Final = CODE + b"\0" + REASON
REFUSAL: Final = HEADER.pack(b"\0RES", PacketType.ERROR, len(BODY)) + BODY


class Origin(Enum):
    """Where a peer comes from: each has visitors of its own, so that a crowd from elsewhere locks nobody out here."""

    SOCKET = "a Unix socket"
    HERE = "this machine"
    ELSEWHERE = "another machine"


def origin_of(connection: socket.socket) -> Origin:
    """Return where the peer is; for one that is gone already, anywhere."""
    if connection.family == socket.AF_UNIX:
        return Origin.SOCKET
    with suppress(OSError, ValueError):
        peer, own = connection.getpeername()[0], connection.getsockname()[0]
        address = ipaddress.ip_address(peer)
        if peer == own or (getattr(address, "ipv4_mapped", None) or address).is_loopback:
            return Origin.HERE
    return Origin.ELSEWHERE


def first_kept_descriptor() -> int:
    """Return the number from which on descriptors are kept for visitors, files and stores."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft - min(DESCRIPTORS_KEPT, soft // 4)


class Door:
    """Counts the connections of a server, and keeps some room beyond its limits for visitors.

    A visitor may send admin lines only, so that somebody can look, and cancel, at any time. It may stay until another
    one needs its place, and then for as long as ``config.VISIT`` says. Nothing here takes longer when there are more
    connections.
    """

    def __init__(self, config: Config, sessions: Mapping[int, object]) -> None:
        """``sessions``: those that have not ended, by serial number."""
        self.most = config.max_connections or sys.maxsize
        self.most_of_address = config.max_connections_per_address or sys.maxsize
        self.sessions = sessions
        self.count = 0
        self.of_address: dict[bytes, int] = {}
        self.visitors: dict[Origin, dict[Transport, float]] = {origin: {} for origin in Origin}  # the first come first
        self.first_kept = first_kept_descriptor()

    def full(self, address: bytes, descriptor: int) -> str:
        """Return why there is no room for one more, to be logged; empty: there is."""
        if self.count >= self.most:
            return f"{self.count} connections are open, as many as --max-connections allows"
        if self.of_address.get(address, 0) >= self.most_of_address:
            return f"it has {self.most_of_address} connections, as many as --max-connections-per-address allows"
        # A new descriptor gets the lowest number that is free, so this one's says how many are in use.
        if descriptor >= self.first_kept:
            self.first_kept = first_kept_descriptor()  # it may be raised while we run: prlimit
            if descriptor >= self.first_kept:
                return f"{descriptor} descriptors are in use. Raise --file-descriptors (or ulimit -n)"
        return ""

    def entered(self, transport: Transport) -> None:
        """Count a connection, until it has left."""
        address = transport.session.address
        self.count += 1
        self.of_address[address] = self.of_address.get(address, 0) + 1
        transport.door = self

    def visited(self, transport: Transport, origin: Origin) -> None:
        """Remember a visitor, until it has left. There has to be a place for it."""
        self.visitors[origin][transport] = monotonic()
        transport.door = self

    def has_place(self, origin: Origin) -> bool:
        """Return whether there is a place for a visitor, if need be that of one whose time is over."""
        visitors = self.visitors[origin]
        if len(visitors) < VISITORS:
            return True
        over = monotonic() - VISIT
        for visitor, since in visitors.items():
            if since <= over or visitor.session.serial not in self.sessions:
                visitor.abort()
                return True
        return False

    def left(self, transport: Transport) -> None:
        """Somebody has gone, and its descriptor is free."""
        if any(visitors.pop(transport, None) for visitors in self.visitors.values()):
            return
        address = transport.session.address
        self.count -= 1
        others = self.of_address.pop(address) - 1
        if others:
            self.of_address[address] = others


def turn_away(connection: socket.socket, *, in_plain: bool) -> None:
    """Close a connection that there is no room for; it is told why if it has asked something already, in plain text."""
    with connection, suppress(OSError):
        began = connection.recv(SCRAP)
        if in_plain and len(began) >= HEADER.size and HEADER.unpack_from(began)[:2] in ASKED:
            connection.send(REFUSAL)
