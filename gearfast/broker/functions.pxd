# FUNCTIONS   who can do what, and who sleeps: functions and workers brought together.
#
# Neither side is ever walked whole. A worker's rotation marks the functions that may have work;
# one that is found empty is parked with its function, which marks it again when work comes.
# A function's ring of callable workers holds those that may sleep; one that is found awake
# waits with its worker, which puts it back when it goes to sleep. So each step of a search is
# paid for by the event that made it necessary, and the next search does not repeat it.

from libc.stdint cimport int64_t, uint32_t

from gearfast.ground.index cimport Index, Node
from gearfast.broker.job cimport Job, Lane, Lanes
from gearfast.ground.ring cimport Ring, ring_empty
from gearfast.broker.rotation cimport PRIORITIES, Rotation, Seat
from gearfast.broker.rulebook cimport PAUSED, RuleBook, Rules
from gearfast.ground.slice cimport Slice, same_bytes

cdef struct Function:
    Lanes lanes                   # first: a job's `home` is its function
    Node node                     # second: by name
    Node folded_node              # third: by name in lower case, if it stands there for its namesakes
    Ring namesakes                # functions whose names differ from its own only in case, in a circle
    bint stands
    size_t total                  # jobs of every state
    size_t running
    size_t delayed[PRIORITIES]
    size_t workers                # abilities
    size_t limit[PRIORITIES]      # of `total`, for a new job of that priority; 0: none
    Lane dead                     # jobs that have used up their tries, oldest first; none of `total`
    size_t dead_bytes             # of them
    size_t schedules
    size_t others                 # all jobs that nobody has to do: dead, ended and remembered, schedules
    Rules* rules                  # what holds for its jobs unless they ask for something else; NULL: nothing
    bint paused                   # its lanes fill, and nobody is told; not counted among `busy`
    Ring opened                   # in the ring of those, when it was paused and is not any more
    size_t to_wake                # how many sleepers are still to be woken then
    bint wanted                   # by an administrator: known though nobody uses it
    Ring idle                     # in the ring of those that nobody uses, while it has no jobs, workers or limits
    Ring parked[PRIORITIES]       # abilities whose mark is off since the lane was found empty
    Ring callable                 # abilities whose worker may be asleep, longest not looked at first
    Slice name
    Slice folded

cdef struct Worker:
    void* party                   # whose it is (party.pxd)
    Rotation rotation
    Ring abilities                # newest first, and places of those who look through them
    Ring awake                    # its abilities that a search found while it was not asleep
    Ring woken                    # in the ring of the woken, from its NOOP to its next GRAB or PRE_SLEEP
    Function* woken_for
    double woken_at
    bint asleep
    bint discarded                # its party has another one, or is gone: it ends with its last ability

cdef struct Ability:
    Node node                     # first
    Seat seat                     # second
    Worker* worker                # NULL: it was given up, and has jobs that are still to be taken from it
    void* party                   # the worker's
    Function* function
    int64_t timeout               # milliseconds a job may run; 0: no limit
    bint handed_back              # it was given up by a worker that was there
    Ring parked[PRIORITIES]
    Ring call                     # in its function's `callable`, or its worker's `awake`
    Ring of_worker
    Ring runs                     # jobs of this function in this worker's hands, newest first

cdef struct Functions:
    Index names                   # by exact name
    Function* latest              # the one found last by its exact name: likely the next as well
    Index folded                  # the same, whatever the case of their names
    Index abilities
    size_t busy[PRIORITIES]       # functions with a job in that lane
    size_t sleeping               # workers asleep that have no NOOP on the way
    Ring woken                    # workers, by `woken_at`
    Ring idle                     # functions that nobody uses, the longest first
    Ring forgotten                # and those that are forgotten next
    size_t idle_bytes             # of both
    double forget_at              # monotonic seconds
    RuleBook book
    Ring opened                   # functions whose sleepers are still to be woken for what waits there

# Whether a link among abilities is none of theirs, but the place up to which somebody has looked: it owns itself.
cdef inline bint is_place(const Ring* link) noexcept nogil:
    return link.owner == <const void*>link

cdef bint functions_open(Functions* functions) noexcept nogil          # False here and below: there is no memory
cdef void functions_close(Functions* functions) noexcept nogil

cdef Function* function_of_node(Node* node) noexcept nogil
cdef Function* functions_find(const Functions* functions, Slice name) noexcept nogil
# Any whose name is this in lower case.
cdef Function* functions_find_folded(const Functions* functions, Slice folded) noexcept nogil
# The one that was looked up last, if it has this name; NULL: it has another one.
cdef inline Function* functions_latest(const Functions* functions, Slice name) noexcept nogil:
    return functions.latest if functions.latest != NULL and same_bytes(functions.latest.name, name) else NULL
# It is made if it is new; NULL: there is no memory.
cdef inline Function* functions_get(Functions* functions, Slice name) noexcept nogil:
    cdef Function* latest = functions_latest(functions, name)
    return functions_look_up(functions, name) if latest == NULL else latest
cdef Function* functions_look_up(Functions* functions, Slice name) noexcept nogil
cdef void functions_drop(Functions* functions, Function* function) noexcept nogil      # it has no jobs and no workers
cdef void functions_limit(Functions* functions, Function* function, const size_t* limits) noexcept nogil
# It may have been used for the last time: one without jobs, workers and limits is forgotten after a while.
cdef inline void functions_rest(Functions* functions, Function* function) noexcept nogil:
    if function.total == 0 and function.workers == 0:
        functions_lay_off(functions, function)
cdef inline void functions_use(Functions* functions, Function* function) noexcept nogil:
    if not ring_empty(&function.idle):
        functions_take_on(functions, function)
cdef void functions_lay_off(Functions* functions, Function* function) noexcept nogil
cdef void functions_take_on(Functions* functions, Function* function) noexcept nogil
# Forget functions that have been idle for `rest` seconds, and sooner when their names need much room.
cdef void functions_forget(Functions* functions, double now, double rest) noexcept nogil
cdef double functions_forgets(const Functions* functions) noexcept nogil               # when that is to be called next

cdef Worker* worker_new(void* party) noexcept nogil                           # NULL: there is no memory
cdef void worker_free(Worker* worker) noexcept nogil                          # with its abilities
cdef void abilities_free(Ring* abilities) noexcept nogil                      # those of a ring; nothing else gets to know
cdef Ability* functions_ability(const Functions* functions, const Worker* worker, const Function* function) noexcept nogil
cdef bint functions_can_do(Functions* functions, Worker* worker, Function* function, int64_t timeout) noexcept nogil
# It is given up; it stays where its worker had it until `ability_free`.
cdef void functions_cant_do(Functions* functions, Ability* ability) noexcept nogil
cdef void ability_free(Ability* ability) noexcept nogil                       # it has no jobs

cdef void functions_push(Functions* functions, Job* job) noexcept nogil                # into its lane
cdef void functions_take(Functions* functions, Job* job) noexcept nogil                # out of its lane
# The ability whose function holds the job this worker gets next, and its priority; or NULL.
cdef Ability* functions_next(Functions* functions, Worker* worker, int* priority) noexcept nogil

cdef bint worker_is_woken(const Worker* worker) noexcept nogil
cdef void functions_sleep(Functions* functions, Worker* worker) noexcept nogil
# Not asleep, not woken any more. Returns what it had been woken for, or NULL.
cdef Function* functions_rouse(Functions* functions, Worker* worker) noexcept nogil
# The worker to wake for `function`, marked as woken; NULL if none sleeps.
cdef Worker* functions_wake(Functions* functions, Function* function, double now) noexcept nogil
# There is work in a lane that was empty, or closed: all that can do it are to look there.
cdef inline void functions_mark(Functions* functions, Function* function, int priority) noexcept nogil:
    functions.busy[priority] += 1
    if not ring_empty(&function.parked[priority]):
        functions_unpark(function, priority)
cdef void functions_unpark(Function* function, int priority) noexcept nogil
cdef bint function_has_work(const Function* function) noexcept nogil
# The abilities of a worker in the order in which they are looked at: start at 0; NULL is the end.
cdef Ability* worker_ability(const Worker* worker, uint32_t* at) noexcept nogil
