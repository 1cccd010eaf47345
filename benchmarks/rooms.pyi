"""Each room of the server by itself: one operation, many times, inside this process."""

class UnexpectedError(AssertionError):
    """A room did not do what the benchmark asked of it; the figure would mean nothing."""

class Benchmark:
    """One operation of a room."""

    def play(self, n: int) -> int:
        """Prepare, do it n times (a multiple of 100), and return how many nanoseconds those took."""

ROOMS: dict[str, Benchmark]
