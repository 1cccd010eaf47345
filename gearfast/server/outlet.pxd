# OUTLET   the way out of a session: a transport is one.

from gearfast.ground.slice cimport Slice

cdef class Outlet:
    cdef void ready(self) noexcept nogil        # something waits to be sent, or to be gone on with
    # Send what waits and `rest` behind it, if that can be done now. Returns how much of `rest` is gone, or will be when the
    # packet has been handled.
    cdef size_t send_along(self, Slice rest) noexcept nogil
    # The packet has been handled that has put that off (Round.late): send it.
    cdef void send_late(self) noexcept nogil
    # Its session is needed by one more (1) or less (-1) that lets the lock go: it stays meanwhile.
    cdef void stay(self, int more) noexcept nogil
