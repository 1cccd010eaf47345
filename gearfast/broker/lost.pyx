"""Results that come after their job was taken away are expected, and swallowed."""

from libc.stdlib cimport free, realloc
from libc.string cimport memmove


cdef void lost_open(LostJobs* lost) noexcept nogil:
    lost.jobs = NULL
    lost.count = lost.room = 0


cdef void lost_close(LostJobs* lost) noexcept nogil:
    free(lost.jobs)
    lost_open(lost)


cdef void forget(LostJobs* lost, int at) noexcept nogil:
    lost.count -= 1
    memmove(lost.jobs + at, lost.jobs + at + 1, (lost.count - at) * sizeof(LostJob))
    if lost.count == 0:
        lost_close(lost)


cdef void lost_remember(LostJobs* lost, uint64_t number, bint failed, int most) noexcept nogil:
    cdef LostJob* larger
    if most <= 0:
        return
    if lost.count >= most:
        forget(lost, 0)
    if lost.count == lost.room:
        larger = <LostJob*>realloc(lost.jobs, (lost.room * 2 + 4) * sizeof(LostJob))
        if larger == NULL:
            return
        lost.jobs = larger
        lost.room = lost.room * 2 + 4
    lost.jobs[lost.count] = LostJob(number, failed)
    lost.count += 1


cdef bint lost_has(const LostJobs* lost, uint64_t number) noexcept nogil:
    cdef int at
    for at in range(lost.count):
        if lost.jobs[at].number == number and not lost.jobs[at].failed:
            return True
    return False


cdef bint lost_expects(LostJobs* lost, uint64_t number, bint is_fail, bint ends) noexcept nogil:
    cdef int at
    for at in range(lost.count):
        if lost.jobs[at].number == number and (is_fail or not lost.jobs[at].failed):
            if ends:
                forget(lost, at)
            return True
    return False
