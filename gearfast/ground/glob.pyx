"""Patterns of names."""


cdef bint takes(Slice pattern, size_t* at, size_t* endless, unsigned char byte) noexcept nogil:
    """Whether what stands at `at`, no star, fits one byte; `at` is behind it then. From `endless` on no bracket has an end."""
    cdef size_t here = at[0] + 1, start
    cdef unsigned char first, last
    cdef bint inverse = False, found = False
    at[0] = here
    if pattern.data[here - 1] == c"?":
        return True
    if pattern.data[here - 1] != c"[" or here > endless[0]:
        return <unsigned char>pattern.data[here - 1] == byte
    if here < pattern.size and pattern.data[here] == c"!":
        inverse = True
        here += 1
    start = here
    while here < pattern.size and (pattern.data[here] != c"]" or here == start):
        first = last = <unsigned char>pattern.data[here]
        if here + 2 < pattern.size and pattern.data[here + 1] == c"-" and pattern.data[here + 2] != c"]":
            last = <unsigned char>pattern.data[here + 2]
            here += 2
        found = found or first <= byte <= last
        here += 1
    if here >= pattern.size:                       # no end: it is a bracket like any other byte, and so are those behind it
        endless[0] = at[0] - 1
        return byte == c"["
    at[0] = here + 1
    return found != inverse


cdef bint glob_matches(Slice pattern, Slice name) noexcept nogil:
    cdef size_t at = 0, here = 0, behind_star = 0, from_there = 0, endless = pattern.size
    cdef bint star = False
    while here < name.size:
        if at < pattern.size and pattern.data[at] == c"*":
            at += 1
            star = True
            behind_star, from_there = at, here
        elif at < pattern.size and takes(pattern, &at, &endless, <unsigned char>name.data[here]):
            here += 1
        elif star:                                 # the last star takes one byte more: no earlier one has to
            from_there += 1
            at, here = behind_star, from_there
        else:
            return False
    while at < pattern.size and pattern.data[at] == c"*":
        at += 1
    return at == pattern.size


def matches(bytes pattern not None, bytes name not None):
    return bool(glob_matches(Slice(<const char*>pattern, len(pattern)), Slice(<const char*>name, len(name))))
