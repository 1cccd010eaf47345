# ACCOUNT   what one player knows by the protocol: what it is owed, whose results it waits for, which jobs it holds.
#
# It reads what the server was given of the player's words, and what the player was sent, and complains of whatever
# does not fit. It knows nothing of how the server is made.

from libc.stdint cimport uint16_t, uint32_t, uint64_t

from gearfast.ground.slice cimport Slice

from tests.fuzz.buffer cimport Buffer
from tests.fuzz.kinds cimport Kind, Owed

cdef enum:
    MAX_HELD = 64                # jobs; of more it forgets the oldest

cdef struct Debt:
    Owed owed
    uint16_t codes                # of the ERROR that would do, too
    uint32_t size, sum            # of the body that is to come back

cdef uint64_t packets             # and lines that servers have been given so far, in this process
cdef bint plain                   # all that was said since the input began is whole packets of `pen`

cdef class Witness:               # of what the store has
    cdef bint has(self, uint64_t number) noexcept      # or need not have any more

cdef class Account:
    cdef int player
    cdef size_t max_packet_size
    cdef Witness witness          # None: there is no store
    cdef Debt* debts
    cdef size_t first, end, room
    cdef Buffer begun             # of a request
    cdef size_t skip              # bytes of a body that nobody asked for
    cdef bint dead                # nobody could follow what it has said any further
    cdef bint lost                # it has said what may mean this or that: it is not listened to any more
    cdef bint last_word           # ... and that was said
    cdef uint64_t sleeps, noops
    cdef bint learned             # what it can do has changed since it slept
    cdef uint32_t* waiting        # by number: results that it waits for
    cdef size_t waiting_room, waits
    cdef uint64_t[MAX_HELD] held # jobs, the oldest first
    cdef int holding
    cdef Buffer heard_of          # a part of an answer

    cdef void open(self, size_t max_packet_size, Witness witness)
    cdef void close(self)
    cdef void said(self, const char* data, size_t size) noexcept
    cdef void heard(self, const char* data, size_t size) noexcept
    cdef bint is_settled(self) noexcept                # nothing is owed that must come
    cdef void let_go(self, uint64_t number) noexcept   # it does not hold that job any more

    # --- within ---
    cdef size_t one_said(self, const char* data, size_t size) noexcept
    cdef size_t one_line(self, const char* data, size_t size) noexcept
    cdef void request(self, const Kind* kind, bint response, Slice body) noexcept
    cdef void owe_for_number(self, Slice digits) noexcept
    cdef bint is_too_long(self, const Kind* kind, Slice body, Slice* parts, int count) noexcept
    cdef void owe(self, Owed owed, int codes, Slice body) noexcept
    cdef size_t one_heard(self, const char* data, size_t size) noexcept
    cdef void answer(self, uint32_t type, const Kind* kind, Slice body) noexcept
    cdef bint settle(self, Owed owed, Debt* paid) noexcept
    cdef void refused(self, Slice body) noexcept
    cdef void created(self, uint64_t number, Owed owed) noexcept
    cdef void assigned(self, Slice* parts, int count) noexcept
    cdef void reported(self, uint32_t type, Slice* parts, int count) noexcept
    cdef void line(self, Slice text) noexcept
    cdef void wrong(self, str text) noexcept
