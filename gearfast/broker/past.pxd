# PAST   what a job has been through: when it was submitted and first started, when and how it failed last.
#
# A job that has never failed has nothing but the time of its submit.

from gearfast.broker.job cimport HAS_PAST, Job, Past
from gearfast.ground.slice cimport Slice

cdef enum:
    MAX_ERROR = 4096      # bytes that are kept of an error

cdef inline double submitted_at(const Job* job) noexcept nogil:
    return job.history.past.submitted if job.flags & HAS_PAST else job.history.submitted

# Without the error.
cdef inline Past past_of(const Job* job) noexcept nogil:
    return job.history.past[0] if job.flags & HAS_PAST else Past(job.history.submitted, 0, 0, 0)

# It failed: `error` is what is known of that. Without memory it is not known.
cdef void past_note(Job* job, double started, double failed, Slice error) noexcept nogil
cdef Slice last_error(const Job* job) noexcept nogil               # empty: it has never failed
