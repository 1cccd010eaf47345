# MEMORY   how much of it the process has, and who gives way when there is little left.
#
# What counts is what the system counts: the pages the process has in memory, less those that are free for what comes
# next. It is looked at every few milliseconds in which there is something to do, and at each tick.

from gearfast.ground.hold cimport Hold, Holds
from gearfast.server.session cimport Service

cdef enum:
    FOR_TROUBLE = 0                       # to say so in the log, and to close who cannot be served
    FOR_THE_END = 1                       # so that the program can always be told to stop
    RESERVES = 2

cdef class Memory:
    cdef Service service
    cdef readonly size_t limit            # bytes; 0: none
    cdef double next                      # when to look again, monotonic seconds
    cdef double next_tidying
    cdef size_t free                      # bytes of the process that are in no use, when that was last looked at
    cdef Holds* holds
    cdef int pages                        # the descriptor by which the system tells
    cdef void* reserve[RESERVES]          # blocks that are given back when there is no memory left
    cdef size_t reserve_size

    cdef inline void watch(self) noexcept:        # after everything that may have taken some
        if self.service.own.now >= self.next:
            self.look()
    cdef bint wants_ticks(self) noexcept nogil    # its time comes also when nobody does anything
    cdef void tick(self) noexcept
    cdef void regain(self) noexcept
    cdef void spend(self, int reserve) noexcept
    cdef bint is_spent(self, int reserve) noexcept nogil
    cdef void look(self) noexcept
    cdef void tidy_up(self) noexcept              # free memory is the system's again
    cdef size_t resident(self) noexcept
    cdef size_t in_use(self) noexcept
    cdef int turn_submits(self, bint crowded) except -1
    cdef bint cut(self, list sessions, size_t much) except -1
    cdef int find_largest(self, Hold** largest) noexcept
    cdef bint cut_largest(self, size_t much) except -1    # whether that may not have been enough
