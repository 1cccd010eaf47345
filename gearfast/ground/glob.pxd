# GLOB   patterns of names, as shells have them: * is any run of bytes, ? any one, [a-z] one of these, [!a-z] none of them.

from gearfast.ground.slice cimport Slice

# Takes time for the length of the pattern times that of the name, at most.
cdef bint glob_matches(Slice pattern, Slice name) noexcept nogil
