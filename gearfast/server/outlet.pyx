"""The way out of a session."""


cdef class Outlet:
    cdef void ready(self) noexcept:
        pass

    cdef size_t send_along(self, Slice rest) noexcept:
        return 0

    def close(self):
        """Close the connection at once."""
