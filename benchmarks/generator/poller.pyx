"""Admin questions in text, and what an answer must look like: whole lines, their fields, the dot at the end."""

from libc.string cimport memchr, memcmp, memcpy

from benchmarks.generator.pipe cimport pipe_place, pipe_wrote
from benchmarks.generator.tally cimport count

from benchmarks.errors import WrongAnswer


cdef int wrong_line(const char* line, size_t size, const char* command, size_t command_size) except -1 with gil:
    asked = command[:command_size].decode().strip()
    raise WrongAnswer(f"{line[:size][:96]!r} came as a line of the answer to {asked!r}")


cdef int unasked_line(const char* line, size_t size) except -1 with gil:
    raise WrongAnswer(f"{line[:size][:96]!r} came, and nothing was asked")


cdef int ask(Course course, Peer* poller) except -1 nogil:
    if poller.question.asked or course.now < poller.question.next_at:
        return 0
    poller.question.asked = True
    poller.question.asked_at = course.now
    # Questions that were due while the last one was unanswered are left out, not made up for.
    while poller.question.next_at <= course.now:
        poller.question.next_at += poller.question.interval
    course.owed += 1
    memcpy(pipe_place(&poller.pipe, poller.question.size), poller.question.command, poller.question.size)
    pipe_wrote(&poller.pipe, poller.pipe.out + poller.pipe.out_end + poller.question.size)
    return course.flush(poller)


cdef bint well_formed(const char* line, size_t size, int tabs) noexcept nogil:
    cdef size_t at
    cdef int found = 0
    if tabs < 0:
        return size < 4 or memcmp(line, b"ERR ", 4) != 0
    for at in range(size):
        found += line[at] == 9
    return found == tabs


cdef ssize_t poller_told(Course course, Peer* poller, const char* data, size_t size) except -1 nogil:
    cdef const char* line = data
    cdef const char* end
    cdef size_t length
    cdef bint dot
    while True:
        end = <const char*>memchr(line, 10, data + size - line)
        if end == NULL:
            return line - data
        length = end - line
        if not poller.question.asked:
            return unasked_line(line, length)
        dot = poller.question.dotted and length == 1 and line[0] == 46
        if not dot and not well_formed(line, length, poller.question.tabs):
            return wrong_line(line, length, poller.question.command, poller.question.size)
        if dot or not poller.question.dotted:
            answered(course, poller)
        line = end + 1


cdef void answered(Course course, Peer* poller) noexcept nogil:
    poller.question.asked = False
    course.owed -= 1
    count(&course.polls, course.now - poller.question.asked_at)
    if course.closing:
        course.progress = course.now
