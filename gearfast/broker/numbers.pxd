# NUMBERS   jobs by their number.
#
# Numbers are given out in order, so neighbours share a page, and an index finds the page: a new
# job touches the newest page and no older job. Sixteen to a page: it spares the index nearly all
# its work, and a job that outlives its neighbours by hours holds no more than 160 bytes for it.

from libc.stdint cimport uint32_t, uint64_t

from gearfast.ground.index cimport Cursor, Index, Node
from gearfast.broker.job cimport Job

cdef enum:
    PAGE_JOBS = 16

cdef struct Page:
    Node node             # first
    uint64_t number       # the jobs' numbers divided by PAGE_JOBS
    uint32_t used
    Job* job[PAGE_JOBS]

cdef struct Numbers:
    Index pages
    Page* newest          # stays when it is empty, since it fills next
    Page* recent          # the one found last: a job that is asked for is often asked for again
    uint64_t highest      # number of a page so far
    size_t count          # jobs

cdef bint numbers_open(Numbers* numbers) noexcept nogil
cdef void numbers_close(Numbers* numbers) noexcept nogil                # and free its jobs
# Make sure that there is room for a number, then add its job.
cdef bint numbers_reserve(Numbers* numbers, uint64_t number) noexcept nogil
cdef void numbers_add(Numbers* numbers, Job* job) noexcept nogil
cdef Job* numbers_find(Numbers* numbers, uint64_t number) noexcept nogil
cdef void numbers_remove(Numbers* numbers, const Job* job) noexcept nogil
# As index_scan; a slice has room for at least MIN_SCAN jobs.
cdef enum:
    MIN_SCAN = 256
cdef int numbers_scan(const Numbers* numbers, Cursor* cursor, Job** found, int most) noexcept nogil
