"""Packets and admin lines out of a byte stream, and packets into a buffer (protocol section 1)."""

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdlib cimport free, realloc
from libc.string cimport memchr, memcpy, memmove

from gearfast.ground.hold cimport ANSWERS, PACKETS, hold_open, hold_set
from gearfast.ground.lock cimport lock_enter, lock_leave
from gearfast.ground.pool cimport pool_give, pool_take

from gearfast.config import ARGUMENT_SIZE, LARGE_BODY, LINE_SIZE
from gearfast.errors import ProtocolError

cdef extern from "arpa/inet.h" nogil:
    uint32_t ntohl(uint32_t)
    uint32_t htonl(uint32_t)

cdef size_t MAX_ARGUMENT = ARGUMENT_SIZE
cdef size_t MAX_LINE = LINE_SIZE
cdef size_t LARGE = LARGE_BODY
cdef enum:
    FIRST_ROOM = 1000            # bytes of a writer's first buffer
    MAGIC_REQ = 0x00524551       # "\0REQ"
    MAGIC_RES = 0x00524553       # "\0RES"

cdef struct Shape:
    int arguments
    bint payload

cdef Shape SHAPES[LAST_TYPE + 1]

for _type in range(LAST_TYPE + 1):
    SHAPES[_type] = Shape(0, False)
for _type in (1, 2, 8, 14, 15, 22, 26, 27, 41):
    SHAPES[_type] = Shape(1, False)
for _type in (13, 25, 28, 29):
    SHAPES[_type] = Shape(1, True)
for _type in (7, 11, 18, 21, 32, 33, 34):
    SHAPES[_type] = Shape(2, True)
SHAPES[<int>ECHO_REQ] = SHAPES[<int>ECHO_RES] = Shape(0, True)
SHAPES[<int>ERROR] = SHAPES[<int>CAN_DO_TIMEOUT] = Shape(2, False)
SHAPES[<int>WORK_STATUS] = Shape(3, False)
SHAPES[<int>STATUS_RES] = Shape(5, False)
SHAPES[<int>STATUS_RES_UNIQUE] = Shape(6, False)
SHAPES[<int>JOB_ASSIGN_UNIQ] = SHAPES[<int>SUBMIT_JOB_EPOCH] = Shape(3, True)
SHAPES[<int>SUBMIT_REDUCE_JOB] = SHAPES[<int>SUBMIT_REDUCE_JOB_BACKGROUND] = Shape(4, True)
SHAPES[<int>JOB_ASSIGN_ALL] = Shape(4, True)
SHAPES[<int>SUBMIT_JOB_SCHED] = Shape(7, True)
del _type


cdef inline uint32_t big_endian(const char* at) noexcept nogil:
    cdef uint32_t value
    memcpy(&value, at, 4)
    return ntohl(value)


cdef uint32_t body_size(const char* header) noexcept nogil:
    return big_endian(header + 8)


cdef bint split(Packet* packet, Shape shape) noexcept nogil:
    """Cut the body into its arguments and its payload (protocol section 1.2). False: an argument is too long."""
    cdef const char* at = packet.body.data
    cdef const char* end = at + packet.body.size
    cdef const char* nul
    cdef int terminated = shape.arguments if shape.payload else shape.arguments - 1
    cdef int i
    packet.count = shape.arguments
    packet.short_of_arguments = packet.unterminated = False
    packet.payload = Slice(NULL, 0)
    for i in range(terminated):
        nul = <const char*>memchr(at, 0, end - at)
        if <size_t>((end if nul == NULL else nul + 1) - at) > MAX_ARGUMENT:
            return False
        if nul == NULL:                                  # a handle alone can mean one thing only, other short bodies several
            packet.unterminated = shape.arguments == 1 and end > at
            packet.short_of_arguments = not packet.unterminated
            packet.argument[i] = Slice(at, end - at)
            return True
        packet.argument[i] = Slice(at, nul - at)
        at = nul + 1
    if shape.payload:
        packet.payload = Slice(at, end - at)
    elif shape.arguments > 0:
        if <size_t>(end - at) > MAX_ARGUMENT:
            return False
        packet.argument[terminated] = Slice(at, end - at)
    return True


@cython.final
cdef class PacketReader:
    def __cinit__(self, size_t max_packet_size=256 * 1024 * 1024):
        self.max_packet_size = max_packet_size
        self.tail = NULL
        self.tail_size = self.tail_room = 0
        self.view = NULL
        self.view_size = self.position = self.skip = 0
        hold_open(&self.hold, PACKETS)

    def __dealloc__(self):
        if self.hold.place.next != NULL:           # else it was not made: its arguments were wrong
            lock_enter()
            self.forget()
            lock_leave()

    cdef void forget(self) noexcept nogil:
        free(self.tail)
        self.tail = NULL
        self.view = NULL
        self.tail_size = self.tail_room = self.view_size = self.position = 0
        hold_set(&self.hold, 0)

    cdef char* begin(self, char* shared, size_t size, size_t* room) noexcept nogil:
        cdef size_t half = size // 2, whole
        if self.tail_size <= min(half, LARGE):           # read on in the shared buffer
            if self.tail_size > 0:
                memcpy(shared, self.tail, self.tail_size)
            room[0] = size - self.tail_size
            return shared + self.tail_size
        if self.tail_room - self.tail_size < half:
            # grows as bytes arrive, not as announced, and not beyond what was announced
            whole = HEADER_SIZE + <size_t>big_endian(self.tail + 8)
            if not self.keep(max(min(self.tail_room * 2, whole), self.tail_size + half)):
                return NULL
        room[0] = self.tail_room - self.tail_size
        return self.tail + self.tail_size

    cdef void received(self, char* at, size_t size) noexcept nogil:
        self.view = at - self.tail_size
        self.view_size = self.tail_size + size
        self.position = 0

    cdef void again(self) noexcept nogil:
        self.view = self.tail
        self.view_size = self.tail_size
        self.position = 0

    cdef Pulled next(self, Packet* packet) noexcept nogil:
        cdef size_t ignored = min(self.skip, self.view_size - self.position)
        self.skip -= ignored
        self.position += ignored
        if self.position >= self.view_size:
            return NEED_MORE
        if self.view[self.position] != 0:
            return self.read_line(packet)
        return self.read_header(packet)

    cdef Pulled stop(self, Fault fault, uint64_t figure) noexcept nogil:
        self.fault = fault
        self.figure = figure
        return WRONG

    cdef Pulled read_header(self, Packet* packet) noexcept nogil:
        cdef size_t left = self.view_size - self.position
        cdef const char* at = self.view + self.position
        cdef uint32_t magic, size
        if left < HEADER_SIZE:
            return NEED_MORE
        magic = big_endian(at)
        packet.type = big_endian(at + 4)
        size = big_endian(at + 8)
        if magic != MAGIC_REQ and magic != MAGIC_RES:
            return self.stop(NO_PACKET, magic)
        if packet.type == TEXT or packet.type > LAST_TYPE:
            return self.stop(NO_TYPE, packet.type)
        packet.response = magic == MAGIC_RES
        cdef Shape shape = SHAPES[packet.type]
        if not shape.payload:
            if shape.arguments == 0:                     # a body that nobody asked for is ignored
                packet.body = packet.payload = Slice(at + HEADER_SIZE, 0)
                packet.short_of_arguments = packet.unterminated = False
                packet.count = 0
                self.position += HEADER_SIZE
                self.skip = size
                return READY
            if size > shape.arguments * MAX_ARGUMENT:
                return self.stop(LONG_ARGUMENT, size)
        if size > self.max_packet_size:
            return self.stop(LARGE_PACKET, size)
        if left < HEADER_SIZE + <size_t>size:
            return NEED_MORE
        packet.body = Slice(at + HEADER_SIZE, size)
        self.position += HEADER_SIZE + size
        return READY if split(packet, shape) else self.stop(LONG_ARGUMENT, size)

    cdef Pulled read_line(self, Packet* packet) noexcept nogil:
        cdef size_t left = self.view_size - self.position
        cdef const char* at = self.view + self.position
        cdef const char* end = <const char*>memchr(at, c"\n", min(left, MAX_LINE + 1))
        if end == NULL:
            if left > MAX_LINE + 1:
                return self.stop(LONG_LINE, left)
            return NEED_MORE
        packet.type = TEXT
        packet.response = packet.short_of_arguments = packet.unterminated = False
        packet.count = 0
        packet.body = Slice(at, end - at)
        self.position += end - at + 1
        if packet.body.size > 0 and (end - 1)[0] == c"\r":
            packet.body.size -= 1
        return READY

    cdef void put_back(self, const Packet* packet) noexcept nogil:
        cdef size_t behind = 0 if packet.type == TEXT else HEADER_SIZE
        self.position = packet.body.data - behind - self.view

    cdef bint finish(self) noexcept nogil:
        cdef size_t left = self.view_size - self.position
        cdef const char* at = self.view + self.position
        if left == 0:
            if self.tail_room > 0:
                free(self.tail)
                self.tail = NULL
                self.tail_room = 0
        elif at != self.tail:
            if self.view != self.tail and left > self.tail_room:
                self.tail_size = 0
                if not self.keep(left):
                    return False
            memmove(self.tail, at, left)
            if left * 4 < self.tail_room and self.tail_room > MAX_ARGUMENT:
                self.keep(left)                              # or it stays as large as it is
        self.tail_size = left
        if left != self.hold.size:
            hold_set(&self.hold, left)
        self.view = NULL
        self.view_size = self.position = 0
        return True

    cdef bint keep(self, size_t room) noexcept nogil:
        cdef char* larger = <char*>realloc(self.tail, room)
        if larger == NULL:
            return False
        self.tail = larger
        self.tail_room = room
        return True

    cdef object error(self):
        if self.fault == NO_PACKET:
            return ProtocolError("the bytes are no Gearman packet (wrong magic)")
        if self.fault == NO_TYPE:
            return ProtocolError(f"packet type {self.figure} does not exist")
        if self.fault == LONG_ARGUMENT:
            return ProtocolError(f"an argument is longer than {MAX_ARGUMENT} bytes")
        if self.fault == LONG_LINE:
            return ProtocolError(f"a line is longer than {MAX_LINE} bytes")
        if self.fault == LARGE_PACKET:
            return ProtocolError(
                f"A packet of {self.figure} bytes is larger than this server takes ({self.max_packet_size})",
                "ARGUMENT_TOO_LARGE",
            )
        return MemoryError("no memory for the rest of a packet")

    def feed(self, data):
        cdef Py_buffer more
        cdef size_t size
        cdef bint done
        if self.fault != NO_FAULT:
            raise self.error()
        PyObject_GetBuffer(data, &more, PyBUF_SIMPLE)
        try:
            lock_enter()
            done = self.finish()
            lock_leave()
            if not done:
                raise self.error()
            size = self.tail_size + more.len
            if size > self.tail_room and not self.keep(max(size, min(2 * self.tail_room, size + MAX_ARGUMENT))):
                raise self.error()
            if more.len > 0:
                memcpy(self.tail + self.tail_size, more.buf, more.len)
            self.tail_size = size
        finally:
            PyBuffer_Release(&more)
        self.again()

    def __iter__(self):
        return self

    def __next__(self):
        cdef Packet packet
        cdef Pulled pulled = WRONG if self.fault != NO_FAULT else self.next(&packet)
        if pulled == READY:
            return packet_tuple(&packet)
        if pulled == WRONG:
            self.position = self.view_size               # nothing behind it has a meaning
        lock_enter()
        done = self.finish()
        lock_leave()
        if not done or pulled == WRONG:
            raise self.error()
        self.again()
        raise StopIteration

    @property
    def kept(self):
        return self.tail_room


cdef tuple packet_tuple(const Packet* packet):
    cdef int i
    cdef object arguments = None
    if not packet.short_of_arguments:
        arguments = tuple([packet.argument[i].data[:packet.argument[i].size] for i in range(packet.count)])
    if packet.type == TEXT:
        return TEXT, False, None, packet.body.data[:packet.body.size]
    payload = b"" if packet.payload.size == 0 or packet.short_of_arguments else \
        packet.payload.data[:packet.payload.size]
    return PacketType(packet.type), bool(packet.response), arguments, payload


@cython.final
cdef class PacketWriter:
    def __cinit__(self):
        self.data = self.pinned = NULL
        self.size = self.room = self.sent = 0
        self.base = 0
        self.fence = UNFENCED
        hold_open(&self.hold, ANSWERS)

    def __dealloc__(self):
        lock_enter()
        release(self)
        lock_leave()

    cdef char* begin(self, uint32_t type, size_t body_size, size_t size) noexcept nogil:
        cdef char* at
        cdef uint32_t header[3]
        if self.room - self.size < HEADER_SIZE + size and not grow(self, HEADER_SIZE + size):
            return NULL
        header[0] = htonl(MAGIC_RES)
        header[1] = htonl(type)
        header[2] = htonl(<uint32_t>body_size)
        at = self.data + self.size
        memcpy(at, header, HEADER_SIZE)
        self.size += HEADER_SIZE + size
        return at + HEADER_SIZE

    cdef bint make_room(self, size_t size) noexcept nogil:
        return self.room - self.size >= size or grow(self, size)

    cdef void repeat(self, size_t size, size_t times) noexcept nogil:
        cdef const char* first = self.data + self.size - size
        cdef size_t done = 1, more
        while done <= times:                      # each step copies all that is there already
            more = min(done, times + 1 - done)
            memcpy(self.data + self.size, first, more * size)
            self.size += more * size
            done += more

    cdef bint write(self, const char* data, size_t size) noexcept nogil:
        if size == 0:
            return True
        if self.room - self.size < size and not grow(self, size):
            return False
        memcpy(self.data + self.size, data, size)
        self.size += size
        return True

    cdef bint put_in(self, uint64_t end, const char* data, size_t size) noexcept nogil:
        cdef char* place
        if size == 0:
            return True
        if self.room - self.size < size and not grow(self, size):
            return False
        place = self.data + <size_t>(end - self.base)
        memmove(place + size, place, self.size - <size_t>(end - self.base))
        memcpy(place, data, size)
        self.size += size
        self.base -= size
        return True

    cdef bint append(self, PacketWriter other) noexcept nogil:
        if not self.write(other.data + other.sent, other.size - other.sent):
            return False
        other.forget()
        return True

    cdef void forget(self) noexcept nogil:
        release(self)
        self.data = NULL
        self.base += self.size
        self.size = self.room = self.sent = 0

    cdef void unpin(self) noexcept nogil:
        if self.pinned != self.data:
            give_back(self.pinned, self.pinned_room)
        self.pinned = NULL

    cdef void take_pin(self, PacketWriter other) noexcept nogil:
        self.pinned = other.pinned
        self.pinned_room = other.pinned_room
        if other.pinned != NULL and other.pinned == other.data:
            other.data = NULL
            other.size = other.sent = other.room = 0
            hold_set(&other.hold, 0)
        other.pinned = NULL


cdef inline void give_back(char* data, size_t room) noexcept nogil:
    if room == FIRST_ROOM:
        pool_give(data, FIRST_ROOM)
    else:
        free(data)


cdef inline void release(PacketWriter writer) noexcept nogil:
    if writer.room > 0:
        give_back(writer.data, writer.room)
    if writer.room > FIRST_ROOM:
        hold_set(&writer.hold, 0)


cdef bint grow(PacketWriter writer, size_t more) noexcept nogil:
    """Make room for `more` bytes: what was sent already goes first, then the buffer doubles. False: there is no memory.

    The first buffer, which most answers fit into and are sent from at once, is one of the pool's.
    """
    cdef size_t room
    cdef char* larger
    cdef bint stays = writer.pinned != NULL and writer.pinned == writer.data
    if writer.room == 0 and more <= FIRST_ROOM:
        writer.data = <char*>pool_take(FIRST_ROOM)
        writer.room = 0 if writer.data == NULL else FIRST_ROOM
        return writer.data != NULL
    if writer.sent > 0 and writer.sent * 2 >= writer.size and not stays:
        writer.base += writer.sent
        writer.size -= writer.sent
        memmove(writer.data, writer.data + writer.sent, writer.size)
        writer.sent = 0
        if writer.room - writer.size >= more:
            return True
    room = max(<size_t>FIRST_ROOM, writer.room) * 2
    while room - writer.size < more:
        room *= 2
    stays = stays or writer.room == FIRST_ROOM
    larger = <char*>realloc(NULL if stays else writer.data, room)
    if larger == NULL:
        return False
    if stays:
        memcpy(larger, writer.data, writer.size)
        if writer.data != writer.pinned:
            give_back(writer.data, writer.room)
    writer.data = larger
    writer.room = room
    hold_set(&writer.hold, room)
    return True
