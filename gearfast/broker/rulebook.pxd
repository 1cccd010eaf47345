# RULEBOOK   what an operator says of functions: patterns of names, and what holds for the jobs of those that fit.
#
# Rules stand in the order of their strength, and what a stronger one does not speak of, a weaker one decides. A function
# has what comes of them for its name, so that its jobs ask for nothing but that.

from gearfast.ground.slice cimport Slice
from gearfast.protocol.parameters cimport Parameters

cdef enum Gate:               # what a rule says of all that goes into a function, or comes out of it
    UNSAID = 0
    OPEN = 1
    PAUSED = 2                # nothing comes out
    DRAINED = 3               # nothing goes in

cdef struct Rules:            # for one function
    Parameters asked
    Gate gate
    Slice reason              # of that; its bytes, and those that `asked` points to, follow

cdef struct Rule:
    Slice pattern
    Parameters asked
    Gate gate
    Slice reason

cdef struct RuleBook:
    Rule* rules               # the weakest first; what they point to belongs to whoever has set them
    size_t count
    size_t once               # looks at a byte that finding what comes of them costs at most: these for each name,
    size_t each               # and these for each byte of it

# What comes of the rules for a name; NULL: none fits. False: there is no memory.
cdef bint rulebook_find(const RuleBook* book, Slice name, Rules** found) noexcept nogil
