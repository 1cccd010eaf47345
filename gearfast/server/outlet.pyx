"""The way out of a session."""


cdef class Outlet:
    cdef void ready(self) noexcept nogil:
        pass

    cdef size_t send_along(self, Slice rest) noexcept nogil:
        return 0

    cdef void send_late(self) noexcept nogil:
        pass

    cdef void stay(self, int more) noexcept nogil:
        pass

    def abort(self):
        """Close the connection at once."""
