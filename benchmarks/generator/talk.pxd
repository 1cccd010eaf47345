# TALK   what is said on the wire: requests into a pipe, answers out of its bytes, one at a time.
#
# A talk knows one protocol and no job: whether an answer is the right one is the matter of the rooms above.

from libc.stdint cimport int64_t, uint32_t, uint64_t

from benchmarks.generator.ledger cimport Name
from benchmarks.generator.pipe cimport Pipe

cpdef enum Told:
    UNFINISHED = 0          # the answer has not come whole
    CREATED = 1             # handle
    ASSIGNED = 2            # handle, function (NULL: the protocol has none), body
    COMPLETED = 3           # handle, body
    AWAKE = 4               # NOOP
    EMPTY = 5               # NO_JOB
    ECHOED = 6              # body
    DELETED = 7

cdef struct Answer:
    int told
    uint64_t handle         # the number in it
    const char* label       # all of it
    size_t label_size
    const char* function
    size_t function_size
    const char* body
    size_t body_size
    size_t needed           # UNFINISHED: this many bytes are needed, more than there are

# How a group of clients submits.
cdef struct Plan:
    bint foreground
    size_t payload
    int unique
    int delay
    int functions

# One job of theirs.
cdef struct Order:
    const Name* function
    uint64_t number
    uint64_t ordinal        # different for each job, whoever submits it
    int64_t when            # UNIX time at which it is due; 0: at once

cdef class Talk:
    cdef bint grabs_are_answered        # whether taking from an empty queue is answered at once, or when there is a job
    cdef const char* pattern
    cdef size_t largest                 # no answer is longer

    # The bytes that the next answer takes; 0 when it has not come whole. Raises WrongAnswer.
    cdef ssize_t next(self, const char* data, size_t size, Answer* answer) except -1 nogil
    cdef int submit(self, Pipe* pipe, const Plan* plan, const Order* order) except -1 nogil
    cdef int register(self, Pipe* pipe, const Name* function) except -1 nogil
    cdef int grab(self, Pipe* pipe) except -1 nogil
    cdef int sleep(self, Pipe* pipe) except -1 nogil
    # The job of an ASSIGNED is done, with a result of `result` bytes (-1: its payload).
    cdef int complete(self, Pipe* pipe, const Answer* job, ssize_t result) except -1 nogil
    # Ask for an ECHOED that carries the token.
    cdef int echo(self, Pipe* pipe, uint64_t token) except -1 nogil
    cdef bint is_echo(self, const Answer* answer, uint64_t token) noexcept nogil

cdef inline char* put_digits(char* at, uint64_t number) noexcept nogil:
    cdef char digits[20]
    cdef int count = 0
    while True:
        digits[count] = <char>(48 + number % 10)
        number //= 10
        count += 1
        if number == 0:
            break
    while count > 0:
        count -= 1
        at[0] = digits[count]
        at += 1
    return at

# A number of at most 18 digits and nothing else; -1 otherwise.
cdef inline int64_t read_digits(const char* at, size_t size) noexcept nogil:
    cdef int64_t number = 0
    cdef size_t i
    if size == 0 or size > 18:
        return -1
    for i in range(size):
        if at[i] < 48 or at[i] > 57:
            return -1
        number = number * 10 + (at[i] - 48)
    return number
