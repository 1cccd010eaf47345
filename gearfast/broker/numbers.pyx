"""Jobs by their number, sixteen neighbours to a page."""

from libc.stdlib cimport calloc, free

from gearfast.ground.index cimport (
    index_add, index_chain, index_close, index_open, index_remove, index_scan, index_unlink_all, keyed_number,
)
from gearfast.broker.job cimport job_bury

cdef enum:
    SCAN_PAGES = 64


cdef inline uint64_t page_hash(uint64_t page) noexcept nogil:
    """Neighbours stay neighbours, 64 at a time, for the cache; the blocks are spread by a key, since which jobs live
    long is in their submitters' hands."""
    return keyed_number(page >> 6) << 6 | (page & 63)


cdef bint numbers_open(Numbers* numbers) noexcept nogil:
    numbers.newest = numbers.recent = NULL
    numbers.highest = 0
    numbers.count = 0
    return index_open(&numbers.pages)


cdef void numbers_close(Numbers* numbers) noexcept nogil:
    cdef Node* node = index_unlink_all(&numbers.pages)
    cdef Page* page
    cdef int place
    while node != NULL:
        page = <Page*>node
        node = node.next
        for place in range(PAGE_JOBS):
            if page.job[place] != NULL:
                job_bury(page.job[place])
        free(page)
    index_close(&numbers.pages)
    numbers.newest = numbers.recent = NULL
    numbers.count = 0


cdef inline Page* find_page(Numbers* numbers, uint64_t number) noexcept nogil:
    if numbers.newest != NULL and numbers.newest.number == number:
        return numbers.newest
    return find_older(numbers, number)


cdef Page* find_older(Numbers* numbers, uint64_t number) noexcept nogil:
    cdef Node* node
    if numbers.recent != NULL and numbers.recent.number == number:
        return numbers.recent
    node = index_chain(&numbers.pages, page_hash(number))
    while node != NULL and (<Page*>node).number != number:
        node = node.next
    numbers.recent = <Page*>node
    return numbers.recent


cdef Page* new_page(Numbers* numbers, uint64_t number) noexcept nogil:
    cdef Page* page = <Page*>calloc(1, sizeof(Page))
    if page == NULL:
        return NULL
    page.number = number
    index_add(&numbers.pages, &page.node, page_hash(number))
    if numbers.newest != NULL and numbers.newest.used == 0:
        drop(numbers, numbers.newest)
    numbers.newest = page
    numbers.highest = max(numbers.highest, number)
    return page


cdef void drop(Numbers* numbers, Page* page) noexcept nogil:
    if numbers.recent == page:
        numbers.recent = NULL
    index_remove(&numbers.pages, &page.node)
    free(page)


cdef bint numbers_reserve(Numbers* numbers, uint64_t number) noexcept nogil:
    if number // PAGE_JOBS > numbers.highest or find_page(numbers, number // PAGE_JOBS) == NULL:
        return new_page(numbers, number // PAGE_JOBS) != NULL
    return True


cdef void numbers_add(Numbers* numbers, Job* job) noexcept nogil:
    cdef Page* page = find_page(numbers, job.number // PAGE_JOBS)
    page.job[job.number % PAGE_JOBS] = job
    page.used += 1
    numbers.count += 1


cdef Job* numbers_find(Numbers* numbers, uint64_t number) noexcept nogil:
    cdef Page* page = find_page(numbers, number // PAGE_JOBS)
    return NULL if page == NULL else page.job[number % PAGE_JOBS]


cdef void numbers_remove(Numbers* numbers, const Job* job) noexcept nogil:
    cdef Page* page = find_page(numbers, job.number // PAGE_JOBS)
    page.job[job.number % PAGE_JOBS] = NULL
    page.used -= 1
    numbers.count -= 1
    if page.used == 0 and page != numbers.newest:
        drop(numbers, page)


cdef int numbers_scan(const Numbers* numbers, Cursor* cursor, Job** found, int most) noexcept nogil:
    cdef Node* pages[SCAN_PAGES]
    cdef int count = index_scan(&numbers.pages, cursor, pages, min(most // PAGE_JOBS, SCAN_PAGES))
    cdef int filled = 0, at, place
    for at in range(count):
        for place in range(PAGE_JOBS):
            found[filled] = (<Page*>pages[at]).job[place]
            if found[filled] != NULL:
                filled += 1
    return filled
