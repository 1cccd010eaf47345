"""Players, and the wire between one and the server."""

from libc.errno cimport EAGAIN, ECONNRESET
from libc.string cimport memcpy, memset

from gearfast.ground.lock cimport lock_enter, lock_leave
from gearfast.protocol.packet cimport PacketWriter
from gearfast.server.iothread cimport EPOLLIN, EPOLLOUT
from gearfast.server.plain cimport ALL, GONE, PART
from gearfast.server.round cimport round_waits

from tests.fuzz.account cimport plain
from tests.fuzz.buffer cimport buffer_close, buffer_drop, buffer_first, buffer_left, buffer_more, buffer_put
from tests.fuzz.complaint cimport complain
from tests.fuzz.loop cimport FIRST_DESCRIPTOR
from tests.fuzz.pen cimport (
    write_ability, write_echo, write_grab, write_header, write_line, write_little, write_odd, write_report,
    write_status, write_submit,
)
from tests.fuzz.poison cimport poison, unpoison
from tests.fuzz.script cimport (
    BYTES, CAN_DO, ECHO, FILL, GRAB, HEADER, LINE, LITTLE, ODD, REPORT, SLEEP, STATUS, SUBMIT, WORK, size_of, times_of,
)

cdef extern from *:
    """
    #include <errno.h>
    #define set_errno(number) (errno = (number))
    """
    void set_errno(int) nogil

cdef enum:
    MAX_SAYING = 1 << 20         # bytes that the server has not read: then it waits until it has
    MAX_FILL = 9000              # more than a line may have
    BROKEN = -2

cdef size_t[8] WINDOWS = [<size_t>-1, <size_t>-1, 0, 1, 7, 100, 5000, 70000]
cdef size_t[8] PIECES = [<size_t>-1, 1, 2, 5, 11, 13, 100, 1000]


cdef class Player(Watched):
    def __cinit__(self, int place):
        self.place = place
        self.account = Account(place)

    def __dealloc__(self):
        buffer_close(&self.saying)

    # --- connections ---

    cdef void come(self, Turn turn, double linger):
        buffer_close(&self.saying)
        self.window = self.piece = <size_t>-1
        self.holds_back = self.silent = self.gone = self.broken = False
        self.wire = Wire(turn, turn.loop, self.place + FIRST_DESCRIPTOR, b"127.0.0.%d" % self.place, linger, self)

    cdef void leave(self, int how):
        """0: it closes; 1: the connection breaks; 2: it says nothing more; 3: the loop notices, and gives it up."""
        self.silent = True
        self.gone = how & 3 != 2
        self.broken = how & 3 == 1 or how & 3 == 3
        if how & 3 == 3:
            self.reader = None

    # --- what it says ---

    cdef void speak(self, const Cell* cell, double wall):
        global plain
        cdef Buffer* out = &self.saying
        cdef size_t size
        if self.silent or self.wire is None or buffer_left(out) > MAX_SAYING:
            return
        if cell.op in (ODD, BYTES, FILL, HEADER):
            plain = False
        if cell.op == SUBMIT:
            write_submit(out, cell, wall)
        elif cell.op == CAN_DO:
            write_ability(out, cell)
        elif cell.op == ECHO:
            write_echo(out, cell)
        elif cell.op == LITTLE:
            write_little(out, cell)
        elif cell.op == ODD:
            write_odd(out, cell)
        elif cell.op == HEADER:
            write_header(out, cell)
        elif cell.op == BYTES:
            buffer_put(out, cell.bytes, cell.size)
        elif cell.op == FILL:
            size = (cell.b | cell.c << 8) % MAX_FILL
            memset(buffer_more(out, size), cell.a, size)
        elif not self.speak_of_jobs(cell):
            complain("a cell that nobody can play")

    cdef bint speak_of_jobs(self, const Cell* cell):
        cdef Buffer* out = &self.saying
        cdef uint64_t number = self.chosen(cell.c if cell.op != REPORT else cell.b)
        cdef int time, kind = cell.a % 8
        if cell.op == GRAB:
            write_grab(out, cell)
        elif cell.op == SLEEP:
            memcpy(buffer_more(out, 12), b"\0REQ\0\0\0\4\0\0\0\0", 12)
        elif cell.op == STATUS:
            write_status(out, cell, number)
        elif cell.op == LINE:
            write_line(out, cell, number)
        elif cell.op == WORK:
            self.work(cell)
        elif cell.op == REPORT:
            kind = 3 if kind > 5 else kind
            for time in range(1 if kind > 2 else min(times_of(cell.c >> 4), 1 + 200_000 // <int>(size_of(cell.c) + 1))):
                write_report(out, kind, number, <size_t>-1 if cell.a & 0xC0 == 0xC0 else size_of(cell.c))
            if kind > 2 and not (kind == 5 and cell.a & 0x20):
                self.account.let_go(number)
        else:
            return False
        return True

    cdef void work(self, const Cell* cell):
        """It ends all that it holds, and asks for more."""
        cdef int time
        while self.account.holding > 0:
            write_report(&self.saying, 4 if cell.a & 1 else 3, self.account.held[0], size_of(cell.c))
            self.account.let_go(self.account.held[0])
        write_grab(&self.saying, cell)
        if cell.b & 1:
            memcpy(buffer_more(&self.saying, 12), b"\0REQ\0\0\0\4\0\0\0\0", 12)

    cdef uint64_t chosen(self, int number) noexcept:
        """A job, most often one that it holds; the first ones of all are easy to name, too."""
        if number < 192 and self.account.holding > 0:
            return self.account.held[number % self.account.holding]
        return number % 64 + 1

    # --- what it hears ---

    cdef void take(self, int how) noexcept:
        cdef size_t more = WINDOWS[how & 7]
        self.window = more if how & 7 < 3 else self.window + min(more, <size_t>-1 - self.window)

    cdef ssize_t hear(self, Slice told) noexcept:
        cdef size_t size = min(told.size, self.window)
        if self.gone:
            return BROKEN
        if self.window != <size_t>-1:
            self.window -= size
        if size > 0:
            self.account.heard(told.data, size)
        return size

    # --- the network ---

    cdef bint is_read_from(self) noexcept:
        return self.reader is not None and self.has_more()

    cdef bint has_more(self) noexcept:
        return not (self.holds_back and not self.gone) and (buffer_left(&self.saying) > 0 or self.silent)

    cdef bint takes(self) noexcept:
        return self.window > 0 or self.gone

    cdef int see(self) except -1:
        reader, writer = self.reader, self.writer
        if self.is_read_from():
            reader()
        if writer is not None and self.takes():
            writer()
        return 0

    cdef ssize_t give(self, char* at, size_t room) noexcept:
        cdef size_t size = min(min(buffer_left(&self.saying), room), self.piece)
        if self.broken:
            return BROKEN
        if self.holds_back and not self.gone:
            return -1
        if size == 0:
            return 0 if self.silent else -1
        memcpy(at, buffer_first(&self.saying), size)
        buffer_drop(&self.saying, size)
        self.account.said(at, size)
        return size


cdef class Wire(SocketTransport):
    """As SocketTransport, with a player where that has a descriptor."""

    def __cinit__(self, turn, loop, int fd, bytes address, double linger, Player player not None):
        self.player = player

    cdef int take_in(self) except -1:
        unpoison(self.turn.buffer, self.turn.buffer_size)
        return SocketTransport.take_in(self)

    cdef ssize_t receive(self, char* at, size_t room) noexcept nogil:
        cdef ssize_t size
        with gil:                     # who speaks is written in Python
            size = self.player.give(at, room)
            if size > 0 and self.buffer() <= at < self.buffer() + self.turn.buffer_size:
                poison(at + size, room - size)
        set_errno(ECONNRESET if size == BROKEN else EAGAIN)
        return max(size, -1)

    cdef void took(self) noexcept nogil:
        poison(self.buffer(), self.turn.buffer_size)             # it is the next one's now
        SocketTransport.took(self)

    cdef char* buffer(self) noexcept nogil:
        return self.turn.buffer if self.station == NULL else (<IoThread>self.station).buffer

    cdef Sent send_now(self) noexcept nogil:
        with gil:                     # who hears of it is written in Python
            return self.told()

    cdef Sent told(self) noexcept:
        cdef PacketWriter out = self.session.out
        cdef ssize_t size = self.player.hear(Slice(out.data + out.sent, out.sendable()))
        if size == BROKEN:
            return GONE
        self.sent(size)
        return PART if out.sendable() > 0 else ALL

    cdef size_t send_both(self, Slice waiting, Slice rest) noexcept nogil:
        with gil:                     # who hears of it is written in Python
            return self.told_both(waiting, rest)

    cdef size_t told_both(self, Slice waiting, Slice rest) noexcept:
        cdef ssize_t size = self.player.hear(waiting)
        if size == <ssize_t>waiting.size:
            size += max(<ssize_t>0, self.player.hear(rest))
        return max(<ssize_t>0, size)

    cdef void write_eof(self):
        self.lingering = True
        if not self.reading:
            self.read_on(True)

    cdef void close_fd(self):
        if self.blocked:
            self.loop.remove_writer(self.fd)
        if self.player.wire is self:
            self.player.wire = None
            self.player.silent = self.player.gone = True


cdef class Second(IoThread):
    """As IoThread, without a thread: its rounds come when the script has them, and the system tells it nothing."""

    cdef bint ask(self, SocketTransport member, int how) noexcept nogil:
        return True

    cdef bint hears_of(self, Player player) noexcept:
        return (player.wire is not None and player.wire.station == <void*>self
                and (player.has_more() and player.wire.reading or player.wire.blocked and player.takes() or player.gone))

    cdef int see(self, list players) except -1:
        cdef Player player
        for player in players:
            if player.wire is not None:
                self.take_over(player.wire)
        lock_enter()
        self.service.round = &self.round
        for player in players:
            self.round.now = self.service.clock.monotonic()
            if self.hears_of(player):
                unpoison(self.buffer, self.buffer_size)
                self.serve(player.wire, (EPOLLIN if player.has_more() else 0) | (EPOLLOUT if player.takes() else 0))
        self.go_through(&self.round.queue, self.round.now + self.turn_time, 0)
        self.go_through(&self.round.backlog, self.round.now + self.turn_time, 1)
        self.round.work = 0
        called = self.turn.must_be_called()
        self.service.round = &self.service.own
        lock_leave()
        if called:
            self.turn.called()
        return 0

    cdef bint rests(self, list players) noexcept:
        cdef Player player
        for player in players:
            if self.hears_of(player):
                return False
        return not round_waits(&self.round)
