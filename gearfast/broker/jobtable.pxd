# JOBTABLE   jobs by their number.
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

cdef struct JobTable:
    Index pages
    Page* newest          # stays when it is empty, since it fills next
    Page* recent          # the one found last: a job that is asked for is often asked for again
    uint64_t highest      # number of a page so far
    size_t count          # jobs

cdef bint jobtable_open(JobTable* table) noexcept nogil
cdef void jobtable_close(JobTable* table) noexcept nogil                # and free its jobs
cdef bint jobtable_add(JobTable* table, Job* job) noexcept nogil        # False: there is no memory, and it is not there
# Another one with the same number, in the place of one that is there.
cdef void jobtable_replace(JobTable* table, Job* job) noexcept nogil
cdef Job* jobtable_find(JobTable* table, uint64_t number) noexcept nogil
cdef void jobtable_remove(JobTable* table, const Job* job) noexcept nogil
# As index_scan; a slice has room for at least MIN_SCAN jobs.
cdef enum:
    MIN_SCAN = 256
cdef int jobtable_scan(const JobTable* table, Cursor* cursor, Job** found, int most) noexcept nogil
