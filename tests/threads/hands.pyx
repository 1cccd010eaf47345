"""Threads with and without the interpreter that count together, under the one lock or without it."""

from libc.stdint cimport uint64_t
from posix.unistd cimport read, write

from gearfast.ground.lock cimport (
    LockFigures, lock_enter, lock_figures, lock_give, lock_is_mine, lock_leave, lock_pause, lock_resume, lock_take,
)

cdef extern from "<pthread.h>" nogil:
    ctypedef unsigned long pthread_t
    int pthread_create(pthread_t*, const void*, void* (*)(void*) noexcept nogil, void*)
    int pthread_join(pthread_t, void**)

cdef extern from "<sched.h>" nogil:
    int sched_yield()

cdef extern from *:
    """
    static int arrived;
    #define arrive() __atomic_add_fetch(&arrived, 1, __ATOMIC_ACQ_REL)
    #define there() __atomic_load_n(&arrived, __ATOMIC_ACQUIRE)
    """
    int arrived
    int arrive() nogil
    int there() nogil

cdef struct Count:
    uint64_t one
    uint64_t other                # as many, unless somebody was in between
    uint64_t torn                 # how often somebody was
    uint64_t mistaken             # how often the lock did not know whose it is

cdef struct Work:
    int rounds
    bint guarded

cdef Count counted
cdef int expected = 0


def expect_threads(int crowd):
    """Nobody begins to count before there are so many: else some would be done before others are there."""
    global expected, arrived
    expected, arrived = crowd, 0


cdef void meet() noexcept nogil:
    arrive()
    while there() < expected:
        sched_yield()


cdef void count() noexcept nogil:
    counted.torn += counted.one != counted.other
    counted.one += 1
    counted.other += 1


cdef void expect(bint right) noexcept nogil:
    counted.mistaken += not right


cdef void* work(void* given) noexcept nogil:
    cdef Work* asked = <Work*>given
    cdef int done
    meet()
    for done in range(asked.rounds):
        if asked.guarded:
            lock_take()
            expect(lock_is_mine())
        count()
        if asked.guarded:
            lock_give()
    return NULL


def without_interpreter(int threads, int rounds, bint guarded):
    """Have so many threads count so often each, and wait for them."""
    cdef pthread_t[16] started
    cdef Work asked = Work(rounds, guarded)
    cdef int number, there = 0
    assert 0 < threads <= 16
    with nogil:
        for number in range(threads):
            if pthread_create(&started[number], NULL, work, &asked) != 0:
                break
            there += 1
        for number in range(there):
            pthread_join(started[number], NULL)
    assert there == threads


def with_interpreter(int rounds):
    """Count three times in each round: once, within what is locked already, and after the lock was given meanwhile."""
    cdef unsigned int depth
    cdef bint mine
    with nogil:
        meet()
    for _ in range(rounds):
        mine = lock_is_mine()
        lock_enter()
        expect(not mine and lock_is_mine())
        count()
        lock_enter()
        count()
        depth = lock_pause()
        mine = lock_is_mine()
        lock_resume(depth, True)
        expect(depth == 2 and not mine and lock_is_mine())
        count()
        lock_leave()
        expect(lock_is_mine())
        lock_leave()


def hold(int say, int hear):
    """Take the lock without the interpreter, write a byte, and give it when there is one to read."""
    cdef char told = 0
    cdef ssize_t heard
    with nogil:
        lock_take()
        heard = write(say, &told, 1)
        heard = read(hear, &told, 1)
        lock_give()
    assert heard == 1


def figures():
    """What was counted, and what the lock says of itself."""
    lock_enter()
    cdef LockFigures told = lock_figures()
    cdef Count now = counted
    lock_leave()
    return {**now, **told}
