"""Memory for jobs, for what runs them and for those who wait for them, in chunks of blocks of like size."""

from libc.stdint cimport uint32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset

cdef extern from *:
    """
    #include <sys/mman.h>
    #if !defined(MADV_POPULATE_WRITE)
    #define MADV_POPULATE_WRITE 23            /* Linux 5.14; any other system says no, and does without */
    #endif
    #if defined(__SANITIZE_ADDRESS__)
    #define POOLED 0          /* so that every block is watched by itself */
    #else
    #define POOLED 1
    #endif
    """
    const bint POOLED
    int PROT_READ, PROT_WRITE, MAP_PRIVATE, MAP_ANONYMOUS
    void* MAP_FAILED
    void* mmap(void*, size_t, int, int, int, long) nogil
    int munmap(void*, size_t) nogil
    int MADV_POPULATE_WRITE
    int madvise(void*, size_t, int) nogil

cdef enum:
    STEP = 8                                  # bytes from one size to the next
    SIZES = 256                               # larger blocks are the C library's
    CHUNKS = 64                               # asked of the system at a time
    MANY = 4096                               # chunks that tell how full the others are

cdef Chunk* with_room[SIZES + 1]
cdef bint is_busy[SIZES + 1]              # there was a chunk of this size before
cdef Chunk* spare         # empty ones, of no size
cdef size_t spare_count, spare_most
cdef size_t roomy         # how many chunks have room
cdef Chunk* untouched     # the rest of what the system gave last, and how many chunks it is
cdef size_t untouched_count

memset(with_room, 0, sizeof(with_room))
memset(is_busy, 0, sizeof(is_busy))
spare = untouched = NULL
spare_count = untouched_count = roomy = 0
spare_most = 16


cdef inline bint is_full(const Chunk* chunk) noexcept nogil:
    return chunk.given == NULL and chunk.fresh + chunk.size * STEP > CHUNK_SIZE


cdef inline void open_chunk(Chunk* chunk) noexcept nogil:
    """First among those with room: what was used last is in the cache."""
    global roomy
    roomy += 1
    chunk.prev = NULL
    chunk.next = with_room[chunk.size]
    if chunk.next != NULL:
        chunk.next.prev = chunk
    with_room[chunk.size] = chunk


cdef inline void close_chunk(Chunk* chunk) noexcept nogil:
    global roomy
    roomy -= 1
    if chunk.prev == NULL:
        with_room[chunk.size] = chunk.next
    else:
        chunk.prev.next = chunk.next
    if chunk.next != NULL:
        chunk.next.prev = chunk.prev


cdef Chunk* map_chunk() noexcept nogil:
    """A chunk that was never used; the system aligns to pages only, so a part of one chunk is left over."""
    global untouched, untouched_count
    cdef Chunk* chunk
    cdef size_t at
    if untouched_count == 0:
        at = <size_t>mmap(NULL, (CHUNKS + 1) * CHUNK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        if at == <size_t>MAP_FAILED:
            return NULL
        untouched = <Chunk*>((at + CHUNK_SIZE - 1) & ~<size_t>(CHUNK_SIZE - 1))
        untouched_count = CHUNKS
    chunk = untouched
    untouched = <Chunk*>(<char*>untouched + CHUNK_SIZE)
    untouched_count -= 1
    return chunk


cdef Chunk* new_chunk(uint32_t size) noexcept nogil:
    global spare, spare_count
    cdef Chunk* chunk = spare
    if chunk != NULL:
        spare = chunk.next
        spare_count -= 1
    else:
        chunk = map_chunk()
        if chunk == NULL:
            return NULL
        if is_busy[size]:                     # all its pages at once: a fault for each costs as much as filling it
            madvise(chunk, CHUNK_SIZE, MADV_POPULATE_WRITE)
    is_busy[size] = True
    chunk.size = size
    chunk.used = 0
    chunk.given = NULL
    chunk.fresh = sizeof(Chunk)
    open_chunk(chunk)
    return chunk


cdef inline void* take_from(Chunk* chunk) noexcept nogil:
    cdef Block* block = chunk.given
    if block != NULL:
        chunk.given = block.next
    else:
        block = <Block*>(<char*>chunk + chunk.fresh)
        chunk.fresh += chunk.size * STEP
    chunk.used += 1
    if is_full(chunk):
        close_chunk(chunk)
    return block


cdef void* pool_take_from_new(uint32_t steps) noexcept nogil:
    cdef Chunk* chunk = new_chunk(steps)
    return NULL if chunk == NULL else take_from(chunk)


cdef void pool_end_chunk(Chunk* chunk) noexcept nogil:
    """All its blocks are free: spare, or the system's again."""
    global spare, spare_count
    close_chunk(chunk)
    if spare_count >= spare_most and munmap(chunk, CHUNK_SIZE) == 0:
        return
    chunk.next = spare
    spare = chunk
    spare_count += 1


cdef void* pool_take(size_t size) noexcept nogil:
    cdef size_t steps = (size + STEP - 1) // STEP
    if not POOLED or size > SIZES * STEP:
        return malloc(size)
    if with_room[steps] == NULL:
        return pool_take_from_new(<uint32_t>steps)
    return take_from(with_room[steps])


cdef void pool_give(void* block, size_t size) noexcept nogil:
    cdef Chunk* chunk = <Chunk*>(<size_t>block & ~<size_t>(CHUNK_SIZE - 1))
    if not POOLED or size > SIZES * STEP:
        free(block)
        return
    if is_full(chunk):
        open_chunk(chunk)
    (<Block*>block).next = chunk.given
    chunk.given = <Block*>block
    chunk.used -= 1
    if chunk.used == 0 and (chunk.next != NULL or chunk.prev != NULL):     # the last one of its size stays
        pool_end_chunk(chunk)


cdef size_t pool_free() noexcept nogil:
    cdef Chunk* chunk
    cdef size_t room = 0, seen = 0
    cdef int steps
    for steps in range(SIZES + 1):
        chunk = with_room[steps]
        while chunk != NULL and seen < MANY:
            room += CHUNK_SIZE - <size_t>chunk.used * chunk.size * STEP
            seen += 1
            chunk = chunk.next
    return spare_count * CHUNK_SIZE + (room // seen * roomy if seen > 0 else 0)


cdef void pool_keep(size_t most) noexcept nogil:
    global spare_most
    spare_most = most // CHUNK_SIZE
