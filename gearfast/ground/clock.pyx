"""The time for Python, from where the compiled rooms have it."""


def monotonic():
    return monotonic_time()


def wall():
    return wall_time()
