"""All that a broker holds, counted once more by walking through it."""

from libc.stdint cimport uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memset

from gearfast.ground.heap cimport Heap
from gearfast.ground.index cimport Cursor, Node, index_scan
from gearfast.broker.job cimport (
    DEAD, DELAYED, ENDED, EXPIRES, NOT_THERE, OWNS_UNIQUE, QUEUED, RETRYING, RUNNING, SCHEDULED, Job, Lane, Run, Waiter, job_expiry,
    job_size, job_unique,
)
from gearfast.broker.keeping cimport is_background
from gearfast.broker.jobtable cimport MIN_SCAN, jobtable_find, jobtable_scan
from gearfast.broker.party cimport Party
from gearfast.ground.ring cimport Ring, ring_empty
from gearfast.broker.functions cimport Ability, Function, Functions, Worker, function_of_node, is_place, worker_is_woken
from gearfast.broker.past cimport dead_size
from gearfast.broker.rotation cimport PRIORITIES
from gearfast.broker.rules cimport dead_most, dead_most_bytes
from gearfast.broker.schedules cimport Schedule, Schedules, schedules_find

from tests.fuzz.complaint cimport complain

cdef struct Tally:                # of one function, or of all
    Function* function
    size_t jobs, queued, delayed, running, dead, dead_bytes, schedules, others
    size_t delayed_in[PRIORITIES]
    size_t abilities, called

cdef struct Sums:                 # of all parties
    size_t waiters, indexed, abilities, runs, sleeping, woken

cdef Tally* tallies = NULL        # of each function; kept from one time to the next
cdef size_t tallied = 0, room = 0


cdef inline void hold(bint holds, str text) noexcept:
    if not holds:
        complain(text)


cdef size_t ring_length(const Ring* head) noexcept:
    """Of a ring whose links fit both ways."""
    cdef const Ring* link = head.next
    cdef size_t length = 0
    while link != head:
        hold(link.next.prev == link and link.prev.next == link, "a ring is broken")
        length += 1
        link = link.next
    return length


cdef Tally* tally_of(const void* function) noexcept:
    cdef size_t at
    for at in range(tallied):
        if tallies[at].function == <const Function*>function:
            return tallies + at
    complain("something belongs to a function that is not known")
    return tallies


# --- functions ---

cdef void open_tallies(Functions* functions) noexcept:
    global tallies, tallied, room
    cdef Node* found[MIN_SCAN]
    cdef Cursor cursor = Cursor(0, 0)
    cdef int count, at
    if room < functions.names.count + 1:
        room = 2 * functions.names.count + 8
        free(tallies)
        tallies = <Tally*>realloc(NULL, room * sizeof(Tally))
    tallied = 0
    while True:
        count = index_scan(&functions.names, &cursor, found, MIN_SCAN)
        for at in range(count):
            if tallied < room:
                memset(tallies + tallied, 0, sizeof(Tally))
                tallies[tallied].function = function_of_node(found[at])
                tallied += 1
        if cursor.hash == 0 and cursor.node == 0:
            break
    hold(tallied == functions.names.count, "functions: the index counts wrong")


cdef size_t lane_length(const Function* function, const Lane* lane, int state) noexcept:
    cdef Job* job = lane.head
    cdef Job* before = NULL
    cdef size_t length = 0
    while job != NULL:
        hold(job.place.lane.prev == before, "a lane is broken")
        hold(job.state == state, "a job in a lane is not queued, or not buried")
        hold(job.home == &function.lanes, "a job is in another function's lane")
        hold(state == DEAD or lane == &function.lanes.lane[job.priority], "a job is in the wrong lane")
        length += 1
        before = job
        job = job.place.lane.next
    hold(lane.tail == before, "a lane has lost its end")
    hold(lane.count == length, "a lane counts wrong")
    return length


cdef void audit_functions(Functions* functions) noexcept:
    cdef size_t busy[PRIORITIES]
    cdef size_t at, queued, idle = 0, idle_bytes = 0
    cdef int priority
    cdef Tally* tally
    cdef Function* function
    cdef bint rests
    for priority in range(PRIORITIES):
        busy[priority] = 0
    for at in range(tallied):
        tally = tallies + at
        function = tally.function
        queued = 0
        rests = not function.wanted and function.total == 0 and function.others == 0 and function.workers == 0
        for priority in range(PRIORITIES):
            busy[priority] += function.lanes.lane[priority].count > 0 and not function.paused
            queued += lane_length(function, &function.lanes.lane[priority], QUEUED)
            hold(function.delayed[priority] == tally.delayed_in[priority], "a function counts delayed jobs wrong")
            ring_length(&function.parked[priority])
            rests = rests and function.limit[priority] == 0
        hold(queued == tally.queued, "a queued job is in no lane")
        hold(lane_length(function, &function.dead, DEAD) == tally.dead, "a buried job is not in its function's lane")
        hold(function.dead_bytes == tally.dead_bytes, "a function counts the bytes of its buried jobs wrong")
        hold(function.dead.count <= dead_most(function), "a function keeps too many buried jobs")
        hold(function.dead_bytes <= dead_most_bytes(function), "a function keeps too many bytes of buried jobs")
        hold(function.total == tally.jobs, "a function counts its jobs wrong")
        hold(function.running == tally.running, "a function counts running jobs wrong")
        hold(function.schedules == tally.schedules, "a function counts schedules wrong")
        hold(function.others == tally.others, "a function counts wrong what nobody has to do")
        hold(function.workers == tally.abilities, "a function counts its workers wrong")
        hold(ring_length(&function.callable) + tally.called == function.workers, "a worker of a function is nowhere")
        hold(ring_empty(&function.idle) != rests, "a function is idle and used, or neither")
        idle += rests
        idle_bytes += (sizeof(Function) + 2 * function.name.size) * rests
    for priority in range(PRIORITIES):
        hold(busy[priority] == functions.busy[priority], "functions with work are counted wrong")
    hold(ring_length(&functions.idle) + ring_length(&functions.forgotten) == idle, "an idle function is in no ring")
    hold(idle_bytes == functions.idle_bytes, "the bytes of idle functions are counted wrong")


# --- jobs ---

cdef void audit_heap(Heap* heap) noexcept:
    cdef size_t at
    for at in range(heap.count):
        hold(heap.entries[at].position[0] == at, "an entry of a heap does not know its place")
        hold(at == 0 or heap.entries[(at - 1) // 2].when <= heap.entries[at].when, "a heap is out of order")


cdef size_t audit_waiters(const Job* job, Sums* sums) noexcept:
    """How often the job is waited for."""
    cdef Waiter* waiter = job.waiters
    cdef Waiter* before = NULL
    cdef size_t asked = 0
    while waiter != NULL:
        hold(waiter.prev == before, "the waiters of a job are out of order")
        hold(waiter.job == job, "a waiter waits for another job")
        hold(waiter.count > 0, "a waiter asked for nothing")
        hold(waiter.indexed or before == NULL, "a waiter behind the first one is not in the index")
        hold(not ring_empty(&waiter.of_client), "a waiter is not known to its client")
        asked += waiter.count
        sums.waiters += 1
        sums.indexed += waiter.indexed
        before = waiter
        waiter = waiter.next
    return asked


cdef void audit_job(Broker broker, Job* job, Sums* sums) noexcept:
    cdef Tally* tally = tally_of(job.home)
    tally.jobs += job.state < DEAD
    tally.others += job.state >= DEAD
    hold(jobtable_find(&broker.jobs, job.number) == job, "a job is not found by its number")
    hold(0 < job.number <= broker.handles.last, "a job has a number that was not given out")
    hold(audit_waiters(job, sums) == job.waiting, "a job counts wrong how often it is waited for")
    if job.state == QUEUED:
        tally.queued += 1
    elif job.state == DELAYED:
        tally.delayed += 1
        tally.delayed_in[job.priority] += 1
        hold(job.place.due < broker.delayed.count and broker.delayed.entries[job.place.due].item == job,
             "a delayed job is not in the heap")
    elif job.state == RETRYING:
        tally.delayed += 1
        tally.delayed_in[job.priority] += 1
        hold(job.place.due < broker.moments.count and broker.moments.entries[job.place.due].item == job,
             "a job that is to be tried again is not in the heap")
    elif job.state == RUNNING:
        tally.running += 1
        hold(job.place.run.job == job, "a run has another job")
        hold((<Ability*>job.place.run.ability).function == <Function*>job.home, "a job is run as another function's")
    elif job.state == DEAD:
        tally.dead += 1
        tally.dead_bytes += dead_size(job)
        hold(is_background(job) and job.waiters == NULL, "somebody waits for a buried job, or it is no background job")
        hold(not job.flags & OWNS_UNIQUE, "a buried job is found by its unique id")
    elif job.state == ENDED:
        hold(job.place.due < broker.ended.count and broker.ended.entries[job.place.due].item == job,
             "a job that is remembered is not in the heap")
    elif job.state == SCHEDULED:
        tally.schedules += 1
        audit_schedule(broker, <Schedule*>job.place.schedule, job)
    else:
        complain("a job is nowhere")
    hold(job.state < DEAD or (job.waiters == NULL and is_background(job)), "somebody waits for what is not done")
    hold(job.waiters != NULL or is_background(job) or job.state == RUNNING, "a job is kept for nobody")
    hold(not job.flags & OWNS_UNIQUE or job.waiters != NULL or is_background(job), "an orphan owns its unique id")


cdef void audit_schedule(Broker broker, Schedule* schedule, const Job* job) noexcept:
    cdef const Function* function = <const Function*>job.home
    hold(schedule.job == job, "a schedule has another job")
    hold(schedules_find(&broker.schedules, function, job_unique(job)) == schedule, "a schedule is not found by its name")
    hold(schedule.position == NOT_THERE or ring_empty(&schedule.undated), "a schedule has a date and waits for one")
    hold(schedule.position == NOT_THERE or (schedule.position < broker.schedules.due.count
         and broker.schedules.due.entries[schedule.position].item == schedule), "a schedule is not in the heap")
    hold(schedule.position == NOT_THERE or schedule.due > schedule.fired, "a schedule fires twice for one date")
    hold(not job.flags & OWNS_UNIQUE, "a schedule owns the unique id of its jobs")


cdef void audit_jobs(Broker broker, Sums* sums) noexcept:
    cdef Job* found[MIN_SCAN]
    cdef Cursor cursor = Cursor(0, 0)
    cdef size_t jobs = 0, bytes = 0, unkept = 0, owners = 0, delayed = 0, retrying = 0, running = 0, timed = 0
    cdef size_t dead = 0, ended = 0, schedules = 0
    cdef int count, at
    while True:
        count = jobtable_scan(&broker.jobs, &cursor, found, MIN_SCAN)
        for at in range(count):
            audit_job(broker, found[at], sums)
            bytes += job_size(found[at])
            unkept += not is_background(found[at])
            owners += found[at].flags & OWNS_UNIQUE != 0
            delayed += found[at].state == DELAYED
            retrying += found[at].state == RETRYING
            running += found[at].state == RUNNING
            timed += found[at].state == RUNNING and found[at].place.run.deadline > 0
            timed += found[at].state == QUEUED and found[at].flags & EXPIRES and job_expiry(found[at])[0] != NOT_THERE
            dead += found[at].state == DEAD
            ended += found[at].state == ENDED
            schedules += found[at].state == SCHEDULED
        jobs += count
        if cursor.hash == 0 and cursor.node == 0:
            break
    hold(jobs == broker.jobs.count, "jobs are counted wrong")
    hold(bytes == broker.held_bytes, "the bytes of all jobs are counted wrong")
    hold(unkept == broker.unkept, "jobs that are no background jobs are counted wrong")
    hold(owners == broker.uniques.keys.count, "unique ids are counted wrong")
    hold(broker.uniques.texts.count <= owners, "there are more unique ids than jobs that own one")
    hold(delayed == broker.delayed.count, "delayed jobs are counted wrong")
    hold(retrying + timed == broker.moments.count, "jobs that wait for a moment are counted wrong")
    hold(running == broker.running, "running jobs are counted wrong")
    hold(dead == broker.dead, "dead letters are counted wrong")
    hold(ended == broker.ended.count, "jobs that are remembered are counted wrong")
    hold(schedules == broker.schedules.count == broker.schedules.known.count, "schedules are counted wrong")
    hold(dead + ended + schedules == broker.others, "what nobody has to do is counted wrong")
    hold(broker.schedules.due.count + ring_length(&broker.schedules.undated) <= schedules, "there are dates of no schedule")
    hold(sums.indexed == broker.waiters.count, "waiters are counted wrong")
    audit_heap(&broker.delayed)
    audit_heap(&broker.moments)
    audit_heap(&broker.ended)
    audit_heap(&broker.schedules.due)


# --- who takes part ---

cdef void audit_ability(Ability* ability, Party* party, Sums* sums) noexcept:
    cdef Ring* link = ability.runs.next
    cdef Tally* tally
    hold(ability.party == party, "an ability belongs to another party")
    while link != &ability.runs:
        hold((<Run*>link.owner).ability == ability, "a run belongs to another worker")
        hold((<Run*>link.owner).job.state == RUNNING, "a run's job does not run")
        link = link.next
    sums.runs += ring_length(&ability.runs)
    if ability.worker != NULL:
        tally = tally_of(ability.function)
        tally.abilities += 1
        sums.abilities += 1


cdef size_t audit_abilities(const Ring* abilities, Party* party, Sums* sums) noexcept:
    """How many there are in this ring."""
    cdef Ring* link = abilities.next
    cdef size_t count = 0
    ring_length(abilities)
    while link != abilities:
        if not is_place(link):
            audit_ability(<Ability*>link.owner, party, sums)
            count += 1
        link = link.next
    return count


cdef void audit_worker(Worker* worker, Party* party, Sums* sums) noexcept:
    cdef Ring* link = worker.awake.next
    hold(worker.party == party, "a worker belongs to another party")
    hold(audit_abilities(&worker.abilities, party, sums) == worker.rotation.count, "abilities are counted wrong")
    hold(not worker.discarded, "a discarded worker is used")
    hold(worker.asleep or not worker_is_woken(worker), "a worker is woken that does not sleep")
    hold(worker.woken_for == NULL or worker_is_woken(worker), "a worker answers for work and was not woken")
    sums.sleeping += worker.asleep and not worker_is_woken(worker)
    sums.woken += worker_is_woken(worker)
    ring_length(&worker.awake)
    while link != &worker.awake:
        hold((<Ability*>link.owner).worker == worker, "another worker's ability waits with this one")
        tally_of((<Ability*>link.owner).function).called += 1
        link = link.next


cdef void audit_parties(const Ring* parties, bint there, Sums* sums) noexcept:
    cdef Ring* link = parties.next
    cdef Party* party
    ring_length(parties)
    while link != parties:
        party = <Party*>link.owner
        hold(not there or party.peer != NULL, "a party takes part, and nobody stands behind it")
        hold(party.peer == NULL or party.known_as[0] == party, "a peer does not know its party")
        sums.waiters -= ring_length(&party.waits)
        audit_abilities(&party.given_up, party, sums)
        if party.worker != NULL:
            audit_worker(party.worker, party, sums)
        link = link.next


cdef void audit(Broker broker) noexcept:
    cdef Sums sums = Sums(0, 0, 0, 0, 0, 0)
    open_tallies(&broker.functions)
    audit_jobs(broker, &sums)
    audit_parties(&broker.parties, True, &sums)
    audit_parties(&broker.leaving, False, &sums)
    hold(sums.waiters == 0, "a waiter is not among those of its client, or one there is of no job")
    hold(sums.runs == broker.running, "a running job is in nobody's hands")
    hold(sums.abilities == broker.functions.abilities.count, "abilities of all workers are counted wrong")
    if ring_empty(&broker.leaving):
        hold(sums.sleeping == broker.functions.sleeping, "sleeping workers are counted wrong")
        hold(sums.woken == ring_length(&broker.functions.woken), "woken workers are counted wrong")
        audit_functions(&broker.functions)


cdef void audit_empty(Broker broker) noexcept:
    hold(broker.jobs.count == 0, "jobs are left over")
    hold(ring_empty(&broker.parties), "a party is left over")
    hold(ring_empty(&broker.leaving), "a party is left over that leaves")
    hold(broker.functions.names.count == 0, "functions are left over")
    hold(broker.functions.folded.count == 0, "folded names of functions are left over")
    hold(broker.functions.abilities.count == 0, "abilities are left over")
    hold(broker.functions.sleeping == 0, "sleepers are left over")
    hold(broker.functions.idle_bytes == 0, "bytes of idle functions are left over")
    hold(ring_empty(&broker.functions.woken), "a woken worker is left over")
    hold(broker.policies.texts.count == 0, "policies are left over")
    hold(broker.waiters.count == 0, "waiters are left over")
    hold(broker.uniques.keys.count == 0 and broker.uniques.texts.count == 0, "unique ids are left over")
    hold(broker.delayed.count + broker.moments.count + broker.ended.count + broker.schedules.count == 0, "something is still to be due")
    hold(broker.held_bytes == 0, "bytes of jobs are left over")
    hold(broker.schedules.due.count == 0, "a date of a schedule is left over")
    hold(broker.schedules.known.count == 0 and ring_empty(&broker.schedules.undated), "schedules are left over")
    hold(broker.dead + broker.others == 0, "a count of what nobody has to do is left over")
    hold(broker.unkept == 0 and broker.running == 0, "a count of jobs is left over")
