"""What each packet type asks of the broker, and what it is answered (protocol section 2)."""

from libc.stdint cimport INT64_MAX, INT64_MIN, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdio cimport snprintf
from libc.string cimport memcpy
from posix.strings cimport strncasecmp

from gearfast.broker.broker cimport ASLEEP, HAS_WORK, Slept
from gearfast.protocol.handle cimport HANDLE_ROOM
from gearfast.broker.job cimport DEAD, HIGH, SCHEDULED, LOW, NORMAL, RUNNING, Job, job_payload, job_reducer, job_unique
from gearfast.broker.estate cimport Submission
from gearfast.protocol.packet cimport (
    CAN_DO, CAN_DO_TIMEOUT, CANT_DO, ECHO_REQ, ECHO_RES, GET_STATUS, GET_STATUS_UNIQUE, GRAB_JOB, GRAB_JOB_ALL,
    GRAB_JOB_UNIQ, JOB_ASSIGN, JOB_ASSIGN_ALL, JOB_ASSIGN_UNIQ, LAST_TYPE, NO_JOB, NOOP, OPTION_REQ, OPTION_RES,
    PRE_SLEEP, RESET_ABILITIES, SET_CLIENT_ID, STATUS_RES, STATUS_RES_UNIQUE, SUBMIT_JOB, SUBMIT_JOB_BG,
    SUBMIT_JOB_EPOCH, SUBMIT_JOB_HIGH, SUBMIT_JOB_HIGH_BG, SUBMIT_JOB_LOW, SUBMIT_JOB_LOW_BG, SUBMIT_JOB_SCHED, SUBMIT_REDUCE_JOB,
    SUBMIT_REDUCE_JOB_BACKGROUND, WORK_COMPLETE, WORK_DATA, WORK_EXCEPTION, WORK_FAIL, WORK_STATUS, WORK_WARNING,
    Packet, PacketType,
)
from gearfast.protocol.parameters cimport AT, ParameterTexts
from gearfast.broker.peer cimport COMPLETE, DATA, EXCEPTION, FAIL, STATUS, WARNING, Report
from gearfast.broker.functions cimport Function
from gearfast.server.session cimport Handler, Row, Service, Session
from gearfast.server.submit cimport submission, submit, submit_sched
from gearfast.ground.slice cimport Slice, cut_at_nul

from gearfast import config

cdef size_t MAX_HANDLE = config.HANDLE_SIZE
cdef size_t MAX_CLIENT_ID = config.CLIENT_ID_SIZE
cdef int64_t TIMEOUT_FLOOR = config.TIMEOUT_FLOOR
cdef dict UNITS = config.TIMEOUT_UNITS


cdef bint parse_number(Slice digits, int64_t* number) noexcept nogil:
    """The decimal integer that `digits` begin with, 0 if they do not; False if it needs more than 64 bits."""
    cdef size_t at = 0
    cdef bint negative
    cdef int digit
    number[0] = 0
    while at < digits.size and (digits.data[at] == c" " or 9 <= digits.data[at] <= 13):
        at += 1
    negative = at < digits.size and digits.data[at] == c"-"
    if negative or (at < digits.size and digits.data[at] == c"+"):
        at += 1
    while at < digits.size and c"0" <= digits.data[at] <= c"9":
        digit = digits.data[at] - c"0"
        if number[0] < (INT64_MIN + digit) // 10:
            number[0] = INT64_MIN if negative else INT64_MAX
            return False
        number[0] = number[0] * 10 - digit             # negative: there is one more of those
        at += 1
    if not negative:
        if number[0] == INT64_MIN:
            number[0] = INT64_MAX
            return False
        number[0] = -number[0]
    return True


# --- abilities and sleep (protocol sections 2.1, 2.2) ---

cdef bint on_can_do(Session session, const Packet* packet, const Row* row) noexcept nogil:
    return session.service.broker.can_do(session, packet.argument[0], 0)


cdef bint on_can_do_timeout(Session session, const Packet* packet, const Row* row) noexcept nogil:
    cdef int64_t timeout, unit = session.service.timeout_unit
    if not parse_number(packet.argument[1], &timeout) or timeout > INT64_MAX // unit:
        return session.refuse(b"ARGUMENT_TOO_LARGE", b"The timeout of CAN_DO_TIMEOUT does not fit 64 bits")
    if timeout > 0:
        timeout = max(timeout * unit, TIMEOUT_FLOOR)
    return session.service.broker.can_do(session, packet.argument[0], max(timeout, <int64_t>0))


cdef bint on_cant_do(Session session, const Packet* packet, const Row* row) noexcept nogil:
    session.service.broker.cant_do(session, packet.argument[0], session.service.round.now)
    return True


cdef bint on_reset_abilities(Session session, const Packet* packet, const Row* row) noexcept nogil:
    return session.service.broker.reset_abilities(session, session.service.round.now)


cdef bint on_set_client_id(Session session, const Packet* packet, const Row* row) noexcept nogil:
    cdef Slice name = cut_at_nul(packet.argument[0])
    name.size = min(name.size, MAX_CLIENT_ID)
    return session.call_itself(name)


cdef bint on_pre_sleep(Session session, const Packet* packet, const Row* row) noexcept nogil:
    cdef Slept slept = session.service.broker.sleep(session)
    if slept == HAS_WORK:
        return session.send(NOOP, NULL, 0)
    return slept == ASLEEP


# --- work (protocol sections 2.3, 2.8) ---

cdef bint on_grab(Session session, const Packet* packet, const Row* row) noexcept nogil:
    cdef Job* job
    cdef Slice part[4]
    cdef size_t size
    cdef char* at
    cdef int count = 2, i
    cdef uint32_t type = JOB_ASSIGN
    cdef Slice payload
    if not session.service.broker.grab(session, session.service.round.now, &job):
        return False
    if job == NULL:
        return session.send(NO_JOB, NULL, 0)
    part[0] = session.service.broker.handles.spell(job.number)
    part[1] = (<Function*>job.home).name
    if packet.type != GRAB_JOB:
        part[2] = job_unique(job)
        count = 3
        type = JOB_ASSIGN_UNIQ
    if packet.type == GRAB_JOB_ALL and job.reducer_size > 0:
        part[3] = job_reducer(job)
        count = 4
        type = JOB_ASSIGN_ALL
    payload = job_payload(job)
    size = count
    for i in range(count):
        size += part[i].size
    at = session.begin(type, size, payload)
    if at == NULL:
        return False
    for i in range(count):
        memcpy(at, part[i].data, part[i].size)
        at += part[i].size
        at[0] = 0
        at += 1
    return session.finish(payload)


cdef inline uint64_t number_in(Session session, Slice handle) noexcept nogil:
    return session.service.broker.handles.parse(handle.data, handle.size)


cdef bint on_report(Session session, const Packet* packet, const Row* row) noexcept nogil:
    cdef Slice handle = packet.argument[0], body = packet.body
    cdef char whole[HANDLE_ROOM]
    if packet.unterminated and handle.size < HANDLE_ROOM:          # clients need the NUL that this worker has left out
        memcpy(whole, handle.data, handle.size)
        whole[handle.size] = 0
        body = Slice(&whole[0], handle.size + 1)
    if packet.type == WORK_FAIL:
        if handle.size > MAX_HANDLE:
            return session.refuse(
                b"ARGUMENT_TOO_LARGE",
                b"Error occurred due to GEARMAND_JOB_HANDLE_SIZE being too small from snprintf",
            )
        handle = cut_at_nul(handle)
    return session.check(
        session.service.broker.report(session, number_in(session, handle), row.report, body.data, body.size,
                                      session.service.round.now),
        row.not_found,
    )


cdef bint on_work_status(Session session, const Packet* packet, const Row* row) noexcept nogil:
    cdef int64_t numerator, denominator
    parse_number(packet.argument[1], &numerator)
    parse_number(packet.argument[2], &denominator)
    return session.check(
        session.service.broker.progress(session, number_in(session, packet.argument[0]), <uint32_t>numerator,
                                        <uint32_t>denominator, packet.body.data, packet.body.size, session.service.round.now),
        row.not_found,
    )


# --- submission (protocol sections 2.4 to 2.6) ---

cdef bint on_submit(Session session, const Packet* packet, const Row* row) noexcept nogil:
    cdef Submission wanted = submission(packet, row)
    return submit(session, &wanted)


cdef bint on_submit_epoch(Session session, const Packet* packet, const Row* row) noexcept nogil:
    cdef Submission wanted = submission(packet, row)
    cdef int64_t when
    if not parse_number(packet.argument[2], &when):
        return session.refuse(b"ARGUMENT_TOO_LARGE", b"The time of SUBMIT_JOB_EPOCH does not fit 64 bits")
    wanted.given = AT
    wanted.due = <double>when if when > session.service.clock.wall() else -1.0
    return submit(session, &wanted)


cdef bint on_submit_sched(Session session, const Packet* packet, const Row* row) noexcept nogil:
    cdef Submission wanted = submission(packet, row)
    with gil:
        return submit_sched(session, &wanted, packet.argument + 2)


cdef bint on_submit_reduce(Session session, const Packet* packet, const Row* row) noexcept nogil:
    cdef Submission wanted = submission(packet, row)
    wanted.reducer = packet.argument[2]
    return submit(session, &wanted)


# --- questions (protocol sections 2.7, 2.10) ---

cdef bint send_status(Session session, uint32_t type, Slice asked, const Job* job) noexcept nogil:
    cdef char figures[64]
    cdef uint32_t numerator = 0, denominator = 0
    cdef bint known = job != NULL and (job.state < DEAD or job.state == SCHEDULED)
    cdef bint running = known and job.state == RUNNING
    cdef int size
    cdef char* at
    if running:
        numerator = job.place.run.numerator
        denominator = job.place.run.denominator
    size = snprintf(figures, sizeof(figures), b"%d%c%d%c%u%c%u", <int>known, 0, <int>running, 0,
                    numerator, 0, denominator)
    if type == STATUS_RES_UNIQUE:
        size += snprintf(figures + size, sizeof(figures) - size, b"%c%u", 0,
                         <uint32_t>(job.waiting if known else 0))
    at = session.packet(type, asked.size + 1 + size)
    if at == NULL:
        return False
    memcpy(at, asked.data, asked.size)
    at[asked.size] = 0
    memcpy(at + asked.size + 1, figures, size)
    session.outlet.ready()
    return True


cdef bint on_get_status(Session session, const Packet* packet, const Row* row) noexcept nogil:
    cdef Slice handle = cut_at_nul(packet.argument[0])
    return send_status(session, STATUS_RES, handle, session.service.broker.find_named(handle))


cdef bint on_get_status_unique(Session session, const Packet* packet, const Row* row) noexcept nogil:
    cdef Slice unique = cut_at_nul(packet.argument[0])
    return send_status(session, STATUS_RES_UNIQUE, unique, session.service.broker.find_unique(unique))


cdef bint on_echo(Session session, const Packet* packet, const Row* row) noexcept nogil:
    return session.send(ECHO_RES, packet.body.data, packet.body.size)


cdef bint on_option(Session session, const Packet* packet, const Row* row) noexcept nogil:
    cdef Slice name = cut_at_nul(packet.argument[0])
    if name.size != 10 or strncasecmp(name.data, b"exceptions", 10) != 0:
        return session.refuse(b"UNKNOWN_OPTION", b"Server does not recognize given option")
    session.exceptions = True
    return session.send(OPTION_RES, packet.body.data, packet.body.size)


# --- the table: types without a handler are answered INVALID_COMMAND ---

cdef Row TABLE[LAST_TYPE + 1]


cdef void on(PacketType type, Handler handler) noexcept:
    TABLE[<int>type].handler = handler


cdef void submits(PacketType type, Handler handler, uint8_t priority, bint background) noexcept:
    TABLE[<int>type] = Row(handler, priority, background, DATA, NULL)


cdef void reports(PacketType type, Handler handler, Report report, const char* not_found) noexcept:
    TABLE[<int>type] = Row(handler, 0, False, report, not_found)


on(CAN_DO, on_can_do)
on(CAN_DO_TIMEOUT, on_can_do_timeout)
on(CANT_DO, on_cant_do)
on(RESET_ABILITIES, on_reset_abilities)
on(SET_CLIENT_ID, on_set_client_id)
on(PRE_SLEEP, on_pre_sleep)
on(GRAB_JOB, on_grab)
on(GRAB_JOB_UNIQ, on_grab)
on(GRAB_JOB_ALL, on_grab)
submits(SUBMIT_JOB, on_submit, NORMAL, False)
submits(SUBMIT_JOB_HIGH, on_submit, HIGH, False)
submits(SUBMIT_JOB_LOW, on_submit, LOW, False)
submits(SUBMIT_JOB_BG, on_submit, NORMAL, True)
submits(SUBMIT_JOB_HIGH_BG, on_submit, HIGH, True)
submits(SUBMIT_JOB_LOW_BG, on_submit, LOW, True)
submits(SUBMIT_JOB_EPOCH, on_submit_epoch, NORMAL, True)
submits(SUBMIT_JOB_SCHED, on_submit_sched, NORMAL, True)
submits(SUBMIT_REDUCE_JOB, on_submit_reduce, NORMAL, False)
submits(SUBMIT_REDUCE_JOB_BACKGROUND, on_submit_reduce, NORMAL, True)
reports(WORK_DATA, on_report, DATA, b"Job does not exist on server")
reports(WORK_WARNING, on_report, WARNING, b"Job does not exist on server")
reports(WORK_STATUS, on_work_status, STATUS, b"Job given in work result not found")
reports(WORK_COMPLETE, on_report, COMPLETE, b"Job given in work result not found")
reports(WORK_FAIL, on_report, FAIL, b"Job given in work result not found")
reports(WORK_EXCEPTION, on_report, EXCEPTION, b"An exception was received for a job that does not exist")
on(GET_STATUS, on_get_status)
on(GET_STATUS_UNIQUE, on_get_status_unique)
on(ECHO_REQ, on_echo)
on(OPTION_REQ, on_option)


def answer_requests(Service service not None, str timeout_unit not None="ms", bint submit_parameters=True):
    service.table = TABLE
    service.timeout_unit = UNITS[timeout_unit]
    service.texts = ParameterTexts()
    service.takes_parameters = submit_parameters
