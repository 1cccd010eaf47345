"""A job as a store keeps it."""

def tells_the_past_only(more: bytes) -> bool:
    """Whether ``more`` is times and an error at the most. A reducer, a policy and a grave cannot be left out."""
