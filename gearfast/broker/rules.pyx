"""What holds for a job, whoever has said so. There is nothing here for Python."""

from libc.math cimport INFINITY

from gearfast.protocol.parameters cimport BACKOFF, DEAD_LETTER_BYTES, DEAD_LETTER_MAX, GRACEFUL, RETRIES, TIMEOUT

from gearfast import config

cdef size_t MOST = config.DEAD_LETTERS
cdef size_t MOST_BYTES = config.DEAD_LETTER_BYTES


cdef int retries_of(const Job* job) noexcept nogil:
    cdef const Parameters* rule = rule_of(job, RETRIES)
    return -1 if rule == NULL else rule.retries


cdef bint is_free(const Job* job) noexcept nogil:
    cdef const Parameters* rule = rule_of(job, GRACEFUL)
    return rule != NULL and rule.free


cdef double timeout_of(const Job* job, double seconds) noexcept nogil:
    cdef const Parameters* rule = rule_of(job, TIMEOUT)
    if rule != NULL and (seconds <= 0 or rule.timeout < seconds):
        return rule.timeout
    return seconds if seconds > 0 else INFINITY


cdef double backoff_of(const Job* job, uint64_t* dice) noexcept nogil:
    cdef const Parameters* rule = rule_of(job, BACKOFF)
    cdef double wait
    if rule == NULL:
        return 0
    wait = rule.backoff.first
    if rule.backoff.most > 0:
        wait = min(wait * 2.0 ** (min(job.attempts, <uint16_t>64) - 1), rule.backoff.most)
    if rule.backoff.jitter:
        dice[0] ^= dice[0] << 13                   # xorshift
        dice[0] ^= dice[0] >> 7
        dice[0] ^= dice[0] << 17
        wait *= 0.5 + (dice[0] >> 11) * 2.0 ** -54
    return wait


cdef inline bint has(const Function* function, uint32_t key) noexcept nogil:
    return function.rules != NULL and function.rules.asked.given & key != 0


cdef size_t dead_most(const Function* function) noexcept nogil:
    return function.rules.asked.dead_most if has(function, DEAD_LETTER_MAX) else MOST


cdef size_t dead_most_bytes(const Function* function) noexcept nogil:
    return function.rules.asked.dead_bytes if has(function, DEAD_LETTER_BYTES) else MOST_BYTES
