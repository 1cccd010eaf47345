# HOLD   what the buffers of peers hold, so that the largest can be found when memory runs short.
#
# Every peer has a buffer for the packet that has not come whole, and one for what it has yet to read. Only a change of
# a buffer's size is told here, never a packet.

from gearfast.ground.ring cimport Ring

cdef enum Holding:
    PACKETS = 0                   # a packet of which more is to come
    ANSWERS = 1                   # what a peer has yet to read
    HOLDINGS = 2

cdef enum:
    MUCH = 65536                  # bytes from which on a buffer is worth being taken away

cdef struct Hold:                 # of one buffer
    Ring place                    # among those that hold much
    void* holder                  # whose it is; NULL: nobody's that could be cut off
    size_t size                   # bytes
    Holding kind

cdef struct Holds:                # of all buffers of the process
    Ring much
    size_t size[HOLDINGS]

cdef Holds* all_holds() noexcept nogil
cdef void hold_open(Hold* hold, Holding kind) noexcept nogil
cdef void hold_set(Hold* hold, size_t size) noexcept nogil       # 0: it is given back
