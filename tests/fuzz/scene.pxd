# SCENE   what the first cell of an input says of the server: its settings.

from tests.fuzz.script cimport Cell

cdef class Scene:
    cdef readonly object config           # a gearfast Config
    cdef bint has_store
    cdef bint by_hand                     # turns come only where the script has them
    cdef bint logs_jobs
    cdef bint has_second                  # thread

cdef Scene scene_of(const Cell* first)
