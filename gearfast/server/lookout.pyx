"""When to look at how much the threads have to do, and who makes the loop's thread work."""

from libc.math cimport INFINITY

from gearfast.ground.lock cimport lock_enter, lock_leave

cdef enum:
    OFTEN = 8             # reads after which a peer is worth being read from by another thread


cdef class Lookout:
    def __cinit__(self, Service service not None):
        self.service = service
        self.busy = []
        self.next = INFINITY

    cdef int tell(self) except -1:
        cdef bint found, look
        cdef list busy
        if self.threads is None:
            return 0
        lock_enter()
        found, self.found = self.found, False
        busy, self.busy = self.busy, []
        look = self.next <= self.service.own.now
        if look:
            self.next = INFINITY
        lock_leave()
        if found:
            self.threads.place(busy)
        if look:
            self.threads.look()
        return 0

    cdef int was_read(self, object member, Reads* reads) except -1:
        if self.sample == 0:
            return 0
        if reads.sample != self.sample:
            reads.sample = self.sample
            reads.count = 0
        reads.count += 1
        if reads.count == self.often:
            self.busy.append(member)
            self.found = True
        return 0

    def look_again(self, double seconds):
        lock_enter()
        self.next = self.service.own.now + seconds
        lock_leave()

    def look_for_busy(self, unsigned int often=OFTEN):
        lock_enter()
        self.often = often
        self.sample += 1
        lock_leave()

    @property
    def reads(self):
        cdef unsigned long long reads
        lock_enter()
        reads = self.service.own.reads
        lock_leave()
        return reads
