# RULES   what holds for a job: what it asks for itself, else what holds for all jobs of its function.

from libc.stdint cimport uint16_t, uint32_t, uint64_t

from gearfast.broker.functions cimport Function
from gearfast.broker.job cimport HAS_POLICY, Job, job_policy
from gearfast.broker.policy cimport Policy
from gearfast.broker.rulebook cimport Rules
from gearfast.protocol.parameters cimport TTL, Parameters

# Of one key (Given): NULL, if nobody has asked for anything.
cdef inline const Parameters* rule_of(const Job* job, uint32_t key) noexcept nogil:
    cdef const Rules* rules = (<const Function*>job.home).rules
    if job.flags & HAS_POLICY and job_policy(job).asked.given & key:
        return &job_policy(job).asked
    return &rules.asked if rules != NULL and rules.asked.given & key else NULL

# How often it is tried after the first time; -1: nobody has said so.
cdef int retries_of(const Job* job) noexcept nogil
# Whether what its worker hands back in order is no try.
cdef bint is_free(const Job* job) noexcept nogil
# Whether a job with this policy, or NULL, fails when no worker starts it in time.
cdef inline bint may_expire(const Function* function, const Policy* policy) noexcept nogil:
    return ((policy != NULL and policy.asked.given & TTL != 0)
            or (function.rules != NULL and function.rules.asked.given & TTL != 0))
# Seconds that its worker may have it, `seconds` being what the worker has said; infinity: as long as it takes.
cdef double timeout_of(const Job* job, double seconds) noexcept nogil
# Of a function's dead letters, and of their bytes.
cdef size_t dead_most(const Function* function) noexcept nogil
cdef size_t dead_most_bytes(const Function* function) noexcept nogil
# Seconds before its next try; `dice` is what chance there is.
cdef double backoff_of(const Job* job, uint64_t* dice) noexcept nogil
