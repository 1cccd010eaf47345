# PAST   what a job has been through: when it was submitted and first started, when and how it failed last.
#
# A job that has never failed has nothing but the time of its submit.

from gearfast.broker.job cimport HAS_PAST, Job, Past
from gearfast.ground.slice cimport Slice

cdef enum:
    MAX_ERROR = 4096      # bytes that are kept of an error

cdef enum Loss:           # how a worker loses a job
    GONE = 0              # it is not there any more
    HANDED_BACK = 1       # it says that it cannot do it
    TOO_LONG = 2          # it has not done it in time

cdef inline double submitted_at(const Job* job) noexcept nogil:
    return job.history.past.submitted if job.flags & HAS_PAST else job.history.submitted

# Without the error.
cdef inline Past past_of(const Job* job) noexcept nogil:
    return job.history.past[0] if job.flags & HAS_PAST else Past(job.history.submitted, 0, 0, 0)

# It failed: `error` is what is known of that. Without memory it is not known.
cdef void past_note(Job* job, double started, double failed, Slice error) noexcept nogil
# What is known of a loss; and of a report: what follows the handle, if a worker `raised` an exception.
cdef Slice words_of_loss(Loss loss) noexcept nogil
cdef Slice words_of_report(bint raised, const char* body, size_t size) noexcept nogil
cdef Slice last_error(const Job* job) noexcept nogil               # empty: it has never failed
# Bytes of a dead letter: the job, and what is known of its past.
cdef size_t dead_size(const Job* job) noexcept nogil
