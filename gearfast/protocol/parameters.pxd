# PARAMETERS   what a client asks for behind a function's name: `name;key=value;key=value`.
#
# Any client can: its library sends a name, and knows nothing of this.

cimport cython
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

from gearfast.ground.slice cimport Slice

cdef enum Given:              # of which keys there was one
    DELAY = 1
    AT = 2
    PRIORITY = 4
    RETRIES = 8
    BACKOFF = 16
    TIMEOUT = 32
    TTL = 64
    UNIQUE_TTL = 128
    DUPLICATE = 256
    GRACEFUL = 512
    CRON = 1024
    TZ = 2048
    OVERLAP = 4096
    CATCHUP = 8192
    DEAD_LETTER_MAX = 16384
    DEAD_LETTER_BYTES = 32768

cdef enum:
    ANY_KEY = 65535
    OF_FUNCTION = DEAD_LETTER_MAX | DEAD_LETTER_BYTES
    OF_SCHEDULE = TZ | OVERLAP | CATCHUP
    FOR_JOB = ANY_KEY & ~OF_FUNCTION                  # what may be asked for one job
    FOR_FUNCTION = ANY_KEY & ~(AT | CRON)             # for all jobs of a function
    FOR_CLIENT = PRIORITY | TIMEOUT | TTL | UNIQUE_TTL          # for a job that a client waits for
    LASTING = FOR_JOB & ~(DELAY | AT | PRIORITY)      # what is asked of the job for all its life

cdef struct Backoff:          # how long a job waits before it is tried again, in seconds
    double first
    double most               # it doubles with each try up to this; 0: it stays the same
    bint jitter               # a random part of it, from a half on

cdef struct Parameters:
    uint32_t given            # Given, several of them
    double delay              # seconds
    double at                 # seconds since 1970
    double timeout            # seconds that a worker may have it
    double ttl                # seconds that it may wait for a worker
    double unique_ttl         # seconds that its unique id stays taken when it has ended
    Backoff backoff
    uint8_t priority          # as a job's
    uint16_t retries          # tries after the first one
    bint replaces             # a job with the same unique id that waits
    bint free                 # what a worker hands back in order is no try
    bint queues               # a schedule's next run though the last one has not ended
    bint once                 # what a schedule missed while the server was down is made up for
    Slice cron                # as they were given
    Slice tz
    uint64_t dead_most        # dead letters of a function
    uint64_t dead_bytes

cdef enum Wrong:
    NOT_A_PAIR = 0            # it is not written key=value
    UNKNOWN_KEY = 1
    BAD_VALUE = 2
    TWICE = 3
    TOGETHER = 4              # with another key that says something else
    TOO_LONG = 5
    NOT_HERE = 6              # it is no key for a single job, or none for all jobs of a function
    ALONE = 7                 # without another key that it belongs to

cdef struct Mistake:          # the first one in a text
    Wrong kind
    Slice key
    Slice value
    const char* allowed       # what may stand there, in words; what it cannot stand together with, or without

# `allowed`: Given, several of them. What is read points into the text. False: there is a mistake.
cdef bint parameters_read(Slice text, uint32_t allowed, Parameters* parameters, Mistake* mistake) noexcept nogil

# What `with_these` says, over what was said before.
cdef void parameters_merge(Parameters* parameters, const Parameters* with_these) noexcept nogil

cdef const char* key_name(uint32_t given) noexcept nogil                     # of one of these
cdef str what_is_wrong(const Mistake* mistake, bint for_function=*)          # in words

cdef enum:
    SLOTS = 64
    MAX_TEXT = 255            # bytes of what is asked for one job

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
