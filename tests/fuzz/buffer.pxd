# BUFFER   bytes that come at one end and go at the other.

from libc.stdlib cimport abort, free, realloc
from libc.string cimport memcpy, memmove

cdef struct Buffer:
    char* data
    size_t start, end, room

cdef inline size_t buffer_left(const Buffer* buffer) noexcept nogil:
    return buffer.end - buffer.start

cdef inline const char* buffer_first(const Buffer* buffer) noexcept nogil:
    return buffer.data + buffer.start

# Room for so many more bytes, which then count as there.
cdef inline char* buffer_more(Buffer* buffer, size_t size) noexcept nogil:
    if buffer.start > 0 and buffer.start * 2 >= buffer.end:
        memmove(buffer.data, buffer.data + buffer.start, buffer.end - buffer.start)
        buffer.end -= buffer.start
        buffer.start = 0
    if buffer.end + size > buffer.room:
        buffer.room = (buffer.end + size) * 2
        buffer.data = <char*>realloc(buffer.data, buffer.room)
        if buffer.data == NULL:
            abort()
    buffer.end += size
    return buffer.data + buffer.end - size

cdef inline void buffer_put(Buffer* buffer, const void* data, size_t size) noexcept nogil:
    if size > 0:
        memcpy(buffer_more(buffer, size), data, size)

cdef inline void buffer_drop(Buffer* buffer, size_t size) noexcept nogil:
    buffer.start += size

cdef inline void buffer_close(Buffer* buffer) noexcept nogil:
    free(buffer.data)
    buffer.data = NULL
    buffer.start = buffer.end = buffer.room = 0
