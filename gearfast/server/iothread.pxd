# IOTHREAD   a thread that reads, has the session take what was read, and sends: without the interpreter, by epoll.
#
# It knows no more than that. Whatever else comes up - a line of text, a date, the end, a fault - is the loop's thread's:
# there the connection goes back to. It has the lock (ground/lock) except in calls of the system.

from libc.stdint cimport uint32_t, uint64_t

from gearfast.ground.ring cimport Ring
from gearfast.server.session cimport Service
from gearfast.server.station cimport Station
from gearfast.server.plain cimport SocketTransport
from gearfast.server.turn cimport Turn

cdef extern from *:
    """
    #include <errno.h>
    #include <stdint.h>
    #if defined(__linux__)
    #include <sys/epoll.h>
    #else                                     /* there are no such threads elsewhere: to make one fails */
    struct epoll_event { uint32_t events; union { uint64_t u64; } data; };
    enum { EPOLLIN = 1, EPOLLOUT = 4, EPOLLERR = 8, EPOLLHUP = 16, EPOLL_CLOEXEC = 0 };
    enum { EPOLL_CTL_ADD = 1, EPOLL_CTL_DEL = 2, EPOLL_CTL_MOD = 3 };
    static int epoll_create1(int flags) { errno = ENOSYS; return -1; }
    static int epoll_wait(int epoll, struct epoll_event* events, int most, int timeout) { return -1; }
    static int epoll_ctl(int epoll, int how, int fd, struct epoll_event* event) { return -1; }
    #endif
    """
    uint32_t EPOLLIN, EPOLLOUT, EPOLLERR, EPOLLHUP
    int EPOLL_CLOEXEC, EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD
    ctypedef union epoll_data_t:
        uint64_t u64
    struct epoll_event:
        uint32_t events
        epoll_data_t data
    int epoll_create1(int) nogil
    int epoll_wait(int, epoll_event*, int, int) nogil
    int epoll_ctl(int, int, int, epoll_event*) nogil

cdef enum:
    EVENTS = 64                   # taken from the system at a time

cdef struct Seat:                 # of a member; events name seats, as a member may have gone meanwhile
    void* member
    int next_free

cdef class IoThread(Station):
    cdef Turn turn
    cdef Service service
    cdef int epoll, bell
    cdef bint asleep              # until the system has something, or somebody rings
    cdef bint ending
    cdef char* buffer
    cdef size_t buffer_size, room
    cdef double peer_time, turn_time
    cdef Seat* seats
    cdef int seat_count, free_seat
    cdef int members

    cdef bint take_over(self, SocketTransport member) except -1
    cdef void work(self) noexcept nogil
    cdef int sleep(self, epoll_event* events) noexcept nogil          # returns how many things have happened
    cdef void happened(self, const epoll_event* event) noexcept nogil
    cdef void serve(self, SocketTransport member, uint32_t events) noexcept nogil
    cdef void read(self, SocketTransport member) noexcept nogil
    cdef bint is_too_much(self, SocketTransport member) noexcept nogil        # for a thread without the interpreter
    cdef void go_through(self, Ring* line, double end, size_t least) noexcept nogil
    cdef void finish(self, SocketTransport member) noexcept nogil
    cdef void give_back(self, SocketTransport member) noexcept nogil
    cdef bint ask(self, SocketTransport member, int how) noexcept nogil
