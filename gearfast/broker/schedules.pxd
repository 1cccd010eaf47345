# SCHEDULES   jobs that come again and again: each is known by its function and its unique id, and by its own handle.
#
# When one is due next is told from outside, as calendars are nothing for this storey: one without a date waits for that.

from libc.stdint cimport uint64_t

from gearfast.broker.functions cimport Function
from gearfast.broker.job cimport Job
from gearfast.ground.heap cimport Heap
from gearfast.ground.index cimport Index, Node
from gearfast.ground.ring cimport Ring
from gearfast.ground.slice cimport Slice

cdef struct Schedule:
    Node node                     # first: by function and unique id
    Job* job
    Ring undated                  # among those without a date
    size_t position               # in the heap; NOT_THERE: in none
    double due                    # wall clock seconds
    uint64_t zone                 # a hash of the zone in which that was counted
    double fired                  # when it was due last; 0: never
    uint64_t run                  # number of the last job that came of it; 0: none yet
    uint64_t runs                 # since the start of the server
    uint64_t skipped

cdef struct Schedules:
    Index known
    Heap due                      # by wall clock
    Ring undated
    size_t count

cdef bint schedules_open(Schedules* schedules) noexcept nogil            # False, and NULL: there is no memory
cdef void schedules_close(Schedules* schedules) noexcept nogil
cdef Schedule* schedules_find(const Schedules* schedules, const Function* function, Slice unique) noexcept nogil
# The job has its unique id and its home; it has no date yet, and is SCHEDULED.
cdef Schedule* schedules_add(Schedules* schedules, Job* job) noexcept nogil
cdef void schedules_remove(Schedules* schedules, Job* job) noexcept nogil
# It is due then, by its zone of now; infinity: never again. Without memory it has no date, and waits for one as before.
cdef void schedules_date(Schedules* schedules, Schedule* schedule, double when) noexcept nogil
# Its date was counted in another zone than holds for it now, and is not over.
cdef bint schedule_is_misdated(const Schedule* schedule, double wall) noexcept nogil
# It waits for another date; it has missed none.
cdef void schedules_wait(Schedules* schedules, Schedule* schedule) noexcept nogil
# When it is due next; 0: it waits for a date, or is never due again.
cdef double schedule_date(const Schedule* schedule) noexcept nogil
# All of them wait for another date: the wall clock was set back.
cdef void schedules_undate(Schedules* schedules) noexcept nogil
# The next one that is due, which waits for another date from now on; NULL: there is none.
cdef Schedule* schedules_pop_due(Schedules* schedules, double wall) noexcept nogil
