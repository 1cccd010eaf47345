"""A job as a store keeps it."""

def tells_the_past_only(more: bytes) -> bool:
    """Whether ``more`` is times and an error at the most. A reducer, a policy and a state cannot be left out."""

def state_of(more: bytes) -> str:
    """What it is: ``job``, ``buried``, ``ended`` (its unique id stays taken) or ``schedule``; or ``unreadable``."""

def run_of(more: bytes) -> int:
    """Return the number of the last job that came of a schedule; 0: none has, or it is no schedule."""

def with_run(more: bytes, number: int) -> bytes:
    """Return the record of a schedule with another number of its last job; 0 for none. All else is as it was."""
