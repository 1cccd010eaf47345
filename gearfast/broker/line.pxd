# LINE   jobs that wait for the store, in the order in which they came.
#
# The front of a line may be in the batch that is being written. A job that ended meanwhile is not
# looked for here: its number leads nowhere when its turn comes.

from libc.stdint cimport uint64_t

cdef struct Entry:
    uint64_t number
    double since                  # monotonic seconds
    size_t size                   # bytes of the job, and of its function's name

cdef struct Line:
    Entry* entries
    size_t head, count, room
    size_t in_flight                 # so many of the first are in the batch that is being written

cdef inline Entry* line_at(const Line* line, size_t at) noexcept nogil:
    return line.entries + line.head + at

cdef bint line_push(Line* line, Entry entry) noexcept nogil
cdef void line_drop(Line* line, size_t count) noexcept nogil            # the first ones leave
cdef void line_close(Line* line) noexcept nogil
