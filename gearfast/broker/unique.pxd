# UNIQUE   which job a submit coalesces with (protocol section 3.2).
#
# Within one function two jobs with the same key are one job. The key is the unique id, or the
# payload if the unique id is "-". An index of all keys finds it at once; a second one, of the
# unique ids alone, finds some job for those who do not name a function. Namesakes in different
# functions share one place there.

from libc.stdint cimport uint64_t

from gearfast.ground.index cimport Index
from gearfast.broker.job cimport Job
from gearfast.broker.functions cimport Function
from gearfast.ground.slice cimport Slice

cdef struct Uniques:
    Index keys
    Index texts

cdef bint uniques_open(Uniques* uniques) noexcept nogil       # False: there is no memory
cdef void uniques_close(Uniques* uniques) noexcept nogil

cdef inline bint is_dash(Slice unique) noexcept nogil:
    return unique.size == 1 and unique.data[0] == c"-"

# Empty: coalesces with nothing.
cdef inline Slice unique_key(Slice unique, Slice payload) noexcept nogil:
    return payload if is_dash(unique) else unique

cdef uint64_t unique_hash(Slice key) noexcept nogil
cdef Job* unique_find(const Uniques* uniques, const Function* function, Slice unique, Slice payload,
                      uint64_t hash) noexcept nogil
# The newest job with this unique id in any function (protocol section 2.7).
cdef Job* unique_find_anywhere(const Uniques* uniques, Slice unique) noexcept nogil
cdef void unique_take(Uniques* uniques, Job* job, uint64_t hash) noexcept nogil
cdef void unique_give_up(Uniques* uniques, Job* job) noexcept nogil
