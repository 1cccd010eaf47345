"""Job handles: made, written and read (protocol section 3.1)."""

from libc.string cimport memcmp, memcpy

from gearfast.config import HANDLE_PREFIX_SIZE


cdef char PAIRS[200]      # "00" to "99": two digits of a number at a time

for _pair in range(100):
    PAIRS[2 * _pair] = <char>(c"0" + <int>_pair // 10)
    PAIRS[2 * _pair + 1] = <char>(c"0" + <int>_pair % 10)
del _pair


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
        while number >= 10:
            at -= 2
            memcpy(digits + at, PAIRS + 2 * (number % 100), 2)
            number //= 100
        if number > 0 or at == 20:
            at -= 1
            digits[at] = <char>(c"0" + number)
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
