"""How much memory the process has, and who gives way when there is little left."""

from libc.math cimport INFINITY
from libc.stdio cimport sscanf
from libc.stdlib cimport free, malloc
from posix.fcntl cimport O_CLOEXEC, O_RDONLY, open as open_file
from posix.unistd cimport close as close_file, pread, sysconf, _SC_PAGESIZE

from gearfast.ground.allocator cimport give_memory_back
from gearfast.ground.clock cimport monotonic_time
from gearfast.ground.collector cimport hold_collector, release_collector
from gearfast.ground.hold cimport ANSWERS, PACKETS, all_holds
from gearfast.ground.lock cimport lock_enter, lock_leave
from gearfast.ground.pool cimport pool_free
from gearfast.ground.ring cimport Ring, ring_append, ring_leave
from gearfast.server.session cimport IN_THE_WAY, Session

from gearfast import config, logs

cdef double CROWDED = config.MEMORY_CROWDED
cdef double SHORT = config.MEMORY_SHORT
cdef double PAUSE = config.MEMORY_LOOK

cdef enum:
    AT_ONCE = 16          # peers cut off at a time; then it is seen what that has brought
    WALK = 4096           # buffers looked at for it


cdef class Memory:
    def __cinit__(self, Service service not None, settings not None):
        self.service = service
        self.limit = settings.max_memory
        self.reserve_size = settings.memory_reserve
        self.holds = all_holds()
        self.next = 0 if self.limit > 0 else INFINITY
        self.pages = open_file(b"/proc/self/statm", O_RDONLY | O_CLOEXEC)
        self.regain()

    def __dealloc__(self):
        self.spend(FOR_TROUBLE)
        self.spend(FOR_THE_END)
        if self.pages > 0:
            close_file(self.pages)

    # --- what is kept for the worst ---

    cdef void spend(self, int reserve) noexcept:
        free(self.reserve[reserve])
        self.reserve[reserve] = NULL

    cdef bint is_spent(self, int reserve) noexcept nogil:
        return self.reserve[reserve] == NULL

    cdef void regain(self) noexcept:
        cdef int at
        for at in range(RESERVES - 1, -1, -1):
            if self.is_spent(at):
                self.reserve[at] = malloc(max(self.reserve_size, <size_t>1))

    def spend_reserve(self):
        lock_enter()
        self.spend(FOR_TROUBLE)
        self.service.broker.crowded = True        # until there is memory for it again
        lock_leave()

    def spend_last_reserve(self):
        lock_enter()
        self.spend(FOR_THE_END)
        lock_leave()

    # --- what there is ---

    cdef bint wants_ticks(self) noexcept nogil:
        return self.limit > 0 or self.is_spent(FOR_TROUBLE) or self.is_spent(FOR_THE_END)

    cdef void tick(self) noexcept:
        lock_enter()
        self.regain()
        lock_leave()
        if self.limit > 0:
            self.look()
        elif self.service.broker.crowded:
            lock_enter()
            self.service.broker.crowded = self.is_spent(FOR_TROUBLE)
            lock_leave()

    cdef size_t resident(self) noexcept:
        cdef char text[64]
        cdef ssize_t size = pread(self.pages, text, sizeof(text) - 1, 0)
        cdef size_t pages = 0
        if size > 0:
            text[size] = 0
            sscanf(text, b"%*u %zu", &pages)
        return pages * sysconf(_SC_PAGESIZE)

    cdef size_t in_use(self) noexcept:
        cdef size_t resident = self.resident()
        return resident - min(self.free, resident)

    cdef void tidy_up(self) noexcept:
        """Both walk over much that is free; that may take a twentieth of the time."""
        cdef double begin = monotonic_time(), end
        if begin >= self.next_tidying:
            give_memory_back()
            lock_enter()
            self.free = pool_free()
            lock_leave()
            end = monotonic_time()
            self.next_tidying = end + 20 * (end - begin)

    cdef void look(self) noexcept:
        cdef size_t used
        cdef bint more = False
        try:
            used = self.resident()                # what is free of it is counted when it matters
            if used > self.limit * CROWDED:
                self.tidy_up()
                used = self.in_use()
            self.turn_submits(used > self.limit * CROWDED or self.is_spent(FOR_TROUBLE))
            if used > self.limit * SHORT:
                more = self.cut_largest(<size_t>(used - self.limit * SHORT))
        except Exception as error:
            self.service.notes.log.error("%r", error)
        lock_enter()
        self.next = self.service.own.now + (0 if more else PAUSE)
        lock_leave()

    cdef int turn_submits(self, bint crowded) except -1:
        """Refuse them, or take them again."""
        if crowded == self.service.broker.crowded:
            return 0
        lock_enter()
        self.service.broker.crowded = crowded
        lock_leave()
        if crowded:
            self.service.notes.say(
                logs.WARNING, "Memory is short: more than %d %% of --max-memory are in use, and submits are refused",
                (<int>(CROWDED * 100),),
            )
        else:
            self.service.notes.say(logs.NOTICE, "There is enough memory again: submits are accepted", ())
        return 0

    cdef bint cut_largest(self, size_t much) except -1:
        """Cut off whose buffers are the largest, until `much` is free."""
        cdef list sessions
        cdef Hold* largest[AT_ONCE]
        cdef bint collects
        cdef int count, at
        lock_enter()
        collects = hold_collector()
        try:
            count = self.find_largest(largest)
            sessions = [<Session>largest[at].holder for at in range(count)]        # so that each stays that long
        finally:
            release_collector(collects)
            lock_leave()
        return self.cut(sessions, much)

    cdef int find_largest(self, Hold** largest) noexcept:
        cdef Hold* hold
        cdef Ring* head = &self.holds.much
        cdef Ring* link = head.next
        cdef Session session
        cdef int count = 0, steps = 0, at
        while link != head and steps < WALK:
            hold = <Hold*>link
            link = link.next
            session = <Session>hold.holder
            steps += 1
            if session.service is not self.service:
                continue
            at = count
            count = min(count + 1, <int>AT_ONCE)
            while at > 0 and hold.size > largest[at - 1].size:
                if at < <int>AT_ONCE:
                    largest[at] = largest[at - 1]
                at -= 1
            if at < <int>AT_ONCE:
                largest[at] = hold
        if link != head:                          # the others are looked at first the next time
            ring_leave(head)
            ring_append(link, head)
        return count

    cdef bint cut(self, list sessions, size_t much) except -1:
        cdef Session session
        for session in sessions:
            lock_enter()
            much -= min(much, session.reader.hold.size + session.out.hold.size)
            if session.held is not None:
                much -= min(much, session.held.hold.size)
            session.trouble = IN_THE_WAY
            lock_leave()
            session.abort()
            if much == 0:
                return False
        return len(sessions) > 0

    def figures(self):
        cdef size_t jobs, packets, answers
        lock_enter()
        self.free = pool_free()
        jobs = self.service.broker.held_bytes
        packets, answers = self.holds.size[<int>PACKETS], self.holds.size[<int>ANSWERS]
        lock_leave()
        return {
            "limit": self.limit,
            "resident": self.resident(),
            "used": self.in_use(),
            "jobs": jobs,
            "unfinished packets": packets,
            "unread answers": answers,
        }

    def can_measure(self):
        return self.resident() > 0
