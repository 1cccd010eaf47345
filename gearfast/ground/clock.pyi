"""The time. All of the house asks this one: two clocks may differ by as long as the machine has slept.

(Python's ``time.monotonic`` stands still meanwhile on macOS, and what the event loop counts by on others.)
"""

def monotonic() -> float:
    """Seconds that only go forward."""

def wall() -> float:
    """Seconds since 1970."""
