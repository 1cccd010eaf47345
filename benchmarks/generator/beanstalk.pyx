"""beanstalkd's words, as far as a load needs them: put, reserve, delete.

A job of a higher number was put later, as with a Gearman handle. Workers wait in `reserve`, which is this protocol's
way to sleep: it is answered when there is a job.
"""

from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memchr, memcmp, memcpy

from benchmarks.generator.ledger cimport Name
from benchmarks.generator.pipe cimport Pipe, pipe_place, pipe_wrote
from benchmarks.generator.talk cimport (
    ASSIGNED, CREATED, DELETED, ECHOED, UNFINISHED, Answer, Order, Plan, Talk, put_digits, read_digits
)

from benchmarks.errors import WrongAnswer

cdef enum:
    LONGEST_LINE = 224

cdef const char* PUT = b"put 1024 "
cdef const char* TIME_TO_RUN = b" 3600 "


cdef int unknown(const char* line, size_t size) except -1 with gil:
    raise WrongAnswer(f"{line[:min(size, 96)]!r} came, which nothing here is answered with")


cdef int too_large(int64_t size, size_t largest) except -1 with gil:
    raise WrongAnswer(f"a job of {size} bytes came, nobody put one of more than {largest}")


cdef int unended(const char* body, size_t size) except -1 with gil:
    raise WrongAnswer(f"the data of a job must end with '\\r\\n', it goes on with {body[size:size + 2]!r}")


cdef inline char* put_text(char* at, const char* text, size_t size) noexcept nogil:
    memcpy(at, text, size)
    return at + size


cdef inline bint begins(const char* line, size_t size, const char* word, size_t word_size) noexcept nogil:
    return size >= word_size and memcmp(line, word, word_size) == 0


cdef class Beanstalk(Talk):
    cdef int submit(self, Pipe* pipe, const Plan* plan, const Order* order) except -1 nogil:
        cdef char* at = put_text(pipe_place(pipe, plan.payload + 96), PUT, 9)
        at = put_digits(at, plan.delay)
        at = put_text(at, TIME_TO_RUN, 6)
        at = put_digits(at, plan.payload)
        at = put_text(at, b"\r\n", 2)
        memcpy(at, self.pattern, plan.payload)
        if plan.payload >= 8:
            memcpy(at, &order.number, 8)
        pipe_wrote(pipe, put_text(at + plan.payload, b"\r\n", 2))
        return 0

    cdef int grab(self, Pipe* pipe) except -1 nogil:
        pipe_wrote(pipe, put_text(pipe_place(pipe, 9), b"reserve\r\n", 9))
        return 0

    cdef int complete(self, Pipe* pipe, const Answer* job, ssize_t result) except -1 nogil:
        cdef char* at = put_text(pipe_place(pipe, job.label_size + 9), b"delete ", 7)
        at = put_text(at, job.label, job.label_size)
        pipe_wrote(pipe, put_text(at, b"\r\n", 2))
        return 0

    cdef int echo(self, Pipe* pipe, uint64_t token) except -1 nogil:
        pipe_wrote(pipe, put_text(pipe_place(pipe, 16), b"list-tube-used\r\n", 16))
        return 0

    cdef bint is_echo(self, const Answer* answer, uint64_t token) noexcept nogil:
        return answer.body_size == 7 and memcmp(answer.body, b"default", 7) == 0

    cdef ssize_t next(self, const char* data, size_t size, Answer* answer) except -1 nogil:
        cdef const char* end = <const char*>memchr(data, 10, min(size, LONGEST_LINE))
        answer.told = UNFINISHED
        answer.needed = LONGEST_LINE
        if end == NULL:
            return 0 if size < LONGEST_LINE else unknown(data, size)
        if end == data or (end - 1)[0] != 13:
            return unknown(data, end - data)
        return self.read(data, end - 1 - data, data + size, answer)

    cdef ssize_t read(self, const char* line, size_t size, const char* end, Answer* answer) except -1 nogil:
        if begins(line, size, b"INSERTED ", 9):
            answer.told = CREATED
            self.read_number(line, size, line + 9, size - 9, answer)
        elif begins(line, size, b"RESERVED ", 9):
            return self.read_job(line, size, end, answer)
        elif size == 7 and begins(line, size, b"DELETED", 7):
            answer.told = DELETED
        elif begins(line, size, b"USING ", 6):
            answer.told = ECHOED
            answer.body = line + 6
            answer.body_size = size - 6
        else:
            return unknown(line, size)
        return size + 2

    cdef int read_number(self, const char* line, size_t line_size, const char* digits, size_t size,
                         Answer* answer) except -1 nogil:
        cdef int64_t number = read_digits(digits, size)
        if number < 0:
            return unknown(line, line_size)
        answer.handle = <uint64_t>number
        answer.label = digits
        answer.label_size = size
        return 0

    cdef ssize_t read_job(self, const char* line, size_t size, const char* end, Answer* answer) except -1 nogil:
        cdef const char* digits = line + 9
        cdef const char* space = <const char*>memchr(digits, 32, size - 9)
        cdef const char* body = line + size + 2
        cdef int64_t bytes_due = -1
        if space != NULL:
            bytes_due = read_digits(space + 1, line + size - space - 1)
        if bytes_due < 0:
            return unknown(line, size)
        if <uint64_t>bytes_due > self.largest:
            return too_large(bytes_due, self.largest)
        self.read_number(line, size, digits, space - digits, answer)
        answer.needed = size + 2 + bytes_due + 2
        if <size_t>(end - line) < answer.needed:
            return 0
        if memcmp(body + bytes_due, b"\r\n", 2) != 0:
            return unended(body, bytes_due)
        answer.told = ASSIGNED
        answer.function = NULL
        answer.body = body
        answer.body_size = bytes_due
        return answer.needed
