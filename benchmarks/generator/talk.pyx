"""What all protocols have in common: nothing but the words of the load."""


cdef class Talk:
    cdef ssize_t next(self, const char* data, size_t size, Answer* answer) except -1 nogil:
        return 0

    cdef int submit(self, Pipe* pipe, const Plan* plan, const Order* order) except -1 nogil:
        return 0

    cdef int register(self, Pipe* pipe, const Name* function) except -1 nogil:
        return 0

    cdef int grab(self, Pipe* pipe) except -1 nogil:
        return 0

    cdef int sleep(self, Pipe* pipe) except -1 nogil:
        return 0

    cdef int complete(self, Pipe* pipe, const Answer* job, ssize_t result) except -1 nogil:
        return 0

    cdef int echo(self, Pipe* pipe, uint64_t token) except -1 nogil:
        return 0

    cdef bint is_echo(self, const Answer* answer, uint64_t token) noexcept nogil:
        return False
