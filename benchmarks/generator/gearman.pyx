"""Gearman packets, as far as a load needs them."""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memchr, memcmp, memcpy, memset

from benchmarks.generator.ledger cimport Name
from benchmarks.generator.pipe cimport Pipe, pipe_place, pipe_wrote
from benchmarks.generator.talk cimport (
    ASSIGNED, AWAKE, COMPLETED, CREATED, ECHOED, EMPTY, UNFINISHED, Answer, Order, Plan, Talk, put_digits, read_digits
)

from benchmarks.errors import WrongAnswer

cdef extern from "arpa/inet.h" nogil:
    uint32_t ntohl(uint32_t)
    uint32_t htonl(uint32_t)

cdef extern from *:
    void* memrchr(const void*, int, size_t) noexcept nogil

cdef enum:
    HEADER = 12
    CAN_DO = 1
    PRE_SLEEP = 4
    NOOP = 6
    SUBMIT_JOB = 7
    JOB_CREATED = 8
    GRAB_JOB = 9
    NO_JOB = 10
    JOB_ASSIGN = 11
    WORK_COMPLETE = 13
    ECHO_REQ = 16
    ECHO_RES = 17
    SUBMIT_JOB_BG = 18
    ERROR = 19
    SUBMIT_JOB_EPOCH = 36
    ECHOED_BYTES = 16
    # A handle, a function's name and the NULs between them, or an ERROR's text.
    WORDS = 4096

cdef const char* MAGIC = b"\0RES"
cdef const char* REQUEST = b"\0REQ"
cdef const char* DIGITS = b"0123456789abcdefghijklmnopqrstuv"
cdef const char* HEXADECIMAL = b"0123456789abcdef"


cdef int out_of_step(const char* data, size_t size) except -1 with gil:
    raise WrongAnswer(f"an answer must begin with {b'%c' % 0 + b'RES'!r}, {data[:min(size, 32)]!r} came")


cdef int too_large(uint32_t kind, uint32_t size, size_t largest) except -1 with gil:
    raise WrongAnswer(f"a packet of type {kind} with {size} bytes came, no answer that is due has more than {largest}")


cdef int unknown(uint32_t kind) except -1 with gil:
    raise WrongAnswer(f"a packet of type {kind} came, which nothing here is answered with")


cdef int refusal(const char* body, size_t size) except -1 with gil:
    text = body[:size].replace(b"\0", b": ").decode("utf-8", "replace")
    raise WrongAnswer(f"the server answered with an ERROR, {text}")


cdef int not_empty(uint32_t kind, const char* body, size_t size) except -1 with gil:
    raise WrongAnswer(f"a packet of type {kind} has no body, one with {body[:min(size, 64)]!r} came")


cdef int bad_handle(const char* text, size_t size, const char* prefix, size_t prefix_size) except -1 with gil:
    due = f"{prefix[:prefix_size]!r} and digits, as before" if prefix_size else "H:, a name, a colon and digits"
    raise WrongAnswer(f"the handle {text[:min(size, 96)]!r} came, due was {due}")


cdef int short_of_arguments(uint32_t kind, const char* body, size_t size) except -1 with gil:
    raise WrongAnswer(f"a packet of type {kind} lacks an argument: {body[:min(size, 96)]!r}")


cdef inline char* put_header(char* at, uint32_t kind, size_t size) noexcept nogil:
    cdef uint32_t words[2]
    words[0] = htonl(kind)
    words[1] = htonl(<uint32_t>size)
    memcpy(at, REQUEST, 4)
    memcpy(at + 4, words, 8)
    return at + HEADER


cdef inline char* put_unique(char* at, uint64_t ordinal, int size) noexcept nogil:
    """Digits to the base of 32, the lowest first; the rest of a long one is the same for all.

    They differ without regard to case, too: gearmand's table in MySQL has a key that compares so.
    """
    cdef int i
    for i in range(min(size, 11)):
        at[i] = DIGITS[ordinal & 31]
        ordinal >>= 5
    if size > 11:
        memset(at + 11, 117, size - 11)
    return at + size


cdef inline char* put_payload(char* at, const char* pattern, uint64_t number, size_t size) noexcept nogil:
    memcpy(at, pattern, size)
    if size >= 8:
        memcpy(at, &number, 8)
    return at + size


cdef inline int put_empty(Pipe* pipe, uint32_t kind) except -1 nogil:
    pipe_wrote(pipe, put_header(pipe_place(pipe, HEADER), kind, 0))
    return 0


cdef class Gearman(Talk):
    cdef char prefix[64]        # of every handle, up to the last colon; learned from the first
    cdef size_t prefix_size

    def __cinit__(self):
        self.grabs_are_answered = True

    # --- requests ---------------------------------------------------------------------------------------

    cdef int submit(self, Pipe* pipe, const Plan* plan, const Order* order) except -1 nogil:
        cdef size_t name = order.function.size
        cdef char* start = pipe_place(pipe, HEADER + sizeof(Name) + plan.unique + 32 + plan.payload)
        cdef char* at = start + HEADER
        cdef uint32_t kind = SUBMIT_JOB if plan.foreground else SUBMIT_JOB_BG
        # All 16 bytes, which takes one instruction: what is too much is overwritten, and the NUL is among them.
        memcpy(at, order.function.text, 16)
        at += name + 1
        if plan.unique > 0:
            at = put_unique(at, order.ordinal, plan.unique)
        at[0] = 0
        at += 1
        if order.when != 0:
            kind = SUBMIT_JOB_EPOCH
            at = put_digits(at, <uint64_t>order.when)
            at[0] = 0
            at += 1
        at = put_payload(at, self.pattern, order.number, plan.payload)
        put_header(start, kind, at - start - HEADER)
        pipe_wrote(pipe, at)
        return 0

    cdef int register(self, Pipe* pipe, const Name* function) except -1 nogil:
        cdef char* at = put_header(pipe_place(pipe, HEADER + function.size), CAN_DO, function.size)
        memcpy(at, function.text, function.size)
        pipe_wrote(pipe, at + function.size)
        return 0

    cdef int grab(self, Pipe* pipe) except -1 nogil:
        return put_empty(pipe, GRAB_JOB)

    cdef int sleep(self, Pipe* pipe) except -1 nogil:
        return put_empty(pipe, PRE_SLEEP)

    cdef int complete(self, Pipe* pipe, const Answer* job, ssize_t result) except -1 nogil:
        cdef size_t size = job.body_size if result < 0 else result
        cdef size_t body = job.label_size + 1 + size
        cdef char* at = put_header(pipe_place(pipe, HEADER + body), WORK_COMPLETE, body)
        memcpy(at, job.label, job.label_size)
        at += job.label_size
        at[0] = 0
        memcpy(at + 1, job.body if result < 0 else self.pattern, size)
        if result >= 8 and job.body_size >= 8:
            memcpy(at + 1, job.body, 8)
        pipe_wrote(pipe, at + 1 + size)
        return 0

    cdef int echo(self, Pipe* pipe, uint64_t token) except -1 nogil:
        cdef char* at = put_header(pipe_place(pipe, HEADER + ECHOED_BYTES), ECHO_REQ, ECHOED_BYTES)
        put_token(at, token)
        pipe_wrote(pipe, at + ECHOED_BYTES)
        return 0

    cdef bint is_echo(self, const Answer* answer, uint64_t token) noexcept nogil:
        cdef char due[ECHOED_BYTES]
        put_token(due, token)
        return answer.body_size == ECHOED_BYTES and memcmp(answer.body, due, ECHOED_BYTES) == 0

    # --- answers ----------------------------------------------------------------------------------------

    cdef ssize_t next(self, const char* data, size_t size, Answer* answer) except -1 nogil:
        cdef uint32_t words[2]
        cdef size_t body
        answer.told = UNFINISHED
        answer.needed = HEADER
        if memcmp(data, MAGIC, min(size, 4)) != 0:
            return out_of_step(data, size)
        if size < HEADER:
            return 0
        memcpy(words, data + 4, 8)
        body = ntohl(words[1])
        if body > self.largest + WORDS:
            return too_large(ntohl(words[0]), ntohl(words[1]), self.largest + WORDS)
        answer.needed = HEADER + body
        if size < HEADER + body:
            return 0
        self.read(ntohl(words[0]), data + HEADER, body, answer)
        return HEADER + body

    cdef int read(self, uint32_t kind, const char* body, size_t size, Answer* answer) except -1 nogil:
        answer.body = body
        answer.body_size = size
        if kind == JOB_CREATED:
            answer.told = CREATED
            return self.read_handle(body, size, answer)
        if kind == JOB_ASSIGN:
            return self.read_assign(body, size, answer)
        if kind == WORK_COMPLETE:
            return self.read_complete(body, size, answer)
        if kind == ECHO_RES:
            answer.told = ECHOED
            return 0
        if kind == ERROR:
            return refusal(body, size)
        if kind != NOOP and kind != NO_JOB:
            return unknown(kind)
        if size != 0:
            return not_empty(kind, body, size)
        answer.told = AWAKE if kind == NOOP else EMPTY
        return 0

    cdef int read_handle(self, const char* text, size_t size, Answer* answer) except -1 nogil:
        cdef int64_t number = -1
        if self.prefix_size == 0:
            self.learn_prefix(text, size)
        if size > self.prefix_size and memcmp(text, self.prefix, self.prefix_size) == 0:
            number = read_digits(text + self.prefix_size, size - self.prefix_size)
        if number < 0:
            return bad_handle(text, size, self.prefix, self.prefix_size)
        answer.handle = <uint64_t>number
        answer.label = text
        answer.label_size = size
        return 0

    cdef int learn_prefix(self, const char* text, size_t size) except -1 nogil:
        cdef const char* colon = <const char*>memrchr(text, 58, size)
        if size < 4 or colon < text + 2 or colon - text >= 63 or memcmp(text, b"H:", 2) != 0:
            return bad_handle(text, size, NULL, 0)
        if read_digits(colon + 1, text + size - colon - 1) < 0:
            return bad_handle(text, size, NULL, 0)
        self.prefix_size = colon + 1 - text
        memcpy(self.prefix, text, self.prefix_size)
        return 0

    cdef int read_assign(self, const char* body, size_t size, Answer* answer) except -1 nogil:
        cdef const char* end = body + size
        cdef const char* function = <const char*>memchr(body, 0, size)
        cdef const char* payload = NULL
        if function != NULL:
            payload = <const char*>memchr(function + 1, 0, end - function - 1)
        if payload == NULL:
            return short_of_arguments(JOB_ASSIGN, body, size)
        answer.told = ASSIGNED
        answer.function = function + 1
        answer.function_size = payload - function - 1
        answer.body = payload + 1
        answer.body_size = end - payload - 1
        return self.read_handle(body, function - body, answer)

    cdef int read_complete(self, const char* body, size_t size, Answer* answer) except -1 nogil:
        cdef const char* payload = <const char*>memchr(body, 0, size)
        if payload == NULL:
            return short_of_arguments(WORK_COMPLETE, body, size)
        answer.told = COMPLETED
        answer.body = payload + 1
        answer.body_size = body + size - payload - 1
        return self.read_handle(body, payload - body, answer)


cdef inline void put_token(char* at, uint64_t token) noexcept nogil:
    cdef int i
    for i in range(ECHOED_BYTES):
        at[i] = HEXADECIMAL[(token >> (60 - 4 * i)) & 15]
