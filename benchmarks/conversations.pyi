"""What a connection says and is answered, without its socket: bytes in, bytes out, through all rooms of the server."""

from benchmarks.rooms import Benchmark

CONVERSATIONS: dict[str, Benchmark]
