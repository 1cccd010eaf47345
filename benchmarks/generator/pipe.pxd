# PIPE   one connection: a non-blocking socket, what waits to be sent, and the start of what has not come whole.

cdef struct Pipe:
    int socket              # -1: closed
    char* out               # waits to be sent: from out_start to out_end
    size_t out_start
    size_t out_end
    size_t out_room
    char* kept              # the start of an answer whose rest has not come
    size_t kept_size
    size_t kept_room
    bint blocked            # the socket took no more: epoll tells when it does

cdef enum:
    RECEIVED_AT_ONCE = 262144

# Connect to 127.0.0.1, or to the Unix socket at `path` unless that is NULL; the connection may not be there yet when
# this returns. Raises ConnectionError.
cdef int pipe_open(Pipe* pipe, int port, const char* path) except -1 nogil
cdef void pipe_close(Pipe* pipe) noexcept nogil
# A place for `size` bytes after what waits to be sent; `pipe_wrote` tells how many were put there.
cdef char* pipe_place(Pipe* pipe, size_t size) except NULL nogil
cdef void pipe_wrote(Pipe* pipe, char* end) noexcept nogil
# One send of all that waits; what the socket does not take stays. Raises ConnectionError.
cdef int pipe_send(Pipe* pipe) except -1 nogil
# One recv, into `shared` or behind what was kept. `data` and `size`: all there is to read; 0 new bytes is no error.
# Raises ConnectionError, also when the other side has closed. Returns how many bytes are new.
cdef ssize_t pipe_receive(Pipe* pipe, char* shared, char** data, size_t* size) except -1 nogil
# Keep what could not be read yet; `needed` bytes of it make an answer.
cdef int pipe_keep(Pipe* pipe, const char* data, size_t size, size_t needed) except -1 nogil
