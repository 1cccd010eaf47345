"""The one lock of the process, and how much it is asked for."""

from gearfast.ground.clock cimport monotonic_time

cdef extern from *:
    """
    #include <pthread.h>
    #include <stdint.h>

    #define SPINS 100                     /* about as long as it is held */

    #if defined(__x86_64__) || defined(__i386__)
    #define gearfast_breathe() __builtin_ia32_pause()
    #elif defined(__aarch64__)
    #define gearfast_breathe() __asm__ __volatile__("yield")
    #else
    #define gearfast_breathe() do { } while (0)
    #endif

    static pthread_mutex_t gearfast_mutex = PTHREAD_MUTEX_INITIALIZER;
    static uintptr_t gearfast_holder;     /* the thread that has it, or 0: written by whoever has it, read by everybody */

    static int gearfast_mine(void) {
        return __atomic_load_n(&gearfast_holder, __ATOMIC_RELAXED) == (uintptr_t)pthread_self();
    }

    static void gearfast_have(void) {
        __atomic_store_n(&gearfast_holder, (uintptr_t)pthread_self(), __ATOMIC_RELAXED);
    }

    static void gearfast_let_go(void) {
        __atomic_store_n(&gearfast_holder, 0, __ATOMIC_RELAXED);
        pthread_mutex_unlock(&gearfast_mutex);
    }

    /* A process that forks does so with the lock, so that nobody has it in the child who is not there any more. */
    static int gearfast_forks;
    static void gearfast_before_fork(void) {
        gearfast_forks = !gearfast_mine();
        if (gearfast_forks)
            pthread_mutex_lock(&gearfast_mutex);
    }
    static void gearfast_after_fork(void) {
        if (gearfast_forks)
            pthread_mutex_unlock(&gearfast_mutex);
    }
    static int gearfast_mind_forks(void) {
        return pthread_atfork(gearfast_before_fork, gearfast_after_fork, gearfast_after_fork);
    }

    static int gearfast_try(void) {
        for (int spin = 0; spin < SPINS; spin++) {
            if (pthread_mutex_trylock(&gearfast_mutex) == 0)
                return 1;
            gearfast_breathe();
        }
        return 0;
    }

    static int gearfast_take(void) {              /* whether it was waited for */
        int waited = pthread_mutex_trylock(&gearfast_mutex) != 0;
        if (waited && !gearfast_try())
            pthread_mutex_lock(&gearfast_mutex);
        gearfast_have();
        return waited;
    }

    /* Whoever waits for the interpreter must not have the lock: it is tried for again, until both are there. */
    static int gearfast_enter(void) {
        int waited = pthread_mutex_trylock(&gearfast_mutex) != 0;
        if (waited) {
            while (!gearfast_try()) {
                PyThreadState* state = PyEval_SaveThread();
                pthread_mutex_lock(&gearfast_mutex);
                pthread_mutex_unlock(&gearfast_mutex);
                PyEval_RestoreThread(state);
            }
        }
        gearfast_have();
        return waited;
    }
    """
    bint gearfast_mine() noexcept nogil
    bint gearfast_take() noexcept nogil
    bint gearfast_enter() noexcept nogil
    void gearfast_let_go() noexcept nogil
    int gearfast_mind_forks() noexcept

cdef enum:
    TIMED = 64                                # one in so many is timed

# Of whoever has it.
cdef unsigned int depth
cdef double since
cdef double clock_time                    # that it takes to ask for the time: a part of what is measured
cdef LockFigures figures


cdef double time_of_clock() noexcept nogil:
    cdef double before = monotonic_time(), least = 1, now
    cdef int attempt
    for attempt in range(100):
        now = monotonic_time()
        least = min(least, now - before)
        before = now
    return least


depth = 0
since = 0
clock_time = time_of_clock()
figures = LockFigures(0, 0, 0, 0)
if gearfast_mind_forks() != 0:
    raise MemoryError("no memory to be told of forks")


cdef inline void have(unsigned int taken, bint waited) noexcept nogil:
    global depth, since
    depth = taken
    figures.waited += waited
    figures.taken += 1
    if figures.taken % TIMED == 0:
        since = monotonic_time()


cdef inline void let_go() noexcept nogil:
    if figures.taken % TIMED == 0:
        figures.timed += 1
        figures.held += max(0.0, monotonic_time() - since - clock_time)
    gearfast_let_go()


cdef void lock_enter() noexcept:
    global depth
    if gearfast_mine():
        depth += 1
    else:
        have(1, gearfast_enter())


cdef void lock_leave() noexcept nogil:
    global depth
    depth -= 1
    if depth == 0:
        let_go()


cdef void lock_take() noexcept nogil:
    have(1, gearfast_take())


cdef bint lock_is_mine() noexcept nogil:
    return gearfast_mine()


cdef unsigned int lock_pause() noexcept nogil:
    cdef unsigned int taken = depth if gearfast_mine() else 0
    if taken > 0:
        let_go()
    return taken


cdef void lock_resume(unsigned int taken, bint python) noexcept nogil:
    if taken > 0:
        have(taken, gearfast_enter() if python else gearfast_take())


cdef LockFigures lock_figures() noexcept nogil:
    return figures
