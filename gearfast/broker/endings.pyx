"""Jobs that were given up, in the order in which it happened."""

from libc.stdint cimport uint8_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy

from gearfast.broker.job cimport job_unique

cdef enum:
    MOST = 1 << 20        # bytes of notes
    MOST_NAME = 255       # bytes of a function's name in a note
    FIRST_ROOM = 4096

cdef struct Note:         # the names follow it
    uint64_t number
    uint8_t reason
    uint8_t unique_size
    uint8_t name_size
    unsigned int attempts


cdef class Endings:
    def __dealloc__(self):
        free(self.notes)

    cdef void note(self, const Job* job, Slice function, Reason reason) noexcept nogil:
        cdef Slice unique = job_unique(job)
        cdef Note note
        cdef size_t name_size = min(function.size, <size_t>MOST_NAME)
        if not self.on:
            return
        note.number = job.number
        note.reason = <uint8_t>reason
        note.attempts = job.attempts
        note.name_size = <uint8_t>name_size
        note.unique_size = <uint8_t>unique.size
        if not self.make_room(sizeof(Note) + name_size + unique.size):
            self.missed += 1
            return
        self.put(&note, sizeof(Note))
        self.put(function.data, name_size)
        self.put(unique.data, unique.size)

    cdef bint make_room(self, size_t more) noexcept nogil:
        cdef size_t room = max(self.room, <size_t>FIRST_ROOM)
        cdef char* larger
        while room < self.size + more:
            room *= 2
        if room == self.room:
            return True
        if room > MOST:
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

    def take(self):
        cdef char* notes = self.notes
        cdef size_t size = self.size, missed = self.missed, at = 0
        cdef Note note
        cdef list found = []
        self.notes = NULL
        self.size = self.room = self.missed = 0
        try:
            while at < size:
                memcpy(&note, notes + at, sizeof(Note))
                at += sizeof(Note)
                function = notes[at:at + note.name_size]
                at += note.name_size
                unique = notes[at:at + note.unique_size]
                at += note.unique_size
                found.append((note.number, function, unique, note.attempts, note.reason))
        finally:
            free(notes)
        return found, missed
