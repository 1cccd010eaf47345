# UNIQUE   which job a submit coalesces with (protocol section 3.2).
#
# Within one function two jobs with the same key are one job. The key is the unique id, or the
# payload if the unique id is "-". An index of all keys finds it at once.

from libc.stdint cimport uint32_t

from gearfast.index cimport Index
from gearfast.jobqueue cimport Job
from gearfast.roster cimport Function, Roster
from gearfast.slice cimport Slice

cdef Slice unique_key(Slice unique, Slice payload) noexcept nogil     # empty: coalesces with nothing
cdef uint32_t unique_hash(const Function* function, Slice key) noexcept nogil
cdef Job* unique_find(const Index* uniques, const Function* function, Slice unique, Slice payload,
                      uint32_t hash) noexcept nogil
# A job with this unique id in any function: the question does not name one (protocol section 2.7).
cdef Job* unique_find_anywhere(const Index* uniques, const Roster* roster, Slice unique) noexcept
cdef int unique_take(Index* uniques, Job* job, uint32_t hash) except -1
cdef void unique_give_up(Index* uniques, Job* job) noexcept
