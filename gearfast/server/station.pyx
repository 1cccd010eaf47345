"""A thread that reads from sockets, as others see it."""


cdef class Station:
    cdef bint adopt(self, Outlet member) noexcept nogil:
        return False

    cdef void dismiss(self, Outlet member) noexcept nogil:
        pass

    cdef void watch(self, Outlet member) noexcept nogil:
        pass

    cdef void nudge(self) noexcept nogil:
        pass
