"""A job as a store keeps it.

What StoredJob has no field for stands in its `more`: nothing at all, or a version byte and then fields. A field is a tag
byte, its size, and its bytes. In version 1 the size is one byte, and there is the reducer only; in
version 2 it is as many bytes as it takes, seven bits in each, the lowest first, with the eighth in all but the last.
"""

from libc.stdint cimport uint8_t, uint64_t

from gearfast.broker.job cimport DEAD, HAS_PAST, HAS_POLICY, QUEUED, SCHEDULED, job_payload, job_policy, job_reducer, job_unique
from gearfast.broker.past cimport last_error, submitted_at
from gearfast.broker.schedules cimport Schedule
from gearfast.ground.slice cimport Slice

from gearfast.store.contract import StoredJob

cdef enum:
    SHORT = 1             # versions
    LONG = 2
    REDUCER = 1           # tags
    POLICY = 2
    SUBMITTED = 3         # this and the next two: microseconds since 1970, eight bytes, the lowest first
    STARTED = 4
    FAILED = 5
    ERROR = 6
    FIRED = 8             # of a schedule: like SUBMITTED, when it was due last
    RUN = 9               # and the number of its last job, eight bytes, the lowest first
    STATE = 7             # DEAD, ENDED or SCHEDULED, in one byte; the others are told by the other fields

cdef double LATEST = 1e13     # seconds since 1970, of which the microseconds fit

cdef object new_tuple = tuple.__new__
cdef tuple STATES = ("buried", "ended", "schedule")         # from DEAD on


cdef object record_of(const Job* job, bytes function, double due, double ahead):
    cdef Slice unique = job_unique(job), payload = job_payload(job)
    cdef char head[11]
    cdef bytes more
    head[0] = LONG
    put_moment(&head[1], SUBMITTED, submitted_at(job) + ahead)
    more = head[:sizeof(head)]
    if job.flags & (HAS_POLICY | HAS_PAST) or job.reducer_size > 0 or job.state >= DEAD:
        more += rest_of(job, ahead)
    return new_tuple(StoredJob, (job.number, function, unique.data[:unique.size], job.priority, due, job.attempts,
                                 payload.data[:payload.size], more))


cdef bytes rest_of(const Job* job, double ahead):
    cdef list fields = []
    if job.reducer_size > 0:
        fields.append(field(REDUCER, job_reducer(job)))
    if job_policy(job) != NULL:
        fields.append(field(POLICY, job_policy(job).text))
    if job.flags & HAS_PAST:
        if job.history.past.started != 0:
            fields.append(moment(STARTED, job.history.past.started + ahead))
        if job.history.past.failed != 0:
            fields.append(moment(FAILED, job.history.past.failed + ahead))
        if job.history.past.error_size > 0:
            fields.append(field(ERROR, last_error(job)))
    if job.state == SCHEDULED:
        fields.append(moment(FIRED, (<const Schedule*>job.place.schedule).fired))
        fields.append(bytes((RUN, 8)) + (<const Schedule*>job.place.schedule).run.to_bytes(8, "little"))
    if job.state >= DEAD:
        fields.append(bytes((STATE, 1, job.state)))
    return b"".join(fields)


cdef bytes field(int tag, Slice value):
    cdef size_t size = value.size
    cdef list head = [tag]
    while size >= 0x80:
        head.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes((*head, size)) + value.data[:value.size]


cdef bytes moment(char tag, double when):
    cdef char text[10]
    put_moment(text, tag, when)
    return text[:sizeof(text)]


cdef inline void put_moment(char* at, char tag, double when) noexcept nogil:
    cdef uint64_t left = <uint64_t>(min(max(when, 0.0), LATEST) * 1e6 + 0.5)
    cdef int place
    at[0] = tag
    at[1] = 8
    for place in range(8):
        at[2 + place] = <char>(left >> (8 * place) & 0xFF)


cdef double moment_in(Slice value) noexcept nogil:
    return number_in(value) / 1e6


cdef uint64_t number_in(Slice value) noexcept nogil:
    cdef uint64_t read = 0
    cdef int place
    for place in range(8):
        read |= <uint64_t><unsigned char>value.data[place] << (8 * place)
    return read


cdef int read_more(bytes more, Submission* wanted, Restored* kept, double ahead) except -1:
    cdef const unsigned char* at = more
    cdef const unsigned char* end = at + len(more)
    cdef Slice value
    cdef int version, tag
    wanted.reducer = wanted.policy = kept.error = Slice(NULL, 0)
    kept.submitted = kept.started = kept.failed = kept.fired = 0
    kept.run = 0
    kept.state = QUEUED
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
        if not (version == LONG or tag == REDUCER) or not take(tag, value, wanted, kept, ahead):
            raise ValueError(f"it has a field {tag}, which a later version of this server may know")
    return 0


cdef bint take(int tag, Slice value, Submission* wanted, Restored* kept, double ahead) noexcept nogil:
    """False: it is not known, or not of the size that is known."""
    if tag == REDUCER:
        wanted.reducer = value
    elif tag == POLICY:
        wanted.policy = value
    elif tag == ERROR:
        kept.error = value
    elif tag == STATE and value.size == 1 and DEAD <= value.data[0] <= SCHEDULED:
        kept.state = <uint8_t>value.data[0]
    elif value.size != 8:
        return False
    elif tag == SUBMITTED:
        kept.submitted = moment_in(value) - ahead
    elif tag == STARTED:
        kept.started = moment_in(value) - ahead
    elif tag == FAILED:
        kept.failed = moment_in(value) - ahead
    elif tag == FIRED:
        kept.fired = moment_in(value)
    elif tag == RUN:
        kept.run = number_in(value)
    else:
        return False
    return True


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


def tells_the_past_only(bytes more not None):
    cdef Submission wanted
    cdef Restored kept
    return (is_readable(more, &wanted, &kept) and wanted.reducer.size == 0 and wanted.policy.size == 0
            and kept.state == QUEUED)


cdef bint is_readable(bytes more, Submission* wanted, Restored* kept) except -1:
    try:
        read_more(more, wanted, kept, 0)
    except ValueError:
        return False
    return True


def state_of(bytes more not None):
    cdef Submission wanted
    cdef Restored kept
    if not is_readable(more, &wanted, &kept):
        return "unreadable"
    return "job" if kept.state == QUEUED else STATES[kept.state - DEAD]


def run_of(bytes more not None):
    cdef Submission wanted
    cdef Restored kept
    return kept.run if is_readable(more, &wanted, &kept) and kept.state == SCHEDULED else 0


def with_run(bytes more not None, uint64_t number):
    cdef const unsigned char* begin = more
    cdef const unsigned char* at = begin + 1
    cdef const unsigned char* end = begin + len(more)
    cdef size_t size, place
    cdef int tag
    while at < end:
        tag = at[0]
        at += 1
        if not read_size(&at, end, begin[0] == LONG, &size):
            break
        if tag == RUN and size == 8:
            place = at - begin
            return more[:place] + (<object>number).to_bytes(8, "little") + more[place + 8:]
        at += size
    return more
