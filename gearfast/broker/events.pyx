"""What happens to jobs, in the order in which it happens."""

from libc.stdint cimport uint64_t, uint8_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memset

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
        free(self.notes)

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
        if not self.make_room(sizeof(Note) + note.name_size + unique.size):
            self.missed[<int>kind] += 1
            return
        self.put(&note, sizeof(Note))
        self.put(function.data, note.name_size)
        self.put(unique.data, unique.size)

    cdef bint make_room(self, size_t more) noexcept nogil:
        cdef size_t room = max(self.room, <size_t>FIRST_ROOM)
        cdef char* larger
        while room < self.size + more:
            room *= 2
        if room == self.room:
            return True
        if room > MAX_BYTES:
            return False
        larger = <char*>realloc(self.notes, room)
        if larger == NULL:
            return False
        self.notes = larger
        self.room = room
        return True

    cdef void put(self, const void* data, size_t size) noexcept nogil:
        if size > 0:
            memcpy(self.notes + self.size, data, size)
            self.size += size

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
        cdef char* notes
        cdef size_t size, at = 0
        cdef size_t missed[KINDS]
        cdef Note note
        cdef int kind
        cdef list found = []
        lock_enter()
        notes, size = self.notes, self.size
        memcpy(missed, self.missed, sizeof(missed))
        self.notes = NULL
        self.size = self.room = 0
        memset(self.missed, 0, sizeof(self.missed))
        lock_leave()
        try:
            while at < size:
                memcpy(&note, notes + at, sizeof(Note))
                at += sizeof(Note)
                function = notes[at:at + note.name_size]
                at += note.name_size
                unique = notes[at:at + note.unique_size]
                at += note.unique_size
                found.append((note.kind, note.number, function, unique, note.priority, note.attempts,
                              note.background != 0))
        finally:
            free(notes)
        return found, tuple([missed[kind] for kind in range(KINDS)])
