"""Connections of the load: plain non-blocking sockets, one send and one recv for all that is there."""

from libc.errno cimport EAGAIN, EINPROGRESS, EINTR, errno
from libc.stdint cimport uint16_t, uint32_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy, memmove, memset, strncpy
from posix.unistd cimport close

import os

cdef extern from "sys/socket.h" nogil:
    int AF_INET, AF_UNIX, SOCK_STREAM, SOCK_NONBLOCK, SOCK_CLOEXEC, MSG_NOSIGNAL
    ctypedef unsigned int socklen_t
    struct sockaddr:
        pass
    int socket(int, int, int)
    int connect(int, const sockaddr*, socklen_t)
    int setsockopt(int, int, int, const void*, socklen_t)
    ssize_t recv(int, void*, size_t, int)
    ssize_t send(int, const void*, size_t, int)

cdef extern from "netinet/in.h" nogil:
    int IPPROTO_TCP, INADDR_LOOPBACK
    struct in_addr:
        uint32_t s_addr
    struct sockaddr_in:
        int sin_family
        uint16_t sin_port
        in_addr sin_addr
    uint16_t htons(uint16_t)
    uint32_t htonl(uint32_t)

cdef extern from "sys/un.h" nogil:
    struct sockaddr_un:
        int sun_family
        char sun_path[108]

cdef extern from "netinet/tcp.h" nogil:
    int TCP_NODELAY


cdef int refused(int error, str what) except -1 with gil:
    raise ConnectionError(f"{what}: {os.strerror(error)}")


cdef int cannot_connect() except -1 with gil:
    return refused(errno, "cannot connect")


cdef int cut(int error) except -1 with gil:
    if error == 0:
        raise ConnectionError("the server closed the connection")
    return refused(error, "the connection broke")


cdef char* no_memory() except NULL with gil:
    raise MemoryError


cdef int pipe_open(Pipe* pipe, int port, const char* path) except -1 nogil:
    pipe.out_start = pipe.out_end = pipe.kept_size = 0
    pipe.blocked = False
    pipe.socket = socket(AF_INET if path == NULL else AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
    if pipe.socket < 0:
        return cannot_connect()
    return connect_tcp(pipe.socket, port) if path == NULL else connect_unix(pipe.socket, path)


cdef int connect_tcp(int fd, int port) except -1 nogil:
    cdef sockaddr_in address
    cdef int on = 1
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on))
    memset(&address, 0, sizeof(address))
    address.sin_family = AF_INET
    address.sin_port = htons(<uint16_t>port)
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK)
    if connect(fd, <sockaddr*>&address, sizeof(address)) < 0 and errno != EINPROGRESS:
        return cannot_connect()
    return 0


cdef int connect_unix(int fd, const char* path) except -1 nogil:
    cdef sockaddr_un address
    memset(&address, 0, sizeof(address))
    address.sun_family = AF_UNIX
    strncpy(address.sun_path, path, sizeof(address.sun_path) - 1)
    if connect(fd, <sockaddr*>&address, sizeof(address)) < 0:
        return cannot_connect()
    return 0


cdef void pipe_close(Pipe* pipe) noexcept nogil:
    if pipe.socket >= 0:
        close(pipe.socket)
    free(pipe.out)
    free(pipe.kept)
    memset(pipe, 0, sizeof(Pipe))
    pipe.socket = -1


cdef char* pipe_place(Pipe* pipe, size_t size) except NULL nogil:
    cdef size_t waiting = pipe.out_end - pipe.out_start
    cdef size_t room
    cdef char* larger
    if pipe.out_room - pipe.out_end >= size and pipe.out != NULL:
        return pipe.out + pipe.out_end
    room = max(pipe.out_room, 512)
    # Twice what is needed, so that moving the rest to the front stays rare.
    while room < (waiting + size) * 2:
        room *= 2
    larger = <char*>malloc(room)
    if larger == NULL:
        return no_memory()
    if waiting > 0:
        memcpy(larger, pipe.out + pipe.out_start, waiting)
    free(pipe.out)
    pipe.out, pipe.out_room, pipe.out_start, pipe.out_end = larger, room, 0, waiting
    return larger + waiting


cdef void pipe_wrote(Pipe* pipe, char* end) noexcept nogil:
    pipe.out_end = end - pipe.out


cdef int pipe_send(Pipe* pipe) except -1 nogil:
    cdef ssize_t sent
    if pipe.out_start == pipe.out_end:
        return 0
    sent = send(pipe.socket, pipe.out + pipe.out_start, pipe.out_end - pipe.out_start, MSG_NOSIGNAL)
    if sent < 0 and errno != EAGAIN and errno != EINTR:
        return cut(errno)
    pipe.out_start += max(sent, 0)
    if pipe.out_start == pipe.out_end:
        pipe.out_start = pipe.out_end = 0
    return 0


cdef ssize_t pipe_receive(Pipe* pipe, char* shared, char** data, size_t* size) except -1 nogil:
    cdef char* start = shared if pipe.kept_size == 0 else pipe.kept
    cdef size_t room = RECEIVED_AT_ONCE if pipe.kept_size == 0 else pipe.kept_room - pipe.kept_size
    cdef ssize_t came = recv(pipe.socket, start + pipe.kept_size, room, 0)
    if came == 0:
        return cut(0)
    if came < 0:
        if errno != EAGAIN and errno != EINTR:
            return cut(errno)
        came = 0
    data[0] = start
    size[0] = pipe.kept_size + came
    return came


cdef int pipe_keep(Pipe* pipe, const char* data, size_t size, size_t needed) except -1 nogil:
    # Room for the rest of the answer, and for some that come behind it.
    cdef size_t room = max(needed, size + 65536)
    cdef char* larger
    if size == 0:
        pipe.kept_size = 0
        return 0
    if pipe.kept_room < room:
        larger = <char*>malloc(room)
        if larger == NULL:
            no_memory()
            return -1
        memcpy(larger, data, size)
        free(pipe.kept)
        pipe.kept, pipe.kept_room = larger, room
    elif data != pipe.kept:
        memmove(pipe.kept, data, size)
    pipe.kept_size = size
    return 0
