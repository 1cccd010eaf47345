"""What was found to be wrong; and, for who wants to read it, what happens at all."""

cdef str first = None
telling = False


cdef void complain(str text) noexcept:
    global first
    tell(f"WRONG: {text}")
    if first is None:
        first = text


cdef bint complained() noexcept:
    return first is not None


cdef void tell(str text) noexcept:
    if telling:
        print(text)


def say(str text not None):
    """As the rooms do, for what Python is told: a line of the log, an exception that nobody handles."""
    complain(text)


def take():
    """Return what was found, or None, and forget it."""
    global first
    found, first = first, None
    return found


def tell_all(bint on):
    """Print from now on what happens."""
    global telling
    telling = on
