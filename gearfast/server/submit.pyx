"""Submits: what they ask for, and what they are answered (protocol sections 2.4 to 2.6, and 12)."""

from libc.stdint cimport uint32_t
from libc.stdio cimport snprintf
from libc.stdlib cimport free
from libc.string cimport memchr

from gearfast.broker.submits cimport IS_DRAINED, NO_MEMORY, NO_NUMBERS, QUEUE_FULL, Submitted
from gearfast.broker.functions cimport Function, functions_get, functions_latest
from gearfast.broker.job cimport ENDED, Job, job_room
from gearfast.protocol.packet cimport JOB_CREATED
from gearfast.protocol.parameters cimport (
    AT, CRON, DELAY, FOR_CLIENT, PRIORITY, TZ, Mistake, Parameters, Remembered, key_name, lasting, what_is_wrong,
)
from gearfast.server.fenced cimport send_after_store
from gearfast.server.round cimport Pause
from gearfast.server.session cimport Service
from gearfast.ground.slice cimport slice_of_text

from gearfast import config, logs
from gearfast.protocol.cron import check, next_after, of_packet

cdef size_t LARGE = config.LARGE_BODY
cdef size_t MAX_UNIQUE = config.UNIQUE_SIZE
cdef int NOTICE = logs.NOTICE

cdef enum:
    WHY_ROOM = 2048           # bytes of what a client is told, at most
    FIGURE_ROOM = 320         # of any double without its fraction


cdef enum Taken:                  # parameters
    FINE = 1
    REFUSED = 2                   # there is a mistake in them, and the client is told
    NO_ROOM = 3                   # there is no memory to tell it

cdef bint submit(Session session, Submission* wanted) noexcept nogil:
    cdef char* room = NULL
    cdef bint done
    if wanted.payload.size >= LARGE and session.service.threads > 0:
        room = copied(session, wanted)
        wanted.room = &room
    done = take(session, wanted)
    if room != NULL:                               # no job has taken it
        free(room)
    return done


cdef char* copied(Session session, const Submission* wanted) noexcept nogil:
    """Room for its job, its payload in it, with the lock let go for so long. NULL: it is copied with the lock."""
    cdef char* room
    cdef Pause pause
    session.outlet.stay(1)
    pause = session.service.pause()
    room = job_room(wanted.unique, wanted.reducer, wanted.payload)
    session.service.resume(pause)
    session.outlet.stay(-1)
    return room


cdef inline bint take(Session session, Submission* wanted) noexcept nogil:
    cdef Taken taken
    if session.service.takes_parameters:
        wanted.home = functions_latest(&session.service.broker.functions, wanted.function)
        if wanted.home == NULL:
            taken = take_parameters(session, wanted)
            if taken != FINE:
                return taken == REFUSED
    return hand_over(session, wanted)


cdef bint submit_sched(Session session, Submission* wanted, const Slice* fields) noexcept nogil:
    if session.lacks_python():
        return True
    with gil:
        return submit_with_cron(session, wanted, fields)


cdef bint submit_with_cron(Session session, Submission* wanted, const Slice* fields) noexcept:
    try:
        return submit_as_cron(session, wanted, tuple([slice.data[:slice.size] for slice in fields[:5]]))
    except MemoryError:
        return False


cdef bint submit_as_cron(Session session, Submission* wanted, tuple fields) except -1:
    """As if its cron were the first of its parameters."""
    cdef Slice name = wanted.function
    cdef const char* semicolon = NULL
    cdef bytes whole
    cdef Taken taken
    try:
        text = of_packet(*fields)
    except ValueError as error:
        return session.refuse(b"INVALID_PARAMETER", f"{error}".encode())
    if session.service.takes_parameters:
        semicolon = semicolon_in(session, name)
    size = name.size if semicolon == NULL else <size_t>(semicolon - name.data)
    whole = b"%b;cron=%b%b" % (name.data[:size], text.encode(), name.data[size:name.size])
    wanted.function = Slice(<const char*>whole, len(whole))
    wanted.home = NULL
    taken = take_parameters_behind(session, wanted, size)
    return hand_over(session, wanted) if taken == FINE else taken == REFUSED


cdef inline bint hand_over(Session session, Submission* wanted) noexcept nogil:
    cdef Job* job = NULL
    cdef Submitted submitted
    if wanted.due < 0:
        wanted.due = 0
    if wanted.unique.size > MAX_UNIQUE or wanted.reducer.size > MAX_UNIQUE:
        return session.refuse(b"ARGUMENT_TOO_LARGE", b"Unique value too large")
    if wanted.background and wanted.function.size + wanted.unique.size + wanted.payload.size > session.service.largest:
        return refuse_large(session, session.service.largest)
    if wanted.given & CRON:
        submitted = session.service.broker.submit_schedule(wanted, session.service.round.now, &job)
    else:
        submitted = session.service.broker.submit(session, wanted, session.service.round.now, &job)
    if submitted >= QUEUE_FULL:
        return refuse_job(session, wanted, submitted)
    if wanted.background and session.service.broker.outbox.expects(job):
        if not send_after_store(session, job):
            return False
    else:
        if not session.send_handle(JOB_CREATED, job.number):
            return False
        if job.state == ENDED and not wanted.background:
            session.service.broker.tell_ended(session, job)
    if session.service.notes.jobs:
        log_job(session.service, wanted)
        session.stopped = session.stopped or session.service.notes.is_full()
    return True


cdef bint refuse_large(Session session, size_t most) noexcept nogil:
    cdef char why[80]
    snprintf(why, sizeof(why), b"The store takes jobs of at most %zu bytes", most)
    return session.refuse(b"QUEUE_ERROR", why)


cdef void log_job(Service service, const Submission* wanted) noexcept nogil:
    cdef char due[FIGURE_ROOM]
    cdef int size = snprintf(due, sizeof(due), b"%.0f", wanted.due)
    cdef Slice[6] line = [
        slice_of_text(b"accepted,"), wanted.function, slice_of_text(b","), wanted.unique, slice_of_text(b","), Slice(&due[0], size),
    ]
    service.notes.write_down(NOTICE, line, 6)      # without memory it is missing: its client was told


cdef bint refuse_job(Session session, const Submission* wanted, Submitted why) noexcept nogil:
    if why == NO_MEMORY:
        return session.refuse(b"QUEUE_ERROR", b"no memory for another job")
    if why == IS_DRAINED:
        return refuse_drained(session, wanted.function)
    if why == QUEUE_FULL:
        return session.refuse(b"QUEUE_ERROR", b"Job queue is full")
    if why == NO_NUMBERS:
        return session.refuse(b"QUEUE_ERROR", b"No job numbers are left until the store is back")
    return session.refuse(b"QUEUE_ERROR", b"The server is short of memory and takes no jobs now")


cdef bint refuse_drained(Session session, Slice name) noexcept nogil:
    cdef Slice reason = session.service.broker.reason_of(name)
    if reason.size == 0:
        reason = slice_of_text(b"it is drained")
    return session.refuse_because(b"QUEUE_ERROR", b"Nothing more is taken for this function: ", reason)


# --- parameters ---

cdef const char* semicolon_in(Session session, Slice name) noexcept nogil:
    """Behind it are parameters; NULL: there is none, or somebody uses the name as it is."""
    cdef const char* semicolon = <const char*>memchr(name.data, c";", name.size) if name.size > 0 else NULL
    return NULL if semicolon == NULL or session.service.broker.knows(name) else semicolon


cdef Taken take_parameters(Session session, Submission* wanted) noexcept nogil:
    """Out of the function's name, into the submission."""
    cdef const char* semicolon = semicolon_in(session, wanted.function)
    return FINE if semicolon == NULL else take_parameters_behind(session, wanted, semicolon - wanted.function.data)


cdef Taken take_parameters_behind(Session session, Submission* wanted, size_t size) noexcept nogil:
    cdef Slice text = Slice(wanted.function.data + size + 1, wanted.function.size - size - 1)
    cdef Mistake mistake
    cdef const Remembered* remembered = session.service.texts.read(text, &mistake)
    cdef const Parameters* found
    cdef double due = 0
    if remembered == NULL:
        if session.lacks_python():
            return REFUSED
        with gil:
            return refuse_mistake(session, &mistake)
    found = &remembered.parameters
    wanted.given |= found.given
    wanted.policy = lasting(remembered)
    wanted.replaces = found.replaces
    wanted.function.size = size
    if size == 0:
        return refuse(session, b"there is no name of a function before the semicolon")
    if found.given & PRIORITY:
        wanted.priority = found.priority
    if not wanted.background and found.given & ~FOR_CLIENT:
        return refuse_key(session, found.given & ~FOR_CLIENT)
    if wanted.due != 0 and found.given & CRON:
        return refuse(session, b"SUBMIT_JOB_EPOCH has its own time: leave cron out")
    if found.given & CRON:
        if session.lacks_python():
            return REFUSED
        with gil:
            return date(session, wanted, found)
    if not found.given & (DELAY | AT):
        return FINE
    if wanted.due != 0:                            # or it was one that has passed
        return refuse(session, b"SUBMIT_JOB_EPOCH has its own time: leave delay and at out")
    due = found.at if found.given & AT else session.service.clock.wall() + found.delay
    if due > session.service.clock.wall():
        wanted.due = due
    return FINE


cdef Taken date(Session session, Submission* wanted, const Parameters* found) noexcept:
    """When the schedule fires first."""
    cdef double wall = session.service.clock.wall()
    try:
        try:
            text = as_text(found.cron)
            check(text, as_text(found.tz))
            wanted.due = next_after(text, as_text(zone_of(session, wanted.function, found)), wall)
        except ValueError as error:
            return refuse(session, f"{error}".encode())
    except MemoryError:
        return NO_ROOM
    return FINE


cdef Slice zone_of(Session session, Slice name, const Parameters* asked) noexcept nogil:
    """What it asks for, else what holds for its function."""
    cdef const Function* function = NULL if asked.given & TZ else functions_get(&session.service.broker.functions, name)
    return asked.tz if function == NULL or function.rules == NULL else function.rules.asked.tz


cdef str as_text(Slice slice):
    return slice.data[:slice.size].decode("ascii", "replace")


cdef Taken refuse_mistake(Session session, const Mistake* mistake) noexcept:
    try:
        return refuse(session, what_is_wrong(mistake).encode())
    except MemoryError:
        return NO_ROOM


cdef Taken refuse_key(Session session, uint32_t key) noexcept nogil:
    cdef char why[96]
    snprintf(why, sizeof(why), b"%s is for background jobs: a client waits for this one", key_name(key))
    return refuse(session, why)


cdef Taken refuse(Session session, const char* why) noexcept nogil:
    cdef char whole[WHY_ROOM]
    snprintf(whole, sizeof(whole), b"%s (--submit-parameters=no reads names as they are)", why)
    return REFUSED if session.refuse(b"INVALID_PARAMETER", whole) else NO_ROOM
