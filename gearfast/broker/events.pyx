"""What happens to jobs, in the order in which it happens."""

from libc.stdint cimport uint64_t, uint8_t
from libc.stdlib cimport free
from libc.string cimport memcpy, memset

from gearfast.ground.gathered cimport Gathered, gathered_make_room, gathered_put, gathered_take
from gearfast.ground.lock cimport lock_enter, lock_leave
from gearfast.broker.job cimport job_unique
from gearfast.broker.keeping cimport is_background

cdef enum:
    MAX_BYTES = 1 << 20        # bytes of notes
    MAX_NAME = 255       # bytes of a function's name in a note
    FIRST_ROOM = 4096

cdef struct Note:         # the names follow it
    uint64_t number
    unsigned int attempts
    uint8_t kind
    uint8_t priority
    uint8_t background
    uint8_t unique_size
    uint8_t name_size


cdef class Events:
    def __dealloc__(self):
        free(self.notes.data)

    cdef void write_down(self, Kind kind, const Job* job, Slice function) noexcept nogil:
        cdef Slice unique = Slice(NULL, 0)
        cdef Note note
        memset(&note, 0, sizeof(Note))
        note.kind = <uint8_t>kind
        note.name_size = <uint8_t>min(function.size, <size_t>MAX_NAME)
        if job != NULL:
            unique = job_unique(job)
            note.number = job.number
            note.priority = job.priority
            note.attempts = job.attempts
            note.background = is_background(job) != 0
            note.unique_size = <uint8_t>unique.size
        if not gathered_make_room(&self.notes, sizeof(Note) + note.name_size + unique.size, FIRST_ROOM, MAX_BYTES):
            self.missed[<int>kind] += 1
            return
        gathered_put(&self.notes, &note, sizeof(Note))
        gathered_put(&self.notes, function.data, note.name_size)
        gathered_put(&self.notes, unique.data, unique.size)

    @property
    def wanted(self):
        lock_enter()
        cdef unsigned int wanted = self.wanted
        lock_leave()
        return wanted

    @wanted.setter
    def wanted(self, unsigned int wanted):
        lock_enter()
        self.wanted = wanted
        lock_leave()

    @property
    def counts(self):
        cdef uint64_t counted[KINDS]
        cdef int kind
        lock_enter()
        memcpy(counted, self.counted, sizeof(counted))
        lock_leave()
        return tuple([counted[kind] for kind in range(KINDS)])

    def take(self):
        cdef Gathered notes
        cdef size_t at = 0
        cdef size_t missed[KINDS]
        cdef Note note
        cdef int kind
        cdef list found = []
        lock_enter()
        notes = gathered_take(&self.notes)
        memcpy(missed, self.missed, sizeof(missed))
        memset(self.missed, 0, sizeof(self.missed))
        lock_leave()
        try:
            while at < notes.size:
                memcpy(&note, notes.data + at, sizeof(Note))
                at += sizeof(Note)
                function = notes.data[at:at + note.name_size]
                at += note.name_size
                unique = notes.data[at:at + note.unique_size]
                at += note.unique_size
                found.append((note.kind, note.number, function, unique, note.priority, note.attempts,
                              note.background != 0))
        finally:
            free(notes.data)
        return found, tuple([missed[kind] for kind in range(KINDS)])
