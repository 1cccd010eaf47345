"""A job as a store keeps it.

What StoredJob has no field for stands in its `more`: nothing at all, or a version byte and then
fields of a tag byte, a length byte and so many bytes.
"""

from gearfast.broker.job cimport job_payload, job_reducer, job_unique

from gearfast.store.contract import StoredJob

cdef enum:
    VERSION = 1
    REDUCER = 1           # tag

cdef object new_tuple = tuple.__new__


cdef object record_of(const Job* job, bytes function, double due):
    cdef Slice unique = job_unique(job), payload = job_payload(job), reducer
    cdef bytes more = b""
    if job.reducer_size > 0:
        reducer = job_reducer(job)
        more = bytes((VERSION, REDUCER, reducer.size)) + reducer.data[:reducer.size]
    return new_tuple(StoredJob, (job.number, function, unique.data[:unique.size], job.priority, due, job.attempts,
                                 payload.data[:payload.size], more))


cdef int read_more(bytes more, Slice* reducer) except -1:
    cdef const unsigned char* at = more
    cdef size_t size = len(more)
    reducer[0] = Slice(NULL, 0)
    if size == 0:
        return 0
    if at[0] != VERSION:
        raise ValueError(f"it was written in version {at[0]} of the record, and this server reads up to {VERSION}")
    if size < 3 or at[1] != REDUCER or size != <size_t>at[2] + 3:
        raise ValueError("what it has beyond the usual fields cannot be read")
    reducer[0] = Slice(<const char*>at + 3, at[2])
    return 0
