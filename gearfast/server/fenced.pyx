"""Answers that wait for the store."""

from libc.stdint cimport uint32_t, uint64_t

from gearfast.ground.lock cimport lock_enter, lock_leave
from gearfast.ground.ring cimport Ring, ring_append, ring_leave
from gearfast.server.fence cimport Fence, fences_add, fences_close, fences_pass
from gearfast.protocol.packet cimport HEADER_SIZE, JOB_CREATED, UNFENCED, PacketWriter, body_size
from gearfast.server.session cimport NO_MEMORY, need


cdef bint send_after_store(Session session, const Job* job) noexcept nogil:
    cdef uint64_t place = session.out.base + session.out.size
    if not fences_add(&session.fences, Fence(job.number, place)):
        return False
    session.heavy = session.heavy or session.service.broker.outbox.is_heavy(job)
    if session.fences.count == 1:
        session.out.fence = place
        ring_append(&session.service.fenced, &session.owes)
    if session.send_handle(JOB_CREATED, job.number):
        return True
    session.fences.count -= 1                      # a fence is never without its packet
    if session.fences.count == 0:
        session.out.fence = UNFENCED
        ring_leave(&session.owes)
    return False


cdef void set_fence(Session session) noexcept nogil:
    """Before the first answer that waits."""
    if session.fences.count > 0:
        session.out.fence = session.fences.fence[session.fences.first].place
        return
    session.out.fence = UNFENCED
    session.heavy = False
    fences_close(&session.fences)                  # an idle peer holds nothing


# --- the store has written something ---

cdef void pass_fences(Service service) noexcept nogil:
    cdef Ring* link = service.fenced.next
    cdef Ring* after
    while link != &service.fenced:
        after = link.next
        if let_go(<Session>link.owner):
            ring_leave(link)
        link = after


cdef bint let_go(Session session) noexcept nogil:
    """Returns whether none of its answers waits for the store any more."""
    cdef uint32_t before = session.fences.count
    cdef Job* job
    while session.fences.count > 0:
        job = session.service.broker.find(session.fences.fence[session.fences.first].number)
        if job != NULL and session.service.broker.outbox.owes(job):
            break
        fences_pass(&session.fences)
    set_fence(session)
    if session.fences.count < before:
        session.outlet.ready()
    return session.fences.count == 0


def is_waited_for(Service service not None, uint64_t last):
    lock_enter()
    waited_for = has_fence_to(service, last)
    lock_leave()
    return waited_for


cdef bint has_fence_to(Service service, uint64_t last) noexcept nogil:
    cdef const Ring* link = service.fenced.next
    while link != &service.fenced:
        if (<Session>link.owner).fences.fence[(<Session>link.owner).fences.first].number <= last:
            return True
        link = link.next
    return False


# --- it did not take some jobs ---

def refuse_jobs(Service service not None, set numbers not None, bytes text not None):
    cdef Session session
    cdef Ring* link
    cdef Ring* after
    lock_enter()
    link = service.fenced.next
    while link != &service.fenced:
        after = link.next
        session = <Session>link.owner
        try:
            answer_anew(session, numbers, text)
        except MemoryError:                        # half written anew: nothing of it may be sent
            session.abort_for(NO_MEMORY)
        if session.fences.count == 0:
            ring_leave(link)
        link = after
    lock_leave()


cdef int answer_anew(Session session, set numbers, bytes text) except -1:
    """Write the answers once more from the first fence on: an ERROR in place of each JOB_CREATED for one of these jobs."""
    cdef PacketWriter old = session.out, to = session.to, new = session.writer()
    try:
        write_anew(session, old, new, numbers, text)
    finally:
        new.take_pin(old)                          # it may be sent from at this moment
    if to is not old:                              # a long answer goes on, and packets wait behind it
        session.to = to
    set_fence(session)
    return 0


cdef int write_anew(Session session, PacketWriter old, PacketWriter new, set numbers, bytes text) except -1:
    cdef Fence* fence = session.fences.fence + session.fences.first
    cdef uint32_t count = session.fences.count, at
    cdef size_t place = old.sent, start, size
    new.base = old.base + old.sent
    session.out = session.to = new
    session.fences.count = 0
    for at in range(count):
        start = <size_t>(fence[at].place - old.base)
        size = HEADER_SIZE + body_size(old.data + start)
        need(new.write(old.data + place, start - place))
        place = start + size
        if fence[at].number in numbers:
            need(session.refuse(b"QUEUE_ERROR", text))
        else:
            fence[session.fences.count] = fence[at]
            fence[session.fences.count].place = new.base + new.size
            session.fences.count += 1
            need(new.write(old.data + start, size))
    need(new.write(old.data + place, old.size - place))
    return 0
