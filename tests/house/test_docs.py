"""The packet table of docs/protocol.md is the server's own."""

import re

from gearfast.protocol.packet import PacketType
from tests.support.peers import PROJECT, start_gearfast
from tests.support.wire import Connection, request

LINES = (PROJECT / "docs" / "protocol.md").read_text().splitlines()
ROWS = [[cell.strip() for cell in line.split("|")[1:5]] for line in LINES if re.match(r"\| \d+ \|", line)]


def test_table_names_every_type() -> None:
    """Each type from 1 to 42 has its row, under the name the code knows it by."""
    assert {int(number): name for number, name, _, _ in ROWS} == {
        kind.value: kind.name for kind in PacketType if kind != PacketType.TEXT
    }


def test_types_said_to_be_refused_are_refused() -> None:
    """A row says INVALID_COMMAND just when the server does."""
    with start_gearfast() as server, Connection(server.host, server.port) as peer:
        for number, name, _, answer in ROWS:
            peer.send(request(int(number), *["x"] * 8))
            refused = b"INVALID_COMMAND" in peer.sync()
            assert refused == ("INVALID_COMMAND" in answer), name
