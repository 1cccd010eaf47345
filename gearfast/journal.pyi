"""What the store has yet to be told; there is nothing here for Python but the class (see journal.pxd)."""

from typing_extensions import disjoint_base

@disjoint_base
class Journal:
    """Jobs to keep and jobs to forget, in the order in which they came."""

    busy: bool
    """A batch is being written."""
