# TRAIL   the last job that one worker was given of each (client, function): the next one must be a later one.

from libc.stdint cimport uint64_t
from libc.stdlib cimport calloc, free

cdef struct Step:
    uint64_t key            # client and function, + 1; 0: the place is free
    uint64_t last           # the sequence number of the job

cdef struct Trail:
    Step* steps             # open addressing, linear probing
    size_t count
    size_t room             # a power of two

cdef inline void trail_close(Trail* trail) noexcept nogil:
    free(trail.steps)
    trail[0] = Trail(NULL, 0, 0)

cdef inline Step* step_of(Trail* trail, uint64_t key) noexcept nogil:
    """The place of a key, or the free place where it would stand."""
    cdef size_t at = ((key * <uint64_t>0x9E3779B97F4A7C15) >> 32) & (trail.room - 1)
    while trail.steps[at].key != 0 and trail.steps[at].key != key:
        at = (at + 1) & (trail.room - 1)
    return &trail.steps[at]

cdef inline bint trail_grow(Trail* trail) noexcept nogil:
    cdef Trail larger
    cdef size_t at
    larger.count = trail.count
    larger.room = trail.room * 2 if trail.room > 0 else 16
    larger.steps = <Step*>calloc(larger.room, sizeof(Step))
    if larger.steps == NULL:
        return False
    for at in range(trail.room):
        if trail.steps[at].key != 0:
            step_of(&larger, trail.steps[at].key)[0] = trail.steps[at]
    free(trail.steps)
    trail[0] = larger
    return True

cdef inline int go_on(Trail* trail, uint64_t key, uint64_t sequence, uint64_t* before) noexcept nogil:
    """Return 0 when the job is later than the last of its key, 1 when not (`before` is that), -1 without memory."""
    cdef Step* step
    if trail.count * 2 >= trail.room and not trail_grow(trail):
        return -1
    step = step_of(trail, key + 1)
    if step.key == 0:
        step.key = key + 1
        trail.count += 1
    elif sequence <= step.last:
        before[0] = step.last
        return 1
    step.last = sequence
    return 0
