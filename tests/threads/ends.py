"""Jobs whose clients and workers are at different threads: `python -m tests.threads.ends 1000000`.

The connections change their threads at random all the while. The load generator believes nothing: whose answer it is,
in which order, what it says, and that it comes exactly once.
"""

from __future__ import annotations

import sys
from typing import NamedTuple

from tests.support.loading import load
from tests.support.peers import start_gearfast, until

THREADS, SHUFFLE = 4, 0.003
CLIENTS = WORKERS = 8
FUNCTIONS = 4


class Ends(NamedTuple):
    """What came of them."""

    jobs: int
    seconds: float


def ends(jobs: int) -> Ends:
    """Play so many foreground jobs: small ones, such with a unique id, and a few large ones."""
    done, seconds = 0, 0.0
    with start_gearfast(f"--io-threads={THREADS}", f"--io-shuffle={SHUFFLE}") as server:
        for payload, unique, share in ((64, 0, 60), (200, 32, 39), (40_000, 0, 1)):
            peers = load(server.port)
            peers.clients(CLIENTS, in_flight=32, foreground=True, payload=payload, unique=unique, functions=FUNCTIONS)
            peers.workers(WORKERS, functions=FUNCTIONS)
            outcome = peers.run(jobs * share // 100)
            peers.hang_up()
            done, seconds = done + outcome.jobs, seconds + outcome.seconds
        with server.connect() as looks:
            until(lambda: all(row.endswith("\t0\t0\t0") for row in looks.table("status")), "nothing is left")
    return Ends(done, seconds)


if __name__ == "__main__":
    came = ends(int(sys.argv[1]))
    print(f"{came.jobs} jobs, each ended once and in its order, in {came.seconds:.1f} s")
