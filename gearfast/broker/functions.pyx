"""Functions and workers, brought together without walking either."""

from libc.math cimport INFINITY
from libc.stdint cimport uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

from gearfast.ground.index cimport (
    index_add, index_chain, index_close, index_open, index_remove, index_unlink_all, keyed_hash,
    keyed_number,
)
from gearfast.broker.job cimport QUEUED, lane_push, lane_remove
from gearfast.ground.ring cimport ring_append, ring_append_all, ring_empty, ring_leave, ring_open, ring_prepend
from gearfast.broker.rotation cimport (
    rotation_add, rotation_close, rotation_first, rotation_mark, rotation_open, rotation_remove, rotation_to_front,
    rotation_unmark,
)
from gearfast.broker.rulebook cimport rulebook_find
from gearfast.ground.slice cimport same_bytes

from gearfast.config import IDLE_FUNCTIONS

cdef size_t IDLE_BYTES = IDLE_FUNCTIONS


cdef bint functions_open(Functions* functions) noexcept nogil:
    cdef int priority
    functions.latest = NULL
    for priority in range(PRIORITIES):
        functions.busy[priority] = 0
    functions.sleeping = 0
    ring_open(&functions.woken, NULL)
    ring_open(&functions.idle, NULL)
    ring_open(&functions.forgotten, NULL)
    ring_open(&functions.opened, NULL)
    functions.idle_bytes = 0
    functions.forget_at = 0
    functions.book = RuleBook(NULL, 0, 0, 0)
    return index_open(&functions.names) and index_open(&functions.folded) and index_open(&functions.abilities)


cdef void functions_close(Functions* functions) noexcept nogil:
    cdef Node* node = index_unlink_all(&functions.names)
    cdef Function* function
    while node != NULL:
        function = function_of_node(node)
        node = node.next
        free(function.rules)
        free(function)
    free(functions.book.rules)
    index_close(&functions.names)
    index_close(&functions.folded)
    index_close(&functions.abilities)


# --- functions ---

cdef Function* function_of_node(Node* node) noexcept nogil:
    return <Function*>(<char*>node - sizeof(Lanes))


cdef Function* find_hashed(const Functions* functions, Slice name, uint64_t hash) noexcept nogil:
    cdef Node* node = index_chain(&functions.names, hash)
    while node != NULL:
        if node.hash == hash and same_bytes(function_of_node(node).name, name):
            return function_of_node(node)
        node = node.next
    return NULL


cdef Function* functions_find(const Functions* functions, Slice name) noexcept nogil:
    return find_hashed(functions, name, keyed_hash(name.data, name.size))


cdef Function* find_standing(const Functions* functions, Slice folded, uint64_t hash) noexcept nogil:
    """The function that stands in the index of folded names for all of this name."""
    cdef Node* node = index_chain(&functions.folded, hash)
    cdef Function* function
    while node != NULL:
        function = <Function*>(<char*>node - sizeof(Lanes) - sizeof(Node))
        if node.hash == hash and same_bytes(function.folded, folded):
            return function
        node = node.next
    return NULL


cdef Function* functions_find_folded(const Functions* functions, Slice folded) noexcept nogil:
    return find_standing(functions, folded, keyed_hash(folded.data, folded.size))


cdef Slice fold(Slice name, char* folded) noexcept nogil:
    cdef size_t at
    for at in range(name.size):
        folded[at] = name.data[at] + 32 if c"A" <= name.data[at] <= c"Z" else name.data[at]
    return Slice(folded, name.size)


cdef Function* functions_look_up(Functions* functions, Slice name) noexcept nogil:
    cdef uint64_t hash = keyed_hash(name.data, name.size)
    functions.latest = find_hashed(functions, name, hash)
    if functions.latest == NULL:
        functions.latest = new_function(functions, name, hash)
    return functions.latest


cdef Function* new_function(Functions* functions, Slice name, uint64_t hash) noexcept nogil:
    cdef Function* function
    cdef int priority
    forget_most(functions)
    function = <Function*>calloc(1, sizeof(Function) + 2 * name.size)
    if function == NULL:
        return NULL
    memcpy(function + 1, name.data, name.size)
    function.name = Slice(<char*>(function + 1), name.size)
    function.folded = fold(name, <char*>(function + 1) + name.size)
    ring_open(&function.callable, NULL)
    ring_open(&function.namesakes, function)
    ring_open(&function.idle, function)
    ring_open(&function.opened, function)
    for priority in range(PRIORITIES):
        ring_open(&function.parked[priority], NULL)
    index_add(&functions.names, &function.node, hash)
    join_namesakes(functions, function)
    if not rulebook_find(&functions.book, function.name, &function.rules):
        functions_drop(functions, function)
        return NULL
    function.paused = function.rules != NULL and function.rules.gate == PAUSED
    functions_lay_off(functions, function)               # until it is used
    return function


cdef void join_namesakes(Functions* functions, Function* function) noexcept nogil:
    cdef uint64_t hash = keyed_hash(function.folded.data, function.folded.size)
    cdef Function* standing = find_standing(functions, function.folded, hash)
    if standing != NULL:
        ring_append(&standing.namesakes, &function.namesakes)
    else:
        function.stands = True
        index_add(&functions.folded, &function.folded_node, hash)


cdef void leave_namesakes(Functions* functions, Function* function) noexcept nogil:
    cdef Function* next = <Function*>function.namesakes.next.owner
    ring_leave(&function.namesakes)
    if function.stands:
        index_remove(&functions.folded, &function.folded_node)
        if next != function:
            next.stands = True
            index_add(&functions.folded, &next.folded_node, function.folded_node.hash)


cdef void functions_drop(Functions* functions, Function* function) noexcept nogil:
    if functions.latest == function:
        functions.latest = NULL
    functions_use(functions, function)
    index_remove(&functions.names, &function.node)
    leave_namesakes(functions, function)
    ring_leave(&function.opened)
    free(function.rules)
    free(function)


cdef inline size_t bytes_of(const Function* function) noexcept nogil:
    return sizeof(Function) + 2 * function.name.size


cdef void functions_limit(Functions* functions, Function* function, const size_t* limits) noexcept nogil:
    cdef int priority
    for priority in range(PRIORITIES):
        function.limit[priority] = limits[priority]
    functions_use(functions, function)
    functions_rest(functions, function)


cdef void functions_lay_off(Functions* functions, Function* function) noexcept nogil:
    cdef int priority
    for priority in range(PRIORITIES):
        if function.limit[priority] > 0:
            return
    if not function.wanted and function.others == 0 and ring_empty(&function.idle):
        ring_append(&functions.idle, &function.idle)
        functions.idle_bytes += bytes_of(function)


cdef void functions_take_on(Functions* functions, Function* function) noexcept nogil:
    ring_leave(&function.idle)
    functions.idle_bytes -= bytes_of(function)


cdef void forget_most(Functions* functions) noexcept nogil:
    """Those that were idle longest go, until the others are few enough."""
    while functions.idle_bytes > IDLE_BYTES:
        functions_drop(functions, <Function*>(
            functions.idle.next.owner if ring_empty(&functions.forgotten) else functions.forgotten.next.owner
        ))


cdef void functions_forget(Functions* functions, double now, double rest) noexcept nogil:
    forget_most(functions)
    if now < functions.forget_at:
        return
    while not ring_empty(&functions.forgotten):
        functions_drop(functions, <Function*>functions.forgotten.next.owner)
    ring_append_all(&functions.forgotten, &functions.idle)
    functions.forget_at = now + rest


cdef double functions_forgets(const Functions* functions) noexcept nogil:
    if functions.idle_bytes == 0:
        return INFINITY
    return 0 if functions.idle_bytes > IDLE_BYTES else functions.forget_at


cdef bint function_has_work(const Function* function) noexcept nogil:
    cdef int priority
    if function.paused:
        return False
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


cdef Ability* functions_ability(const Functions* functions, const Worker* worker, const Function* function) noexcept nogil:
    cdef uint64_t hash = ability_hash(worker, function)
    cdef Node* node = index_chain(&functions.abilities, hash)
    cdef Ability* ability
    while node != NULL:
        ability = <Ability*>node
        if ability.worker == worker and ability.function == function:
            return ability
        node = node.next
    return NULL


cdef bint functions_can_do(Functions* functions, Worker* worker, Function* function, int64_t timeout) noexcept nogil:
    cdef Ability* ability = functions_ability(functions, worker, function)
    if ability == NULL:
        return new_ability(functions, worker, function, timeout)
    if not rotation_to_front(&worker.rotation, &ability.seat):    # said again: it counts once, and is the newest now
        return False
    ability.timeout = timeout
    unpark(ability)
    ring_leave(&ability.of_worker)
    ring_prepend(&worker.abilities, &ability.of_worker)
    ring_leave(&ability.call)
    ring_append(&function.callable, &ability.call)
    return True


cdef bint new_ability(Functions* functions, Worker* worker, Function* function, int64_t timeout) noexcept nogil:
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
    index_add(&functions.abilities, &ability.node, ability_hash(worker, function))
    ring_prepend(&worker.abilities, &ability.of_worker)
    ring_append(&function.callable, &ability.call)
    function.workers += 1
    functions_use(functions, function)
    return True


cdef void unpark(Ability* ability) noexcept nogil:
    cdef int priority
    for priority in range(PRIORITIES):
        ring_leave(&ability.parked[priority])


cdef void functions_cant_do(Functions* functions, Ability* ability) noexcept nogil:
    cdef Worker* worker = ability.worker
    index_remove(&functions.abilities, &ability.node)
    rotation_remove(&worker.rotation, &ability.seat)
    ring_leave(&ability.call)
    unpark(ability)
    ability.function.workers -= 1
    functions_rest(functions, ability.function)
    ability.worker = NULL
    if worker.woken_for == ability.function:
        worker.woken_for = NULL
    if worker.discarded and worker.rotation.count == 0:
        worker_free(worker)


cdef void ability_free(Ability* ability) noexcept nogil:
    ring_leave(&ability.of_worker)
    free(ability)


# --- work ---

cdef void functions_push(Functions* functions, Job* job) noexcept nogil:
    cdef Function* function = <Function*>job.home
    job.state = QUEUED
    if lane_push(&function.lanes.lane[job.priority], job) and not function.paused:
        functions_mark(functions, function, job.priority)


cdef void functions_unpark(Function* function, int priority) noexcept nogil:
    cdef Ring* parked = &function.parked[priority]
    cdef Ability* ability
    while not ring_empty(parked):
        ability = <Ability*>parked.next.owner
        ring_leave(parked.next)
        rotation_mark(&ability.worker.rotation, &ability.seat, priority)


cdef void functions_take(Functions* functions, Job* job) noexcept nogil:
    if lane_remove(&job.home.lane[job.priority], job) and not (<Function*>job.home).paused:
        functions.busy[job.priority] -= 1


cdef Ability* functions_next(Functions* functions, Worker* worker, int* priority) noexcept nogil:
    cdef Seat* seat
    cdef Ability* ability
    cdef int lane
    for lane in range(PRIORITIES):
        if functions.busy[lane] == 0:
            continue
        while True:
            seat = rotation_first(&worker.rotation, lane)
            if seat == NULL:
                break
            ability = ability_of_seat(seat)
            if ability.function.lanes.lane[lane].count > 0 and not ability.function.paused:
                priority[0] = lane
                return ability
            rotation_unmark(&worker.rotation, &ability.seat, lane)
            ring_append(&ability.function.parked[lane], &ability.parked[lane])
    return NULL


# --- sleep ---

cdef bint worker_is_woken(const Worker* worker) noexcept nogil:
    return not ring_empty(&worker.woken)


cdef void functions_sleep(Functions* functions, Worker* worker) noexcept nogil:
    cdef Ability* ability
    functions_rouse(functions, worker)
    worker.asleep = True
    functions.sleeping += 1
    while not ring_empty(&worker.awake):
        ability = <Ability*>worker.awake.next.owner
        ring_leave(&ability.call)
        ring_append(&ability.function.callable, &ability.call)


cdef Function* functions_rouse(Functions* functions, Worker* worker) noexcept nogil:
    cdef Function* woken_for = worker.woken_for
    if worker.asleep and not worker_is_woken(worker):
        functions.sleeping -= 1
    worker.asleep = False
    worker.woken_for = NULL
    ring_leave(&worker.woken)
    return woken_for


cdef Worker* functions_wake(Functions* functions, Function* function, double now) noexcept nogil:
    cdef Ability* ability
    cdef Worker* worker
    if functions.sleeping == 0:
        return NULL
    while not ring_empty(&function.callable):
        ability = <Ability*>function.callable.next.owner
        worker = ability.worker
        ring_leave(&ability.call)
        ring_append(&worker.awake, &ability.call)
        if worker.asleep and not worker_is_woken(worker):
            functions.sleeping -= 1
            worker.woken_for = function
            worker.woken_at = now
            ring_append(&functions.woken, &worker.woken)
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
