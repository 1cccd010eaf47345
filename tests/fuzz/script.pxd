# SCRIPT   what an input has the players do.
#
# Cells of four bytes, so that a changed byte changes one step and a missing one moves no others. The first cell says
# what the server is like. Each other one begins with its op (the low five bits) and its player; what the next three
# bytes mean is the op's affair. BYTES is followed by the bytes, in whole cells.

from libc.stdint cimport uint8_t

from gearfast.ground.slice cimport Slice

cdef enum:
    CELL = 4
    PLAYERS = 6
    FUNCTIONS = 8                 # names
    UNIQUES = 8

cpdef enum Op:
    SUBMIT = 0
    CAN_DO = 1
    GRAB = 2
    SLEEP = 3
    REPORT = 4
    STATUS = 5
    ECHO = 6
    LITTLE = 7                    # requests of which there is little to say
    LINE = 8                      # of an administrator
    ODD = 9                       # a packet of any type
    BYTES = 10
    FILL = 11                     # one byte many times
    HEADER = 12                   # of a packet that does not follow, or not all of it
    PIECES = 13                   # what is sent arrives in pieces of this size
    NETWORK = 14                  # it holds back what is sent, or not any more
    READ = 15                     # the player takes so much of what it is sent
    LEAVE = 16
    COME = 17
    TURN = 18
    TIME = 19
    WALL = 20                     # the wall clock is set
    STORE = 21                    # answers
    HANG_UP = 22
    WORK = 23                     # what a good worker does with all there is
    LOOKS = 24                    # at the clock take so long
    BUSY = 25                     # the turn has had enough work
    DRAIN = 26
    OPS = 27                      # the rest of the numbers mean SUBMIT

cdef struct Cell:
    Op op
    int player
    uint8_t a, b, c
    const char* bytes             # of BYTES
    size_t size

cdef struct Script:
    const uint8_t* at
    size_t left

cdef Script script_of(const uint8_t* data, size_t size, Cell* first) noexcept nogil
cdef bint script_next(Script* script, Cell* cell) noexcept nogil

# --- what the bytes of cells stand for ---

cdef Slice function_name(int number) noexcept nogil
cdef Slice unique_id(int number) noexcept nogil
cdef size_t size_of(int number) noexcept nogil           # of a payload, by four bits
cdef int times_of(int number) noexcept nogil             # so often, by four bits
cdef double seconds_of(int number) noexcept nogil        # by three bits
