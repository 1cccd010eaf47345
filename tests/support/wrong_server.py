"""A job server that answers every job with the handle of another: the benchmarks must notice."""

from __future__ import annotations

import re
import socketserver
import sys

from tests.support import wire


class Peer(socketserver.StreamRequestHandler):
    """One connection."""

    def handle(self) -> None:
        """Answer each job with the same handle."""
        while head := self.rfile.read(wire.HEADER.size):
            _, kind, size = wire.HEADER.unpack(head)
            body = self.rfile.read(size)
            if kind == wire.SUBMIT_JOB_BG:
                self.wfile.write(wire.raw(wire.RES, wire.JOB_CREATED, b"H:wrong:1"))
            elif kind == wire.ECHO_REQ:
                self.wfile.write(wire.raw(wire.RES, wire.ECHO_RES, body))


class Server(socketserver.ThreadingTCPServer):
    """All connections, a thread each."""

    allow_reuse_address = True
    daemon_threads = True


if __name__ == "__main__":
    found = re.search(r"--port=(\d+)", " ".join(sys.argv))
    assert found is not None
    with Server(("127.0.0.1", int(found[1])), Peer) as server:
        server.serve_forever()
