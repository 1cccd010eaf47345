# FIGURES   what anybody may look at, in any thread: each door has the lock while it looks.

from gearfast.broker.submits cimport Submits

cdef class Figures(Submits):
    pass
