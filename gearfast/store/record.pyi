"""A job as a store keeps it."""

def tells_the_past_only(more: bytes) -> bool:
    """Whether ``more`` is times and an error at the most. A reducer, a policy and a state cannot be left out."""

def state_of(more: bytes) -> str:
    """What it is: ``job``, ``buried``, ``ended`` (its unique id stays taken) or ``schedule``; or ``unreadable``."""
