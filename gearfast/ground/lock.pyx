"""The one lock of the process, and how much it is asked for."""

from libc.stdint cimport uint64_t

cdef extern from *:
    """
    #include <pthread.h>
    #include <stdint.h>
    #include <time.h>

    #define SPINS 100                     /* about as long as it is held */
    #define TIMED 64                      /* one in so many is timed */

    #if defined(__x86_64__) || defined(__i386__)
    #define gearfast_breathe() __builtin_ia32_pause()
    #elif defined(__aarch64__)
    #define gearfast_breathe() __asm__ __volatile__("yield")
    #else
    #define gearfast_breathe() do { } while (0)
    #endif

    static pthread_mutex_t gearfast_mutex = PTHREAD_MUTEX_INITIALIZER;
    static uintptr_t gearfast_holder;     /* the thread that has it, or 0: written by whoever has it, read by everybody */
    static unsigned int gearfast_depth;
    static uint64_t gearfast_taken, gearfast_waited, gearfast_timed, gearfast_held, gearfast_since;

    static uint64_t gearfast_nanoseconds(void) {
        struct timespec at;
        clock_gettime(CLOCK_MONOTONIC, &at);
        return (uint64_t)at.tv_sec * 1000000000u + at.tv_nsec;
    }

    static int gearfast_mine(void) {
        return __atomic_load_n(&gearfast_holder, __ATOMIC_RELAXED) == (uintptr_t)pthread_self();
    }

    static void gearfast_have(unsigned int depth, int waited) {
        __atomic_store_n(&gearfast_holder, (uintptr_t)pthread_self(), __ATOMIC_RELAXED);
        gearfast_depth = depth;
        gearfast_waited += waited;
        if (++gearfast_taken % TIMED == 0)
            gearfast_since = gearfast_nanoseconds();
    }

    static void gearfast_let_go(void) {
        if (gearfast_taken % TIMED == 0) {
            gearfast_timed += 1;
            gearfast_held += gearfast_nanoseconds() - gearfast_since;
        }
        __atomic_store_n(&gearfast_holder, 0, __ATOMIC_RELAXED);
        pthread_mutex_unlock(&gearfast_mutex);
    }

    static int gearfast_try(void) {
        for (int spin = 0; spin < SPINS; spin++) {
            if (pthread_mutex_trylock(&gearfast_mutex) == 0)
                return 1;
            gearfast_breathe();
        }
        return 0;
    }

    static void gearfast_take(unsigned int depth) {
        int waited = pthread_mutex_trylock(&gearfast_mutex) != 0;
        if (waited && !gearfast_try())
            pthread_mutex_lock(&gearfast_mutex);
        gearfast_have(depth, waited);
    }

    /* Whoever waits for the interpreter must not have the lock: it is tried for again, until both are there. */
    static void gearfast_enter(unsigned int depth) {
        int waited = pthread_mutex_trylock(&gearfast_mutex) != 0;
        if (waited) {
            while (!gearfast_try()) {
                PyThreadState* state = PyEval_SaveThread();
                pthread_mutex_lock(&gearfast_mutex);
                pthread_mutex_unlock(&gearfast_mutex);
                PyEval_RestoreThread(state);
            }
        }
        gearfast_have(depth, waited);
    }
    """
    uint64_t gearfast_taken, gearfast_waited, gearfast_timed, gearfast_held
    unsigned int gearfast_depth
    bint gearfast_mine() noexcept nogil
    void gearfast_take(unsigned int) noexcept nogil
    void gearfast_let_go() noexcept nogil
    void gearfast_enter(unsigned int) noexcept


cdef void lock_enter() noexcept:
    global gearfast_depth
    if gearfast_mine():
        gearfast_depth += 1
    else:
        gearfast_enter(1)


cdef void lock_leave() noexcept nogil:
    global gearfast_depth
    gearfast_depth -= 1
    if gearfast_depth == 0:
        gearfast_let_go()


cdef void lock_take() noexcept nogil:
    gearfast_take(1)


cdef bint lock_is_mine() noexcept nogil:
    return gearfast_mine()


cdef unsigned int lock_pause() noexcept nogil:
    cdef unsigned int depth = gearfast_depth
    gearfast_let_go()
    return depth


cdef void lock_resume(unsigned int depth) noexcept:
    gearfast_enter(depth)


cdef LockFigures lock_figures() noexcept nogil:
    return LockFigures(gearfast_taken, gearfast_waited, gearfast_timed, gearfast_held)
