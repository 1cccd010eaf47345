"""Functions and workers, brought together without walking either."""

from libc.math cimport INFINITY
from libc.stdint cimport uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

from gearfast.ground.index cimport (
    index_add, index_chain, index_close, index_open, index_remove, index_unlink_all, keyed_hash,
    keyed_number,
)
from gearfast.broker.job cimport lane_push, lane_remove
from gearfast.ground.ring cimport ring_append, ring_append_all, ring_empty, ring_leave, ring_open, ring_prepend
from gearfast.broker.rotation cimport (
    rotation_add, rotation_close, rotation_first, rotation_mark, rotation_open, rotation_remove, rotation_to_front,
    rotation_unmark,
)
from gearfast.ground.slice cimport same_bytes

from gearfast.config import IDLE_FUNCTIONS

cdef size_t IDLE_BYTES = IDLE_FUNCTIONS


cdef bint roster_open(Roster* roster) noexcept nogil:
    cdef int priority
    roster.latest = NULL
    for priority in range(PRIORITIES):
        roster.busy[priority] = 0
    roster.sleeping = 0
    ring_open(&roster.woken, NULL)
    ring_open(&roster.idle, NULL)
    ring_open(&roster.forgotten, NULL)
    roster.idle_bytes = 0
    roster.forget_at = 0
    return index_open(&roster.functions) and index_open(&roster.folded) and index_open(&roster.abilities)


cdef void roster_close(Roster* roster) noexcept nogil:
    cdef Node* node = index_unlink_all(&roster.functions)
    cdef Function* function
    while node != NULL:
        function = function_of_node(node)
        node = node.next
        free(function)
    index_close(&roster.functions)
    index_close(&roster.folded)
    index_close(&roster.abilities)


# --- functions ---

cdef Function* function_of_node(Node* node) noexcept nogil:
    return <Function*>(<char*>node - sizeof(Lanes))


cdef Function* find_hashed(const Roster* roster, Slice name, uint64_t hash) noexcept nogil:
    cdef Node* node = index_chain(&roster.functions, hash)
    while node != NULL:
        if node.hash == hash and same_bytes(function_of_node(node).name, name):
            return function_of_node(node)
        node = node.next
    return NULL


cdef Function* roster_find(const Roster* roster, Slice name) noexcept nogil:
    return find_hashed(roster, name, keyed_hash(name.data, name.size))


cdef Function* find_standing(const Roster* roster, Slice folded, uint64_t hash) noexcept nogil:
    """The function that stands in the index of folded names for all of this name."""
    cdef Node* node = index_chain(&roster.folded, hash)
    cdef Function* function
    while node != NULL:
        function = <Function*>(<char*>node - sizeof(Lanes) - sizeof(Node))
        if node.hash == hash and same_bytes(function.folded, folded):
            return function
        node = node.next
    return NULL


cdef Function* roster_find_folded(const Roster* roster, Slice folded) noexcept nogil:
    return find_standing(roster, folded, keyed_hash(folded.data, folded.size))


cdef Slice fold(Slice name, char* folded) noexcept nogil:
    cdef size_t at
    for at in range(name.size):
        folded[at] = name.data[at] + 32 if c"A" <= name.data[at] <= c"Z" else name.data[at]
    return Slice(folded, name.size)


cdef Function* roster_function(Roster* roster, Slice name) noexcept nogil:
    cdef uint64_t hash
    if roster.latest == NULL or not same_bytes(roster.latest.name, name):
        hash = keyed_hash(name.data, name.size)
        roster.latest = find_hashed(roster, name, hash)
        if roster.latest == NULL:
            roster.latest = new_function(roster, name, hash)
    return roster.latest


cdef Function* new_function(Roster* roster, Slice name, uint64_t hash) noexcept nogil:
    cdef Function* function
    cdef int priority
    forget_most(roster)
    function = <Function*>calloc(1, sizeof(Function) + 2 * name.size)
    if function == NULL:
        return NULL
    memcpy(function + 1, name.data, name.size)
    function.name = Slice(<char*>(function + 1), name.size)
    function.folded = fold(name, <char*>(function + 1) + name.size)
    ring_open(&function.callable, NULL)
    ring_open(&function.namesakes, function)
    ring_open(&function.idle, function)
    for priority in range(PRIORITIES):
        ring_open(&function.parked[priority], NULL)
    index_add(&roster.functions, &function.node, hash)
    join_namesakes(roster, function)
    roster_lay_off(roster, function)               # until it is used
    return function


cdef void join_namesakes(Roster* roster, Function* function) noexcept nogil:
    cdef uint64_t hash = keyed_hash(function.folded.data, function.folded.size)
    cdef Function* standing = find_standing(roster, function.folded, hash)
    if standing != NULL:
        ring_append(&standing.namesakes, &function.namesakes)
    else:
        function.stands = True
        index_add(&roster.folded, &function.folded_node, hash)


cdef void leave_namesakes(Roster* roster, Function* function) noexcept nogil:
    cdef Function* next = <Function*>function.namesakes.next.owner
    ring_leave(&function.namesakes)
    if function.stands:
        index_remove(&roster.folded, &function.folded_node)
        if next != function:
            next.stands = True
            index_add(&roster.folded, &next.folded_node, function.folded_node.hash)


cdef void roster_drop(Roster* roster, Function* function) noexcept nogil:
    if roster.latest == function:
        roster.latest = NULL
    roster_use(roster, function)
    index_remove(&roster.functions, &function.node)
    leave_namesakes(roster, function)
    free(function)


cdef inline size_t bytes_of(const Function* function) noexcept nogil:
    return sizeof(Function) + 2 * function.name.size


cdef void roster_limit(Roster* roster, Function* function, const size_t* limits) noexcept nogil:
    cdef int priority
    for priority in range(PRIORITIES):
        function.limit[priority] = limits[priority]
    roster_use(roster, function)
    roster_rest(roster, function)


cdef void roster_lay_off(Roster* roster, Function* function) noexcept nogil:
    cdef int priority
    for priority in range(PRIORITIES):
        if function.limit[priority] > 0:
            return
    if not function.wanted and ring_empty(&function.idle):
        ring_append(&roster.idle, &function.idle)
        roster.idle_bytes += bytes_of(function)


cdef void roster_take_on(Roster* roster, Function* function) noexcept nogil:
    ring_leave(&function.idle)
    roster.idle_bytes -= bytes_of(function)


cdef void forget_most(Roster* roster) noexcept nogil:
    """Those that were idle longest go, until the others are few enough."""
    while roster.idle_bytes > IDLE_BYTES:
        roster_drop(roster, <Function*>(
            roster.idle.next.owner if ring_empty(&roster.forgotten) else roster.forgotten.next.owner
        ))


cdef void roster_forget(Roster* roster, double now, double rest) noexcept nogil:
    forget_most(roster)
    if now < roster.forget_at:
        return
    while not ring_empty(&roster.forgotten):
        roster_drop(roster, <Function*>roster.forgotten.next.owner)
    ring_append_all(&roster.forgotten, &roster.idle)
    roster.forget_at = now + rest


cdef double roster_forgets(const Roster* roster) noexcept nogil:
    if roster.idle_bytes == 0:
        return INFINITY
    return 0 if roster.idle_bytes > IDLE_BYTES else roster.forget_at


cdef bint function_has_work(const Function* function) noexcept nogil:
    cdef int priority
    for priority in range(PRIORITIES):
        if function.lanes.lane[priority].count > 0:
            return True
    return False


# --- workers and what they can do ---

cdef Worker* worker_new(void* party) noexcept nogil:
    cdef Worker* worker = <Worker*>calloc(1, sizeof(Worker))
    if worker != NULL:
        worker.party = party
        rotation_open(&worker.rotation)
        ring_open(&worker.abilities, NULL)
        ring_open(&worker.awake, NULL)
        ring_open(&worker.woken, worker)
    return worker


cdef void worker_free(Worker* worker) noexcept nogil:
    abilities_free(&worker.abilities)
    rotation_close(&worker.rotation)
    free(worker)


cdef void abilities_free(Ring* abilities) noexcept nogil:
    cdef Ring* link
    while not ring_empty(abilities):
        link = abilities.next
        ring_leave(link)
        if not is_place(link):
            free(link.owner)


cdef inline Ability* ability_of_seat(Seat* seat) noexcept nogil:
    return <Ability*>(<char*>seat - sizeof(Node))


cdef inline uint64_t ability_hash(const Worker* worker, const Function* function) noexcept nogil:
    return keyed_number(<size_t>worker ^ keyed_number(<size_t>function))


cdef Ability* roster_ability(const Roster* roster, const Worker* worker, const Function* function) noexcept nogil:
    cdef uint64_t hash = ability_hash(worker, function)
    cdef Node* node = index_chain(&roster.abilities, hash)
    cdef Ability* ability
    while node != NULL:
        ability = <Ability*>node
        if ability.worker == worker and ability.function == function:
            return ability
        node = node.next
    return NULL


cdef bint roster_can_do(Roster* roster, Worker* worker, Function* function, int64_t timeout) noexcept nogil:
    cdef Ability* ability = roster_ability(roster, worker, function)
    if ability == NULL:
        return new_ability(roster, worker, function, timeout)
    if not rotation_to_front(&worker.rotation, &ability.seat):    # said again: it counts once, and is the newest now
        return False
    ability.timeout = timeout
    unpark(ability)
    ring_leave(&ability.of_worker)
    ring_prepend(&worker.abilities, &ability.of_worker)
    ring_leave(&ability.call)
    ring_append(&function.callable, &ability.call)
    return True


cdef bint new_ability(Roster* roster, Worker* worker, Function* function, int64_t timeout) noexcept nogil:
    cdef Ability* ability = <Ability*>calloc(1, sizeof(Ability))
    cdef int priority
    if ability == NULL:
        return False
    ability.worker = worker
    ability.party = worker.party
    ability.function = function
    ability.timeout = timeout
    ring_open(&ability.call, ability)
    ring_open(&ability.of_worker, ability)
    ring_open(&ability.runs, NULL)
    for priority in range(PRIORITIES):
        ring_open(&ability.parked[priority], ability)
    if not rotation_add(&worker.rotation, &ability.seat):
        free(ability)
        return False
    index_add(&roster.abilities, &ability.node, ability_hash(worker, function))
    ring_prepend(&worker.abilities, &ability.of_worker)
    ring_append(&function.callable, &ability.call)
    function.workers += 1
    roster_use(roster, function)
    return True


cdef void unpark(Ability* ability) noexcept nogil:
    cdef int priority
    for priority in range(PRIORITIES):
        ring_leave(&ability.parked[priority])


cdef void roster_cant_do(Roster* roster, Ability* ability) noexcept nogil:
    cdef Worker* worker = ability.worker
    index_remove(&roster.abilities, &ability.node)
    rotation_remove(&worker.rotation, &ability.seat)
    ring_leave(&ability.call)
    unpark(ability)
    ability.function.workers -= 1
    roster_rest(roster, ability.function)
    ability.worker = NULL
    if worker.woken_for == ability.function:
        worker.woken_for = NULL
    if worker.discarded and worker.rotation.count == 0:
        worker_free(worker)


cdef void ability_free(Ability* ability) noexcept nogil:
    ring_leave(&ability.of_worker)
    free(ability)


# --- work ---

cdef void roster_push(Roster* roster, Job* job) noexcept nogil:
    cdef Function* function = <Function*>job.home
    cdef Ring* parked
    cdef Ability* ability
    if not lane_push(&function.lanes, job):
        return
    roster.busy[job.priority] += 1
    parked = &function.parked[job.priority]
    while not ring_empty(parked):
        ability = <Ability*>parked.next.owner
        ring_leave(parked.next)
        rotation_mark(&ability.worker.rotation, &ability.seat, job.priority)


cdef void roster_take(Roster* roster, Job* job) noexcept nogil:
    if lane_remove(job.home, job):
        roster.busy[job.priority] -= 1


cdef Ability* roster_next(Roster* roster, Worker* worker, int* priority) noexcept nogil:
    cdef Seat* seat
    cdef Ability* ability
    cdef int lane
    for lane in range(PRIORITIES):
        if roster.busy[lane] == 0:
            continue
        while True:
            seat = rotation_first(&worker.rotation, lane)
            if seat == NULL:
                break
            ability = ability_of_seat(seat)
            if ability.function.lanes.lane[lane].count > 0:
                priority[0] = lane
                return ability
            rotation_unmark(&worker.rotation, &ability.seat, lane)
            ring_append(&ability.function.parked[lane], &ability.parked[lane])
    return NULL


# --- sleep ---

cdef bint worker_is_woken(const Worker* worker) noexcept nogil:
    return not ring_empty(&worker.woken)


cdef void roster_sleep(Roster* roster, Worker* worker) noexcept nogil:
    cdef Ability* ability
    roster_rouse(roster, worker)
    worker.asleep = True
    roster.sleeping += 1
    while not ring_empty(&worker.awake):
        ability = <Ability*>worker.awake.next.owner
        ring_leave(&ability.call)
        ring_append(&ability.function.callable, &ability.call)


cdef Function* roster_rouse(Roster* roster, Worker* worker) noexcept nogil:
    cdef Function* woken_for = worker.woken_for
    if worker.asleep and not worker_is_woken(worker):
        roster.sleeping -= 1
    worker.asleep = False
    worker.woken_for = NULL
    ring_leave(&worker.woken)
    return woken_for


cdef Worker* roster_wake(Roster* roster, Function* function, double now) noexcept nogil:
    cdef Ability* ability
    cdef Worker* worker
    if roster.sleeping == 0:
        return NULL
    while not ring_empty(&function.callable):
        ability = <Ability*>function.callable.next.owner
        worker = ability.worker
        ring_leave(&ability.call)
        ring_append(&worker.awake, &ability.call)
        if worker.asleep and not worker_is_woken(worker):
            roster.sleeping -= 1
            worker.woken_for = function
            worker.woken_at = now
            ring_append(&roster.woken, &worker.woken)
            return worker
    return NULL


cdef Ability* worker_ability(const Worker* worker, uint32_t* at) noexcept nogil:
    cdef const Rotation* rotation = &worker.rotation
    cdef Seat* seat
    if at[0] < rotation.head:
        at[0] = rotation.head
    while at[0] < rotation.tail:
        seat = rotation.seats[at[0]]
        at[0] += 1
        if seat != NULL:
            return ability_of_seat(seat)
    return NULL
