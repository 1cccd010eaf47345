"""Jobs by their number, sixteen neighbours to a page."""

from libc.stdlib cimport calloc, free

from gearfast.ground.index cimport (
    index_add, index_chain, index_close, index_open, index_remove, index_scan, index_unlink_all, keyed_number,
)
from gearfast.broker.job cimport job_dispose

cdef enum:
    SCAN_PAGES = 64


cdef inline uint64_t page_hash(uint64_t page) noexcept nogil:
    """Neighbours stay neighbours, 64 at a time, for the cache; the blocks are spread by a key, since which jobs live
    long is in their submitters' hands."""
    return keyed_number(page >> 6) << 6 | (page & 63)


cdef bint jobtable_open(JobTable* table) noexcept nogil:
    table.newest = table.recent = NULL
    table.highest = 0
    table.count = 0
    return index_open(&table.pages)


cdef void jobtable_close(JobTable* table) noexcept nogil:
    cdef Node* node = index_unlink_all(&table.pages)
    cdef Page* page
    cdef int place
    while node != NULL:
        page = <Page*>node
        node = node.next
        for place in range(PAGE_JOBS):
            if page.job[place] != NULL:
                job_dispose(page.job[place])
        free(page)
    index_close(&table.pages)
    table.newest = table.recent = NULL
    table.count = 0


cdef inline Page* find_page(JobTable* table, uint64_t number) noexcept nogil:
    if table.newest != NULL and table.newest.number == number:
        return table.newest
    return find_older(table, number)


cdef Page* find_older(JobTable* table, uint64_t number) noexcept nogil:
    cdef Node* node
    if table.recent != NULL and table.recent.number == number:
        return table.recent
    node = index_chain(&table.pages, page_hash(number))
    while node != NULL and (<Page*>node).number != number:
        node = node.next
    table.recent = <Page*>node
    return table.recent


cdef Page* new_page(JobTable* table, uint64_t number) noexcept nogil:
    cdef Page* page = <Page*>calloc(1, sizeof(Page))
    if page == NULL:
        return NULL
    page.number = number
    index_add(&table.pages, &page.node, page_hash(number))
    if table.newest != NULL and table.newest.used == 0:
        drop(table, table.newest)
    table.newest = page
    table.highest = max(table.highest, number)
    return page


cdef void drop(JobTable* table, Page* page) noexcept nogil:
    if table.recent == page:
        table.recent = NULL
    index_remove(&table.pages, &page.node)
    free(page)


cdef inline Page* page_for(JobTable* table, uint64_t number) noexcept nogil:
    """The page of a job that comes: a new one, if there is none. NULL: there is no memory."""
    cdef Page* page = table.newest
    if page == NULL or page.number != number:
        page = NULL if number > table.highest else find_older(table, number)
    return new_page(table, number) if page == NULL else page


cdef bint jobtable_add(JobTable* table, Job* job) noexcept nogil:
    cdef Page* page = page_for(table, job.number // PAGE_JOBS)
    if page == NULL:
        return False
    page.job[job.number % PAGE_JOBS] = job
    page.used += 1
    table.count += 1
    return True


cdef void jobtable_replace(JobTable* table, Job* job) noexcept nogil:
    find_page(table, job.number // PAGE_JOBS).job[job.number % PAGE_JOBS] = job


cdef Job* jobtable_find(JobTable* table, uint64_t number) noexcept nogil:
    cdef Page* page = find_page(table, number // PAGE_JOBS)
    return NULL if page == NULL else page.job[number % PAGE_JOBS]


cdef void jobtable_remove(JobTable* table, const Job* job) noexcept nogil:
    cdef Page* page = find_page(table, job.number // PAGE_JOBS)
    page.job[job.number % PAGE_JOBS] = NULL
    page.used -= 1
    table.count -= 1
    if page.used == 0 and page != table.newest:
        drop(table, page)


cdef int jobtable_scan(const JobTable* table, Cursor* cursor, Job** found, int most) noexcept nogil:
    cdef Node* pages[SCAN_PAGES]
    cdef int count = index_scan(&table.pages, cursor, pages, min(most // PAGE_JOBS, SCAN_PAGES))
    cdef int filled = 0, at, place
    for at in range(count):
        for place in range(PAGE_JOBS):
            found[filled] = (<Page*>pages[at]).job[place]
            if found[filled] != NULL:
                filled += 1
    return filled
