"""What one player knows by the protocol."""

from libc.stdlib cimport free, realloc
from libc.string cimport memchr, memcmp, memset

from gearfast.ground.slice cimport same_bytes

from tests.fuzz.buffer cimport buffer_close, buffer_drop, buffer_first, buffer_left, buffer_put
from tests.fuzz.complaint cimport complain, tell, telling
from tests.fuzz.kinds cimport (
    ANSWER, ARGUMENT_TOO_LARGE, ASSIGNED, CREATED, DOUBTED, ECHOED, HEADER, INVALID_COMMAND, INVALID_MAGIC, INVALID_PACKET, INVALID_PARAMETER,
    JOB_NOT_FOUND, KEPT, LINE, LINES, MAX_ARGUMENT, MAX_HANDLE, MAX_LINE, MAX_PARTS, NOTHING, OPTION, REFUSED,
    STATUS, STATUS_UNIQUE, WOKEN, big_endian, code_of, kind_name, kind_of, split,
)
from tests.fuzz.lines cimport answer_to
from tests.fuzz.pen cimport is_pattern, number_of, seed_of

packets = 0
plain = True


cdef inline uint32_t sum_of(Slice body) noexcept nogil:
    """Of a few of the bytes, and their order."""
    cdef uint32_t sum = 0
    cdef size_t at = 0
    while at < body.size:
        sum = sum * 31 + <unsigned char>body.data[at]
        at += 1 + (body.size >> 6)
    return sum


cdef class Witness:
    cdef bint has(self, uint64_t number) noexcept:
        return True


cdef class Account:
    def __cinit__(self, int player):
        self.player = player

    def __dealloc__(self):
        self.close()

    cdef void open(self, size_t max_packet_size, Witness witness):
        self.close()
        self.max_packet_size = max_packet_size
        self.witness = witness

    cdef void close(self):
        free(self.debts)
        free(self.waiting)
        buffer_close(&self.begun)
        buffer_close(&self.heard_of)
        self.debts = NULL
        self.waiting = NULL
        self.first = self.end = self.room = self.skip = self.waiting_room = self.waits = 0
        self.dead = self.lost = self.last_word = self.learned = False
        self.sleeps = self.noops = 0
        self.holding = 0
        self.witness = None

    cdef void wrong(self, str text) noexcept:
        complain(f"player {self.player}: {text}")

    # --- what it says ---

    cdef void said(self, const char* data, size_t size) noexcept:
        cdef size_t used = 1
        if self.dead:
            return
        if buffer_left(&self.begun) > 0:
            buffer_put(&self.begun, data, size)
            while used > 0 and not self.dead:
                used = self.one_said(buffer_first(&self.begun), buffer_left(&self.begun))
                buffer_drop(&self.begun, used)
            return
        while used > 0 and not self.dead:
            used = self.one_said(data, size)
            data += used
            size -= used
        buffer_put(&self.begun, data, size)

    cdef size_t one_said(self, const char* data, size_t size) noexcept:
        """Read one request. How many bytes it has; 0: not all of it is there."""
        global packets
        cdef uint32_t magic, announced
        cdef const Kind* kind
        cdef size_t skipped = min(self.skip, size)
        if skipped > 0:
            self.skip -= skipped
            return skipped
        if size > 0 and data[0] != 0:
            return self.one_line(data, size)
        if size < HEADER:
            return 0
        magic, announced = big_endian(data), big_endian(data + 8)
        kind = kind_of(big_endian(data + 4))
        self.dead = magic not in (0x00524551, 0x00524553) or kind == NULL
        if self.dead:
            return 0
        if kind.arguments == 0 and not kind.payload:
            self.skip = announced
            announced = 0
        self.dead = announced > self.max_packet_size or (
            not kind.payload and announced > <uint32_t>kind.arguments * MAX_ARGUMENT)
        if self.dead or size < HEADER + <size_t>announced:
            return 0
        packets += 1
        if telling:
            told(self.player, "says", big_endian(data + 4), Slice(data + HEADER, announced))
        self.request(kind, magic == 0x00524553, Slice(data + HEADER, announced))
        return HEADER + <size_t>announced

    cdef size_t one_line(self, const char* data, size_t size) noexcept:
        global packets
        cdef const char* end = <const char*>memchr(data, c"\n", min(size, <size_t>MAX_LINE + 1))
        cdef Owed owed
        if end == NULL:
            self.dead = size > MAX_LINE + 1
            return 0
        packets += 1
        if telling:
            tell(f"    player {self.player} says {data[:end - data]}")
        owed = answer_to(Slice(data, end - data - (end > data and (end - 1)[0] == c"\r")))
        if owed == NOTHING:
            self.dead = True
        self.owe(owed, 0, Slice(NULL, 0))
        return end - data + 1

    cdef void request(self, const Kind* kind, bint response, Slice body) noexcept:
        cdef Slice parts[MAX_PARTS]
        cdef int count = split(kind, body, parts), needed = kind.arguments + kind.payload
        if self.is_too_long(kind, body, parts, count):
            self.dead = True
        elif response:
            self.owe(REFUSED, INVALID_MAGIC, body)
        elif count < needed and not (kind.arguments == 1 and body.size > 0):      # a bare handle is one without data
            self.owe(REFUSED, INVALID_PACKET, body)
        elif kind.owed == OPTION and not is_exceptions(parts[0]):
            self.owe(REFUSED, kind.codes, body)
        elif kind.owed == WOKEN:
            self.sleeps += 1
            self.learned = False
        elif kind.owed == DOUBTED and kind.codes == ARGUMENT_TOO_LARGE:           # CAN_DO_TIMEOUT
            self.learned = True
            self.owe_for_number(parts[1])
        elif kind.owed == DOUBTED and kind.codes & ARGUMENT_TOO_LARGE:            # WORK_FAIL
            self.owe(REFUSED if body.size > MAX_HANDLE else DOUBTED,
                     ARGUMENT_TOO_LARGE if body.size > MAX_HANDLE else JOB_NOT_FOUND, body)
        else:
            self.learned = self.learned or kind.owed in (NOTHING, DOUBTED)
            self.owe(kind.owed, kind.codes | has_parameters(kind.owed, parts[0]), body)

    cdef void owe_for_number(self, Slice digits) noexcept:
        """An ERROR if they do not fit 64 bits; what is no plain number may mean this or that."""
        cdef size_t at
        for at in range(digits.size):
            if not c"0" <= digits.data[at] <= c"9":
                self.lost = self.dead = True
        if digits.size > 19 and digits.data[0] != c"0":
            self.owe(REFUSED, ARGUMENT_TOO_LARGE, digits)
        elif digits.size > 18:
            self.lost = self.dead = True

    cdef bint is_too_long(self, const Kind* kind, Slice body, Slice* parts, int count) noexcept:
        cdef int terminated = kind.arguments if kind.payload else kind.arguments - 1, at
        for at in range(min(count + 1, terminated)):
            if parts[at].size + (at < count) > MAX_ARGUMENT:
                return True
        return not kind.payload and count > terminated >= 0 and parts[terminated].size > MAX_ARGUMENT

    cdef void owe(self, Owed owed, int codes, Slice body) noexcept:
        if owed == NOTHING:
            return
        if self.end == self.room:
            if self.first > 0:
                self.end -= self.first
                for at in range(self.end):
                    self.debts[at] = self.debts[at + self.first]
                self.first = 0
            if self.end * 2 >= self.room:
                self.room = self.room * 2 + 16
                self.debts = <Debt*>realloc(self.debts, self.room * sizeof(Debt))
        self.debts[self.end] = Debt(owed, <uint16_t>codes, <uint32_t>body.size, sum_of(body))
        self.end += 1

    # --- what it is answered ---

    cdef void heard(self, const char* data, size_t size) noexcept:
        cdef size_t used = 1
        if self.lost:
            return
        if buffer_left(&self.heard_of) > 0:
            buffer_put(&self.heard_of, data, size)
            while used > 0:
                used = self.one_heard(buffer_first(&self.heard_of), buffer_left(&self.heard_of))
                buffer_drop(&self.heard_of, used)
            return
        while used > 0:
            used = self.one_heard(data, size)
            data += used
            size -= used
        buffer_put(&self.heard_of, data, size)

    cdef size_t one_heard(self, const char* data, size_t size) noexcept:
        cdef const char* end
        cdef uint32_t type, announced
        cdef const Kind* kind
        if size == 0:
            return 0
        if data[0] != 0:
            end = <const char*>memchr(data, c"\n", size)
            if end == NULL:
                return 0
            self.line(Slice(data, end - data))
            return end - data + 1
        if size < HEADER:
            return 0
        type, announced = big_endian(data + 4), big_endian(data + 8)
        kind = kind_of(type)
        if big_endian(data) != 0x00524553 or kind == NULL:
            self.wrong(f"what it is sent is no packet: {data[:min(size, <size_t>40)]}")
            return size
        if size < HEADER + <size_t>announced:
            return 0
        if telling:
            told(self.player, "hears", type, Slice(data + HEADER, announced))
        self.answer(type, kind, Slice(data + HEADER, announced))
        return HEADER + <size_t>announced

    cdef void answer(self, uint32_t type, const Kind* kind, Slice body) noexcept:
        cdef Slice parts[MAX_PARTS]
        cdef int count = split(kind, body, parts)
        cdef Debt paid
        memset(&paid, 0, sizeof(paid))
        if type == 14:                                           # a handle, and what its worker has put behind it
            parts[0] = cut_at_nul(parts[0] if count > 0 else body)
            self.reported(type, parts, count)
        elif count < kind.arguments + kind.payload:
            self.wrong(f"{kind_name(type)} lacks arguments: {body.data[:min(body.size, <size_t>100)]}")
        elif type == 6:
            self.noops += 1
            if self.noops > self.sleeps:
                self.wrong("it is woken more often than it went to sleep")
        elif type == 8:
            if self.settle(CREATED, &paid):
                self.created(number_of(parts[0]), paid.owed)
        elif type == 10:
            self.settle(ASSIGNED, &paid)
        elif type in (11, 31, 40):
            self.settle(ASSIGNED, &paid)
            self.assigned(parts, count)
        elif type == 17 or type == 27:
            self.settle(ECHOED if type == 17 else OPTION, &paid)
            if paid.size != body.size or paid.sum != sum_of(body):
                self.wrong(f"{kind_name(type)} is not what was said: {body.size} bytes for {paid.size}")
        elif type in (20, 42):
            self.settle(STATUS if type == 20 else STATUS_UNIQUE, &paid)
        elif type == 19:
            self.refused(body)
        elif type in (12, 13, 25, 28, 29):
            self.reported(type, parts, count)
        else:
            self.wrong(f"a server does not say {kind_name(type)}")

    cdef bint settle(self, Owed owed, Debt* paid) noexcept:
        """The oldest debt that must be paid has to be this one."""
        while self.first < self.end and self.debts[self.first].owed == DOUBTED:
            self.first += 1
        if self.first == self.end:
            self.wrong("it is answered what it has not asked")
            return False
        paid[0] = self.debts[self.first]
        self.first += 1
        if paid.owed == owed or (owed == CREATED and paid.owed == KEPT):
            return True
        self.wrong(f"its answer {<int>owed} comes where it is owed {<int>paid.owed}")
        return False

    cdef void refused(self, Slice body) noexcept:
        cdef Slice parts[2]
        cdef int code
        split(kind_of(19), body, parts)
        code = code_of(parts[0])
        while self.first < self.end:
            self.first += 1
            if self.debts[self.first - 1].codes & code:
                return
            if self.debts[self.first - 1].owed != DOUBTED:
                owed = <int>self.debts[self.first - 1].owed
                self.wrong(f"it is owed {owed}, not ERROR {parts[0].data[:parts[0].size]}")
                return
        if not self.dead or self.last_word:
            self.wrong(f"an ERROR that nothing has led to: {body.data[:body.size]}")
        self.last_word = True

    cdef void created(self, uint64_t number, Owed owed) noexcept:
        cdef size_t room = self.waiting_room
        if number == 0:
            self.wrong("JOB_CREATED has a handle that is none")
        elif owed == KEPT:
            if self.witness is not None and not self.witness.has(number):
                self.wrong(f"it is told that job {number} is kept, and the store does not have it")
        else:
            if number >= room:
                self.waiting_room = number * 2 + 16
                self.waiting = <uint32_t*>realloc(self.waiting, self.waiting_room * sizeof(uint32_t))
                memset(self.waiting + room, 0, (self.waiting_room - room) * sizeof(uint32_t))
            self.waiting[number] += 1
            self.waits += 1

    cdef void assigned(self, Slice* parts, int count) noexcept:
        cdef uint64_t number = number_of(parts[0])
        if number == 0:
            self.wrong("it is given a job without a handle")
        if plain and not is_pattern(parts[count - 1], seed_of(parts[1])):
            self.wrong(f"job {number} is not what its client has sent")
        if self.holding == MAX_HELD:
            self.let_go(self.held[0])
        self.held[self.holding] = number
        self.holding += 1

    cdef void let_go(self, uint64_t number) noexcept:
        cdef int at, kept = 0
        for at in range(self.holding):
            if self.held[at] != number:
                self.held[kept] = self.held[at]
                kept += 1
        self.holding = kept

    cdef void reported(self, uint32_t type, Slice* parts, int count) noexcept:
        cdef uint64_t number = number_of(parts[0])
        if number == 0 or number >= self.waiting_room or self.waiting[number] == 0:
            self.wrong(f"it hears {kind_name(type)} of job {number}, and waits for no such result")
            return
        if type in (13, 14, 25):
            self.waiting[number] -= 1
            self.waits -= 1
        if plain and type in (13, 28, 29) and not is_pattern(parts[1], <unsigned char>number):
            self.wrong(f"{kind_name(type)} of job {number} is not what its worker has sent")

    cdef void line(self, Slice text) noexcept:
        cdef bint is_dot = text.size == 1 and text.data[0] == c"."
        if telling:
            tell(f"    player {self.player} hears {text.data[:min(text.size, <size_t>200)]}")
        while self.first < self.end and self.debts[self.first].owed == DOUBTED:
            self.first += 1
        if self.first == self.end or self.debts[self.first].owed not in (LINE, LINES, ANSWER):
            if not (is_dot and not plain):                       # somebody's unique id may be a dot
                self.wrong(f"it is sent a line where none is owed: {text.data[:min(text.size, <size_t>100)]}")
        elif is_dot or self.debts[self.first].owed == LINE or (self.debts[self.first].owed == ANSWER and is_error(text)):
            self.first += 1
        elif is_error(text) and plain:
            self.wrong(f"a long answer breaks off: {text.data[:min(text.size, <size_t>100)]}")

    cdef bint is_settled(self) noexcept:
        cdef size_t at
        for at in range(self.first, self.end):
            if self.debts[at].owed != DOUBTED:
                return False
        return True


cdef inline bint is_error(Slice text) noexcept:
    return text.size > 4 and memcmp(text.data, b"ERR ", 4) == 0


cdef Slice cut_at_nul(Slice text) noexcept:
    cdef size_t size = 0
    while size < text.size and text.data[size] != 0:
        size += 1
    return Slice(text.data, size)


cdef inline int has_parameters(Owed owed, Slice name) noexcept:
    """The ERROR that may come for what stands behind a semicolon."""
    if owed in (CREATED, KEPT) and name.size > 0 and memchr(name.data, c";", name.size) != NULL:
        return INVALID_PARAMETER
    return 0


cdef bint is_exceptions(Slice name) noexcept:
    name = cut_at_nul(name)
    return name.data[:name.size].lower() == b"exceptions"


cdef void told(int player, str verb, uint32_t type, Slice body) noexcept:
    cdef bytes start = body.data[:min(body.size, <size_t>60)]
    more = f" and so on, {body.size} bytes" if body.size > 60 else ""
    tell(f"    player {player} {verb} {kind_name(type)} {start!r}{more}")
