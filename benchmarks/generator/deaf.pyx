"""The peer that does not read. A server may cut it off whenever it likes."""

from libc.errno cimport EAGAIN, EINTR, errno

from benchmarks.generator.epoll cimport EPOLLERR, EPOLLHUP, EPOLLOUT
from benchmarks.generator.pipe cimport pipe_close

cdef extern from "sys/socket.h" nogil:
    int MSG_NOSIGNAL
    ssize_t send(int, const void*, size_t, int)


cdef int babble(Course course, Peer* peer, uint32_t events) except -1 nogil:
    """Send on from where the last send ended."""
    cdef size_t at = peer.pushed % course.babble_size
    cdef ssize_t sent
    if peer.pipe.socket < 0:
        return 0
    if events & (EPOLLERR | EPOLLHUP):
        pipe_close(&peer.pipe)
        return 0
    if peer.pushed >= course.babble_most:
        return course.watch(peer, 0)
    sent = send(peer.pipe.socket, course.babble + at, course.babble_size - at, MSG_NOSIGNAL)
    if sent < 0 and errno != EAGAIN and errno != EINTR:
        pipe_close(&peer.pipe)
        return 0
    peer.pushed += max(sent, 0)
    return course.watch(peer, EPOLLOUT)
