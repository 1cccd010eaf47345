# COLLECTOR   Python's garbage collector, held off.
#
# It may run whenever Python allocates, and end a peer that nobody refers to any more: the jobs
# it waited for go with it. Whoever walks jobs or peers and makes Python objects meanwhile
# holds it off.

cdef extern from "Python.h":
    bint hold_collector "PyGC_Disable" ()          # whether it was on
    void PyGC_Enable()

cdef inline void release_collector(bint was_on) noexcept:
    if was_on:
        PyGC_Enable()
