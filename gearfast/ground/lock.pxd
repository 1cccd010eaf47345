# LOCK   the one lock of the process: around all that threads share which do not have the interpreter.
#
# There is one for the process, since blocks of memory are the process's. Whoever has it holds it for microseconds: it
# calls neither the system nor somebody else's Python, and never waits for the interpreter. So whoever has the
# interpreter may wait for it; and lets the interpreter go meanwhile, because others want that too.

from libc.stdint cimport uint64_t

from gearfast.ground.collector cimport hold_collector, release_collector

cdef struct LockFigures:
    uint64_t taken                # how often
    uint64_t waited               # how often somebody else had it
    uint64_t timed                # of how many of these it is known for how long
    double held                   # seconds, those together, without what it takes to measure them

# With the interpreter. The same thread may take it again, and gives it as often.
cdef void lock_enter() noexcept
cdef void lock_leave() noexcept nogil
# The same, for whoever makes lists and the like of what it walks over: Python's collector is held off (collector.pxd), and
# with it what somebody else's Python does when an object ends.
cdef inline bint lock_enter_walk() noexcept:
    lock_enter()
    return hold_collector()
cdef inline void lock_leave_walk(bint collects) noexcept:
    release_collector(collects)
    lock_leave()
# Without the interpreter, and only once.
cdef void lock_take() noexcept nogil
cdef inline void lock_give() noexcept nogil:
    lock_leave()
cdef bint lock_is_mine() noexcept nogil
# Give it, however often it was taken, and take it as often again; `python`: with the interpreter. Nothing happens to
# whoever does not have it.
cdef unsigned int lock_pause() noexcept nogil
cdef void lock_resume(unsigned int depth, bint python) noexcept nogil
cdef LockFigures lock_figures() noexcept nogil            # with the lock
