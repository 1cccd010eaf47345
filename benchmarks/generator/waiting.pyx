"""Who is who, and who waits for what: the words of a run that failed."""

from libc.stdint cimport uint64_t

from benchmarks.generator.course cimport Course, Crew
from benchmarks.generator.flight cimport under_way
from benchmarks.generator.peer cimport BESIDE, CALLER, CLIENT, GRABBING, POLLER, WORKER, Peer

from benchmarks.errors import Stalled

TITLES = ("client", "caller", "worker", "idle peer", "deaf peer", "poller", "side client")


def whose_turn(Course course):
    """Return the name of the peer that was being heard or talked to; "" for nobody."""
    return f"{TITLES[course.current.kind]} {course.current.ordinal}" if course.current != NULL else ""


cdef uint64_t answers_due(Course course, Peer* peer) noexcept:
    cdef uint64_t due = peer.echoing
    if peer.kind == CLIENT or peer.kind == CALLER or peer.kind == BESIDE:
        due += under_way(&peer.flight)
    elif peer.kind == WORKER:
        due += peer.deleting + (peer.state == GRABBING)
    elif peer.kind == POLLER:
        due += peer.question.asked
    return due


cdef str crew_waits(Course course, int kind):
    """Tell how many of a kind wait for how many answers, and which is the first; "" if none does."""
    cdef Crew* crew = &course.crews[kind]
    cdef uint64_t answers = 0, due
    cdef int waiting = 0, first = -1
    cdef size_t at
    for at in range(crew.count):
        due = answers_due(course, crew.peers[at])
        answers += due
        waiting += due > 0
        if due > 0 and first < 0:
            first = <int>at
    return f"{waiting} of {crew.count} {TITLES[kind]}s for {answers} answers ({TITLES[kind]} {first} the first)" if (
        waiting > 0) else ""


def stalled(Course course):
    """Raise Stalled with what every kind of peer waits for."""
    waits = [words for kind in range(len(TITLES)) if (words := crew_waits(course, kind))]
    told = "; waiting are " + ", ".join(waits) if waits else ""
    due = course.begun if course.has_submitters() else course.limit
    if course.crews[<int>WORKER].count > 0 and course.worked < due and not course.closing:
        told += f"; {course.worked} of {due} jobs came to a worker"
    raise Stalled(f"nothing came for {course.patience / 1e9:g} s{told}")
