"""Functions, jobs, and what a worker can do, a slice at a time (protocol section 4.2).

It is used from Cython by ``cimport`` (see ``listing.pxd``), and seen from Python as
`gearfast.broker.broker.Broker.scan_functions` and ``scan_jobs``, and `gearfast.broker.peer.Peer.each_ability`.
"""

from collections.abc import Iterator

from typing_extensions import disjoint_base

@disjoint_base
class Abilities(Iterator[bytes]):
    """The names of a worker's functions."""

    def __iter__(self) -> Iterator[bytes]: ...
    def __next__(self) -> bytes: ...
