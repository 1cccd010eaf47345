"""Job handles: made, written and read (protocol section 3.1)."""

from libc.string cimport memcmp, memcpy

from gearfast.config import HANDLE_PREFIX_SIZE


cdef class Handles:
    def __cinit__(self, bytes prefix not None):
        if len(prefix) > HANDLE_PREFIX_SIZE:
            raise ValueError(f"a job handle prefix has at most {HANDLE_PREFIX_SIZE} bytes, not {len(prefix)}")
        self.prefix = prefix
        self.start_size = len(prefix) + 1
        memcpy(self.start, <const char*>prefix, len(prefix))
        self.start[len(prefix)] = c":"
        self.last = 0

    cdef uint64_t take(self) noexcept:
        self.last += 1
        return self.last

    cdef size_t write(self, uint64_t number, char* out) noexcept nogil:
        cdef char digits[20]
        cdef int at = 20
        memcpy(out, self.start, self.start_size)
        while True:
            at -= 1
            digits[at] = <char>(c"0" + number % 10)
            number //= 10
            if number == 0:
                break
        memcpy(out + self.start_size, digits + at, 20 - at)
        return self.start_size + 20 - at

    cdef uint64_t parse(self, const char* handle, size_t size) noexcept nogil:
        cdef uint64_t number = 0
        cdef size_t at
        cdef unsigned int digit
        if size <= self.start_size or size > self.start_size + 19:
            return 0
        if memcmp(handle, self.start, self.start_size) != 0 or handle[self.start_size] == c"0":
            return 0                       # "H:x:01" is not how we write 1
        for at in range(self.start_size, size):
            digit = <unsigned int>(<unsigned char>handle[at]) - c"0"
            if digit > 9:
                return 0
            number = number * 10 + digit
        return number

    def format(self, number: int) -> bytes:
        cdef char out[HANDLE_ROOM]
        cdef size_t size = self.write(number, out)
        return out[:size]

    def number(self, bytes handle not None) -> int:
        return self.parse(handle, len(handle))
