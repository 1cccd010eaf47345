"""Job handles: made, written and read (protocol section 3.1)."""

from libc.string cimport memcmp, memcpy

from gearfast.ground.lock cimport lock_enter, lock_leave

from gearfast.config import HANDLE_PREFIX_SIZE


cdef size_t write_digits(uint64_t number, char* out) noexcept nogil:
    cdef char digits[20]
    cdef int at = 20
    while True:
        at -= 1
        digits[at] = <char>(c"0" + number % 10)
        number //= 10
        if number == 0:
            memcpy(out, digits + at, 20 - at)
            return 20 - at


cdef class Handles:
    def __cinit__(self, bytes prefix not None):
        if len(prefix) > HANDLE_PREFIX_SIZE:
            raise ValueError(f"a job handle prefix has at most {HANDLE_PREFIX_SIZE} bytes, not {len(prefix)}")
        self.prefix = prefix
        self.start_size = len(prefix) + 1
        memcpy(self.text, <const char*>prefix, len(prefix))
        self.text[len(prefix)] = c":"
        self.size = self.start_size + write_digits(0, self.text + self.start_size)
        self.spelled = self.last = 0
        self.ceiling = <uint64_t>-1

    cdef Slice spell(self, uint64_t number) noexcept nogil:
        if number == self.spelled + 1 and self.text[self.size - 1] != c"9":
            self.text[self.size - 1] += 1          # most often it is the next
        elif number != self.spelled:
            self.size = self.start_size + write_digits(number, self.text + self.start_size)
        self.spelled = number
        return Slice(&self.text[0], self.size)

    cdef uint64_t parse(self, const char* handle, size_t size) noexcept nogil:
        cdef uint64_t number = 0
        cdef size_t at
        cdef unsigned int digit
        if size <= self.start_size or size > self.start_size + 19:
            return 0
        if memcmp(handle, self.text, self.start_size) != 0 or handle[self.start_size] == c"0":
            return 0                       # "H:x:01" is not how we write 1
        for at in range(self.start_size, size):
            digit = <unsigned int>(<unsigned char>handle[at]) - c"0"
            if digit > 9:
                return 0
            number = number * 10 + digit
        return number

    def format(self, number: int) -> bytes:
        cdef uint64_t which = number
        cdef Slice text
        lock_enter()
        try:
            text = self.spell(which)
            return text.data[:text.size]
        finally:
            lock_leave()

    def number(self, bytes handle not None) -> int:
        return self.parse(handle, len(handle))
