"""What libFuzzer calls with each input. Compiled for the fuzzer only: it needs libFuzzer, and AddressSanitizer."""

from libc.stdint cimport uint8_t
from libc.stdio cimport fflush, fprintf, stderr
from libc.stdlib cimport abort, malloc

from gearfast.ground.clock cimport monotonic_time

from tests.fuzz cimport account
from tests.fuzz.poison cimport allocated_bytes
from tests.fuzz.stage cimport play

import gc
import sys

from tests.fuzz.complaint import take

cdef extern from *:
    """
    #include <stddef.h>
    #include <stdint.h>
    extern int LLVMFuzzerRunDriver(int *, char ***, int (*)(const uint8_t *, size_t));
    """
    int LLVMFuzzerRunDriver(int*, char***, int (*)(const uint8_t*, size_t) noexcept) except? -1

cdef enum:
    TRIES = 5                     # that must all leave something behind: the first ones may fill what is kept for later
    REPORT = 30                   # seconds between two lines that say how many packets there were

cdef double began = 0, said = 0
cdef size_t inputs = 0


cdef void fail(str text) noexcept:
    """End as by a crash: libFuzzer writes the input to a file then."""
    cdef bytes line = text.encode("utf-8", "backslashreplace")
    fprintf(stderr, b"WRONG: %s\n", <const char*>line)
    fflush(stderr)
    abort()


cdef void run(const uint8_t* data, size_t size) noexcept:
    try:
        play(data, size)
        wrong = take()
    except BaseException as error:
        wrong = f"{type(error).__name__}: {error}"
    if wrong is not None:
        fail(wrong)


cdef void look_closer(const uint8_t* data, size_t size) noexcept:
    """What Python keeps for later, the collector clears as well; if nothing is in a circle, that is all that it does.

    So it is with the cache of types, which keeps the name of each `utcoffset` that a datetime has called.
    """
    cdef size_t before, after = 0
    cdef int left
    gc.collect()
    for left in range(TRIES + 1):
        before = after
        run(data, size)
        if gc.collect() > 0:
            fail("something is left behind in a circle")
        sys._clear_type_cache()
        after = allocated_bytes()
        if left > 0 and after <= before:
            return
    fail(f"each time {after - before} bytes of memory are left behind")


cdef int one_input(const uint8_t* data, size_t size) noexcept:
    global inputs, said
    cdef size_t before = allocated_bytes(), after
    cdef int left = TRIES
    cdef double now
    run(data, size)
    while left > 0:
        after = allocated_bytes()
        if after <= before:
            break
        before = after
        run(data, size)
        left -= 1
    if left == 0 and allocated_bytes() > before:
        look_closer(data, size)
    inputs += 1
    if inputs & 255 == 0:
        now = monotonic_time()
        if now >= said + REPORT:
            said = now
            fprintf(stderr, b"packets: %llu in %.0f s, inputs: %zu\n", account.packets, now - began, inputs)
    return 0


def fuzz(list words not None):
    """Hand over to libFuzzer, with its command line. It ends the process."""
    global began, said
    gc.disable()                  # what is in a circle counts as left behind
    cdef list held = [word.encode() for word in words]
    cdef int count = len(held), at
    cdef char** arguments = <char**>malloc((count + 1) * sizeof(char*))
    for at in range(count):
        arguments[at] = held[at]
    arguments[count] = NULL
    began = said = monotonic_time()
    return LLVMFuzzerRunDriver(&count, &arguments, one_input)
