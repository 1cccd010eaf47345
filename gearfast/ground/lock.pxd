# LOCK   the one lock of the process: around all that threads share which do not have the interpreter.
#
# There is one for the process, since blocks of memory are the process's. Whoever has it holds it for microseconds: it
# calls neither the system nor somebody else's Python, and never waits for the interpreter. So whoever has the
# interpreter may wait for it; and lets the interpreter go meanwhile, because others want that too.

from libc.stdint cimport uint64_t

cdef struct LockFigures:
    uint64_t taken                # how often
    uint64_t waited               # how often somebody else had it
    uint64_t timed                # of how many of these it is known for how long
    double held                   # seconds, those together

# With the interpreter. The same thread may take it again, and gives it as often.
cdef void lock_enter() noexcept
cdef void lock_leave() noexcept nogil
# Without the interpreter, and only once.
cdef void lock_take() noexcept nogil
cdef inline void lock_give() noexcept nogil:
    lock_leave()
cdef bint lock_is_mine() noexcept nogil
# Give it, however often it was taken, and take it as often again; `python`: with the interpreter.
cdef unsigned int lock_pause() noexcept nogil
cdef void lock_resume(unsigned int depth, bint python) noexcept nogil
cdef LockFigures lock_figures() noexcept nogil            # with the lock
