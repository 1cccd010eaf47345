# PEN   writes requests as programs do that know the protocol, and knows its own hand again.

from libc.stdint cimport uint64_t

from gearfast.ground.slice cimport Slice

from tests.fuzz.buffer cimport Buffer
from tests.fuzz.script cimport Cell

cdef enum:
    HANDLE_ROOM = 32

# Payloads are a pattern that tells what they belong to.
cdef unsigned char seed_of(Slice function) noexcept nogil
cdef bint is_pattern(Slice payload, unsigned char seed) noexcept nogil

cdef Slice handle_of(uint64_t number, char* room) noexcept nogil
cdef uint64_t number_of(Slice handle) noexcept nogil     # 0: it is none of this server's

cdef void write_submit(Buffer* out, const Cell* cell, double wall) noexcept nogil
cdef void write_ability(Buffer* out, const Cell* cell) noexcept nogil
cdef void write_grab(Buffer* out, const Cell* cell) noexcept nogil
cdef void write_report(Buffer* out, int kind, uint64_t number, size_t size) noexcept nogil
cdef void write_status(Buffer* out, const Cell* cell, uint64_t number) noexcept nogil
cdef void write_little(Buffer* out, const Cell* cell) noexcept nogil
cdef void write_echo(Buffer* out, const Cell* cell) noexcept nogil
cdef void write_line(Buffer* out, const Cell* cell, uint64_t number) noexcept nogil
# Of any type, as well formed as its bytes happen to be; and a header alone that announces more than follows.
cdef void write_odd(Buffer* out, const Cell* cell) noexcept nogil
cdef void write_header(Buffer* out, const Cell* cell) noexcept nogil
