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
    RETRIES = 8
    BACKOFF = 16
    TIMEOUT = 32

cdef enum:
    LASTING = RETRIES | BACKOFF | TIMEOUT     # what is asked of the job for all its life

cdef struct Backoff:          # how long a job waits before it is tried again, in seconds
    double first
    double most               # it doubles with each try up to this
    bint jitter               # a random part of it, from a half on

cdef struct Parameters:
    uint32_t given            # Given, several of them
    double delay              # seconds
    double at                 # seconds since 1970
    uint8_t priority          # as a job's
    uint16_t retries          # tries after the first one
    Backoff backoff
    double timeout            # seconds that a worker may have it

cdef enum Wrong:
    NOT_A_PAIR = 0            # it is not written key=value
    UNKNOWN_KEY = 1
    BAD_VALUE = 2
    TWICE = 3
    TOGETHER = 4              # with another key that says something else
    TOO_LONG = 5

cdef struct Mistake:          # the first one in a text
    Wrong kind
    Slice key
    Slice value
    const char* allowed       # what may stand there, in words; what it cannot stand together with

cdef bint parameters_read(Slice text, Parameters* parameters, Mistake* mistake) noexcept nogil    # False: there is one

cdef str what_is_wrong(const Mistake* mistake)          # in words

cdef enum:
    SLOTS = 64
    MAX_TEXT = 255            # bytes of parameters

cdef struct Remembered:
    uint16_t size             # 0: nothing
    uint16_t lasting          # bytes of what lasts, behind the text
    char text[2 * MAX_TEXT]
    Parameters parameters

@cython.final
cdef class ParameterTexts:    # which were read lately: programs submit with the same ones again and again
    cdef Remembered slots[SLOTS]

    # NULL: there is a mistake. What is returned holds until the next one is read.
    cdef const Remembered* read(self, Slice text, Mistake* mistake) noexcept nogil

# Those keys of a text that are asked of the job for all its life, as they were given.
cdef inline Slice lasting(const Remembered* found) noexcept nogil:
    return Slice(&found.text[found.size], found.lasting)
