# OUTLET   the way out of a session: a transport is one.

from gearfast.ground.slice cimport Slice

cdef class Outlet:
    cdef void ready(self) noexcept nogil        # something waits to be sent, or to be gone on with
    # Send what waits and `rest` behind it, if that can be done now. Returns how much of `rest` is gone.
    cdef size_t send_along(self, Slice rest) noexcept nogil
