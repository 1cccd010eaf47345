# STATION   a thread without the interpreter that reads from sockets: what the loop's thread asks of one.

from gearfast.server.outlet cimport Outlet
from gearfast.server.round cimport Round

cdef class Station:
    cdef Round round

    # All with the lock.
    cdef bint adopt(self, Outlet member) noexcept nogil          # from now on it reads from this one; False: it cannot
    cdef void dismiss(self, Outlet member) noexcept nogil        # not any more
    cdef void watch(self, Outlet member) noexcept nogil          # what it waits for at its socket has changed
    cdef void nudge(self) noexcept nogil                         # somebody is in its queue, put there by another thread
