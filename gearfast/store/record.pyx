"""A job as a store keeps it.

What StoredJob has no field for stands in its `more`: nothing at all, or a version byte and then fields. A field is a tag
byte, its size, and its bytes. In version 1 the size is one byte, and there is the reducer only; in
version 2 it is as many bytes as it takes, seven bits in each, the lowest first, with the eighth in all but the last.
"""

from gearfast.broker.job cimport job_payload, job_policy, job_reducer, job_unique
from gearfast.ground.slice cimport Slice

from gearfast.store.contract import StoredJob

cdef enum:
    SHORT = 1             # versions
    LONG = 2
    REDUCER = 1           # tags
    POLICY = 2

cdef object new_tuple = tuple.__new__


cdef object record_of(const Job* job, bytes function, double due):
    cdef Slice unique = job_unique(job), payload = job_payload(job), reducer = job_reducer(job)
    cdef bytes more = b""
    if job_policy(job) != NULL:
        more = bytes((LONG,)) + (field(REDUCER, reducer) if reducer.size > 0 else b"") + field(POLICY, job_policy(job).text)
    elif reducer.size > 0:
        more = bytes((SHORT, REDUCER, reducer.size)) + reducer.data[:reducer.size]
    return new_tuple(StoredJob, (job.number, function, unique.data[:unique.size], job.priority, due, job.attempts,
                                 payload.data[:payload.size], more))


cdef bytes field(int tag, Slice value):
    cdef size_t size = value.size
    cdef list head = [tag]
    while size >= 0x80:
        head.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes((*head, size)) + value.data[:value.size]


cdef int read_more(bytes more, Submission* wanted) except -1:
    cdef const unsigned char* at = more
    cdef const unsigned char* end = at + len(more)
    cdef Slice value
    cdef int version, tag
    wanted.reducer = wanted.policy = Slice(NULL, 0)
    if at == end:
        return 0
    version = at[0]
    at += 1
    if not SHORT <= version <= LONG:
        raise ValueError(f"it was written in version {version} of the record, and this server reads up to {<int>LONG}")
    while at < end:
        tag = at[0]
        at += 1
        if not read_size(&at, end, version == LONG, &value.size):
            raise ValueError("its additional fields cannot be read")
        value.data = <const char*>at
        at += value.size
        if tag == REDUCER:
            wanted.reducer = value
        elif tag == POLICY and version == LONG:
            wanted.policy = value
        else:
            raise ValueError(f"it has a field {tag}, which a later version of this server may know")
    return 0


cdef bint read_size(const unsigned char** at, const unsigned char* end, bint is_long, size_t* size) noexcept:
    """Of a field whose bytes are all there."""
    cdef int shift = 0
    size[0] = 0
    while at[0] < end and shift < 35:
        size[0] |= <size_t>(at[0][0] & (0x7F if is_long else 0xFF)) << shift
        at[0] += 1
        if not is_long or not at[0][-1] & 0x80:
            return size[0] <= <size_t>(end - at[0])
        shift += 7
    return False
