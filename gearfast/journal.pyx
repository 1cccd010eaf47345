"""What the store has yet to be told, in the order in which it came."""

from libc.stdint cimport uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memmove

from gearfast.jobqueue cimport BACKGROUND, STRUCK, job_size
from gearfast.roster cimport Function

cdef enum:
    SPARE_ROOM = 1 << 14      # entries for which room is kept while there are none


cdef class Journal:
    def __cinit__(self):
        self.first = 1
        self.crowd = <uint64_t>-1

    def __dealloc__(self):
        free(self.entries)
        free(self.gone)

    cdef int gather(self, Job* job, double now) except -1:
        cdef Entry* larger
        cdef size_t at
        if not self.on or self.quiet or job.kept & GATHERED:
            return 0
        if job.kept & STRUCK:         # not to be forgotten any more: that might be written after it
            for at in range(self.gone_head, self.gone_head + self.gone_count):
                if self.gone[at] == job.number:
                    self.gone[at] = 0
        if self.head + self.count == self.room:
            larger = <Entry*>realloc(self.entries, (self.room * 2 + 64) * sizeof(Entry))
            if larger == NULL:
                raise MemoryError("no memory for another job that waits for the store")
            self.entries = larger
            self.room = self.room * 2 + 64
        self.entry(self.count)[0] = Entry(job.number, now, job_size(job) + (<Function*>job.home).name.size)
        self.bytes += self.entry(self.count).size
        self.count += 1
        job.kept |= GATHERED
        return 0

    cdef void gather_again(self, Job* job, double now) noexcept:
        if not job.kept & BACKGROUND:
            return
        if self.on and self.quiet:
            if job.kept & STORED:     # as something else: to be written at the end
                job.kept = (job.kept & ~STORED) | WRITING
            return
        try:
            self.gather(job, now)
        except MemoryError:           # the store keeps what it knew of it
            pass

    cdef void strike(self, uint64_t number) noexcept:
        cdef uint64_t* larger
        if not self.on:
            return
        if self.gone_head + self.gone_count == self.gone_room:
            larger = <uint64_t*>realloc(self.gone, (self.gone_room * 2 + 64) * sizeof(uint64_t))
            if larger == NULL:        # it comes back at the next start: done twice, not lost
                return
            self.gone = larger
            self.gone_room = self.gone_room * 2 + 64
        self.gone[self.gone_head + self.gone_count] = number
        self.gone_count += 1

    cdef void take_off(self, size_t jobs, size_t bytes, size_t gone) noexcept:
        cdef size_t taken = 0
        self.flying = 0
        while self.flying < min(self.count, jobs) and taken < bytes:
            taken += self.entry(self.flying).size
            self.flying += 1
        self.gone_flying = min(self.gone_count, gone)

    cdef void land(self) noexcept:
        self.drop(self.flying)
        self.gone_head += self.gone_flying
        self.gone_count -= self.gone_flying
        self.gone_flying = 0
        if self.gone_count == 0 and self.gone_room > SPARE_ROOM:
            free(self.gone)
            self.gone = NULL
            self.gone_room = 0
        elif self.gone_head > self.gone_count:             # rare enough to cost nothing per number
            memmove(self.gone, self.gone + self.gone_head, self.gone_count * sizeof(uint64_t))
        else:
            return
        self.gone_head = 0

    cdef void call_back(self) noexcept:
        self.flying = self.gone_flying = 0

    cdef void drop(self, size_t count) noexcept:
        cdef size_t at
        for at in range(count):
            self.bytes -= self.entry(at).size
        self.first += count
        self.head += count
        self.count -= count
        self.flying -= min(count, self.flying)
        if self.count == 0 and self.room > SPARE_ROOM:
            free(self.entries)
            self.entries = NULL
            self.room = 0
        elif self.head > self.count:
            memmove(self.entries, self.entries + self.head, self.count * sizeof(Entry))
        else:
            return
        self.head = 0
