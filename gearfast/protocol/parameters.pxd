# PARAMETERS   what a client asks for behind a function's name: `name;key=value;key=value`.
#
# Any client can: its library sends a name, and knows nothing of this.

cimport cython
from libc.stdint cimport uint8_t, uint16_t, uint32_t

from gearfast.ground.slice cimport Slice

cdef enum Given:              # of which keys there was one
    DELAY = 1
    AT = 2
    PRIORITY = 4

cdef struct Parameters:
    uint32_t given            # Given, several of them
    double delay              # seconds
    double at                 # seconds since 1970
    uint8_t priority          # as a job's

cdef enum Wrong:
    NOT_A_PAIR = 0            # it is not written key=value
    UNKNOWN_KEY = 1
    BAD_VALUE = 2
    TWICE = 3
    TOGETHER = 4              # with another key that says something else

cdef struct Mistake:          # the first one in a text
    Wrong kind
    Slice key
    Slice value
    const char* allowed       # what may stand there, in words; what it cannot stand together with

cdef bint parameters_read(Slice text, Parameters* parameters, Mistake* mistake) noexcept nogil    # False: there is one

cdef str what_is_wrong(const Mistake* mistake)          # in words

cdef enum:
    SLOTS = 64
    SLOT_SIZE = 96            # bytes of a text that is remembered

cdef struct Remembered:
    uint16_t size             # 0: nothing
    char text[SLOT_SIZE]
    Parameters parameters

@cython.final
cdef class ParameterTexts:    # which were read lately: programs submit with the same ones again and again
    cdef Remembered slots[SLOTS]

    # NULL: there is a mistake. What is returned holds until the next one is read.
    cdef const Parameters* read(self, Slice text, Mistake* mistake) noexcept nogil
