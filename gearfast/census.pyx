"""Functions and jobs as rows, a slice at a time (protocol section 4.2)."""

from gearfast.collector cimport hold_collector, release_collector
from gearfast.index cimport Cursor, Node, cursor_number, cursor_of, index_scan
from gearfast.jobqueue cimport BACKGROUND, NORMAL, Job, job_unique
from gearfast.numbers cimport SCAN_LEAST, numbers_scan
from gearfast.roster cimport Function, function_of_node
from gearfast.rotation cimport PRIORITIES
from gearfast.slice cimport Slice

cdef enum:
    FEWEST = 64           # rows one slice has room for
    MOST = 1000


cdef tuple function_rows(const Index* functions, object start, int most):
    cdef Cursor cursor = cursor_of(start)
    cdef Node* found[MOST]
    cdef int count = index_scan(functions, &cursor, found, min(max(most, FEWEST), MOST)), at
    cdef bint collects = hold_collector()
    try:
        return cursor_number(cursor), [function_row(function_of_node(found[at])) for at in range(count)]
    finally:
        release_collector(collects)


cdef tuple job_rows(const Numbers* jobs, Handles handles, object start, int most):
    cdef Cursor cursor = cursor_of(start)
    cdef Job* found[MOST]
    cdef int count = numbers_scan(jobs, &cursor, found, min(max(most, SCAN_LEAST), MOST)), at
    cdef bint collects = hold_collector()
    try:
        return cursor_number(cursor), [job_row(handles, found[at]) for at in range(count)]
    finally:
        release_collector(collects)


cdef tuple function_row(const Function* function):
    queued = [function.lanes.lane[priority].count for priority in range(PRIORITIES)]
    # what is delayed is neither in a lane nor running; it is of normal priority
    queued[<int>NORMAL] = function.total - function.running - queued[0] - queued[2]
    return function.name.data[:function.name.size], function.total, function.running, function.workers, tuple(queued)


cdef tuple job_row(Handles handles, const Job* job):
    cdef Slice unique = job_unique(job)
    background = bool(job.kept & BACKGROUND)
    orphan = job.waiters == NULL and not background
    return handles.format(job.number), job.attempts, orphan, background, unique.data[:unique.size]
