"""The load: many peers of one server, driven by one thread with epoll, and every answer checked.

This is the door: what is asked is checked here, and peers are connected. The rooms behind it are in generator/.
"""

import math
import os

from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memset

from benchmarks.generator.course cimport Course
from benchmarks.generator.ledger cimport Ledger
from benchmarks.generator.peer cimport (
    BESIDE, CALLER, CLIENT, DEAF, IDLE, KINDS, POLLER, WORKER, Peer, Question
)
from benchmarks.generator.tally cimport Tally, bucket_for, counted
from benchmarks.generator.talk cimport Plan, Talk
from benchmarks.generator.turn cimport play, settle

from benchmarks.errors import Stalled, WrongAnswer
from benchmarks.generator.beanstalk import Beanstalk
from benchmarks.generator.gearman import Gearman
from benchmarks.generator.waiting import whose_turn
from benchmarks.processes import allow_open_files

__all__ = ["Load", "Outcome", "Stalled", "WrongAnswer", "bucket_of"]

KINDS_BY_NAME = {
    "clients": CLIENT, "callers": CALLER, "workers": WORKER, "idle": IDLE, "deaf": DEAF, "poll": POLLER,
    "beside": BESIDE,
}
TALKS = {"gearman": Gearman, "beanstalk": Beanstalk}
# Fields of each line of an answer, less one; of other dotted answers any number.
TABS = {"status": 3, "prioritystatus": 4, "show jobs": 3}
DOTTED = {"status", "prioritystatus", "workers", "show jobs", "show unique jobs"}
# So many connections are made before their first answers are waited for: well below a server's backlog (gearmand's is
# 32). A connection beyond it would be tried again by the kernel, a second later.
AT_ONCE = 16
LARGEST = 1 << 30
MAX_PEERS = 1 << 20
LONGEST_PATH = 107
# Of a name's 16 bytes: seven are for the number of the function, one for the NUL.
LONGEST_STEM = 8


def bucket_of(uint64_t nanoseconds):
    return bucket_for(nanoseconds)


class Outcome:
    __slots__ = ("beside", "jobs", "latencies", "polls", "seconds")

    def __init__(self, jobs, seconds, latencies, polls, beside=()):
        self.jobs, self.seconds, self.latencies, self.polls = jobs, seconds, latencies, polls
        self.beside = list(beside)

    def __repr__(self):
        return f"Outcome(jobs={self.jobs}, seconds={self.seconds:.6f})"


def within(name, value, least, most):
    """Raise ValueError unless a number lies where it must."""
    if not least <= value <= most:
        raise ValueError(f"{name} must be from {least} to {most}, not {value}")


cdef class Load:
    cdef Course course
    cdef str protocol
    cdef bytes path
    cdef bytes babble
    cdef bint failed
    cdef double patience
    cdef int longest_delay

    def __init__(self, int port, *, str protocol="gearman", double patience=30.0, bint spin=False, str path="",
                 str stem="work"):
        within("port", port, 1, 65535)
        self.path = os.fsencode(path)
        within("the length of path", len(self.path), 0, LONGEST_PATH)
        if protocol not in TALKS:
            raise ValueError(f"protocol must be one of {', '.join(TALKS)}, not {protocol!r}")
        if not 0 < patience < math.inf:
            raise ValueError(f"patience must be a number of seconds above 0, not {patience}")
        if not (stem.isascii() and stem.isalpha() and len(stem) <= LONGEST_STEM):
            raise ValueError(f"stem must be 1 to {LONGEST_STEM} letters, not {stem!r}")
        allow_open_files()
        self.protocol, self.patience = protocol, patience
        self.course = Course()
        self.course.port, self.course.spinning = port, spin
        self.course.path = <const char*>self.path if self.path else NULL
        self.course.talk = TALKS[protocol]()
        self.course.ledger = Ledger(stem.encode())
        self.provide(8, 1)

    # --- peers ------------------------------------------------------------------------------------------

    def clients(self, int count, *, int in_flight=1, bint foreground=False, ssize_t payload=64, int unique=0,
                int delay=0, int functions=1):
        within("count", count, 1, MAX_PEERS)
        within("in_flight", in_flight, 1, 1_000_000)
        within("payload", payload, 0, LARGEST)
        within("delay", delay, 0, 1_000_000_000)
        within("functions", functions, 1, 1_000_000)
        if unique:
            within("unique", unique, 6, 64)
        if foreground and delay:
            raise ValueError("a delayed job is always a background job: give foreground or delay")
        self.only_gearman(foreground=foreground, unique=unique, functions=functions != 1)
        self.must_be_whole()
        self.provide(payload, functions)
        self.longest_delay = max(self.longest_delay, delay)
        self.connect(CLIENT, count, Plan(foreground, payload, unique, delay, functions), in_flight)

    def callers(self, int count, *, ssize_t payload=64):
        cdef int at
        cdef Peer* peer
        cdef uint32_t origin
        within("count", count, 1, MAX_PEERS)
        within("payload", payload, 0, LARGEST)
        self.must_be_whole()
        self.provide(payload, 1)
        # Their jobs are ordered by nothing: each comes over a connection of its own.
        origin = self.course.ledger.open_origin(payload, 1, False)
        for at in range(count):
            peer = self.course.add(CALLER)
            peer.plan, peer.in_flight, peer.origin = Plan(False, payload, 0, 0, 1), 1, origin

    def workers(self, int count, *, int functions=1, ssize_t result=-1):
        within("count", count, 1, MAX_PEERS)
        within("functions", functions, 1, 1_000_000)
        within("result", result, -1, LARGEST)
        self.only_gearman(functions=functions != 1, result=result != -1)
        self.must_be_whole()
        if self.course.crews[<int>WORKER].count and self.course.result != result:
            raise ValueError(f"all workers of a load answer alike: result is {self.course.result} so far, not {result}")
        self.course.result = result
        self.provide(max(result, 0), functions)
        self.connect(WORKER, count, Plan(False, 0, 0, 0, functions), 0)

    def idle(self, int count):
        within("count", count, 1, MAX_PEERS)
        self.must_be_whole()
        self.connect(IDLE, count, Plan(False, 0, 0, 0, 0), 0)

    def deaf(self, int count, *, ssize_t payload=65536, ssize_t most=1 << 28):
        within("count", count, 1, MAX_PEERS)
        within("payload", payload, 0, LARGEST)
        within("most", most, 1, 1 << 40)
        self.must_be_whole()
        if self.course.crews[<int>DEAF].count:
            raise ValueError("there are deaf peers already: hang them up first")
        word = b"\0REQ" + (16).to_bytes(4, "big") + payload.to_bytes(4, "big") + b"d" * payload
        if self.protocol == "beanstalk":
            word = b"list-tube-used\r\n"
        # Small ones by the many, so that one send fills the socket.
        self.babble = word * max(65536 // len(word), 1)
        self.course.babble, self.course.babble_size = self.babble, len(self.babble)
        self.course.babble_most = most
        self.connect(DEAF, count, Plan(False, 0, 0, 0, 0), 0)

    def poll(self, str command, *, double hertz):
        cdef Question question
        line = command.encode("ascii") + b"\n"
        if not command.strip() or "\n" in command or len(line) > 64:
            raise ValueError(f"a command is one line of at most 63 characters, not {command!r}")
        within("hertz", hertz, 1e-6, 1e6)
        self.only_gearman(poll=True)
        self.must_be_whole()
        memset(&question, 0, sizeof(question))
        memcpy(question.command, <const char*>line, len(line))
        question.size = len(line)
        question.dotted, question.tabs = command in DOTTED, TABS.get(command, -1)
        question.interval = <uint64_t>(1e9 / hertz)
        self.connect(POLLER, 1, Plan(False, 0, 0, 0, 0), 0)
        self.course.crews[<int>POLLER].peers[self.course.crews[<int>POLLER].count - 1].question = question

    def beside(self, int count, *, double rate, ssize_t payload=64, int unique=0):
        within("count", count, 1, MAX_PEERS)
        within("rate", rate, 1e-6, 1e9)
        within("payload", payload, 0, LARGEST)
        if unique:
            within("unique", unique, 6, 64)
        self.only_gearman(beside=True)
        self.must_be_whole()
        if self.course.crews[<int>BESIDE].count:
            raise ValueError("there are clients beside already: hang them up first")
        self.provide(payload, 1)
        self.course.beside_interval = 1e9 / rate
        memcpy(self.course.beside_name.text, b"beside", 7)
        self.course.beside_name.size = 6
        self.connect(BESIDE, count, Plan(False, payload, unique, 0, 1), 0)

    def hang_up(self, kinds=()):
        for name in kinds:
            if name not in KINDS_BY_NAME:
                raise ValueError(f"{name!r} is no kind of peer; there are {', '.join(KINDS_BY_NAME)}")
        for name in kinds or KINDS_BY_NAME:
            self.course.remove_all(KINDS_BY_NAME[name])

    def only_gearman(self, **wanted):
        if self.protocol != "gearman" and any(wanted.values()):
            asked = " and ".join(name for name, value in wanted.items() if value)
            raise ValueError(f"{self.protocol} has no such thing as {asked}")

    def must_be_whole(self):
        if self.failed:
            raise RuntimeError("this load has failed, and its connections are closed: make a new one")

    cdef int provide(self, size_t payload, int functions) except -1:
        cdef Talk talk = self.course.talk
        self.course.ledger.provide(payload, functions)
        talk.pattern = self.course.ledger.pattern
        talk.largest = max(talk.largest, payload)
        return 0

    cdef int connect(self, int kind, int count, Plan plan, size_t in_flight) except -1:
        cdef Course course = self.course
        cdef int at
        cdef Peer* peer
        try:
            for at in range(count):
                peer = course.add(kind)
                course.current = peer
                peer.plan, peer.in_flight, peer.functions = plan, in_flight, plan.functions
                if kind == CLIENT:
                    peer.origin = course.ledger.open_origin(plan.payload, plan.functions, True)
                self.greet(peer)
                if at % AT_ONCE == AT_ONCE - 1 or at == count - 1:
                    self.settle()
        except BaseException as error:
            self.fail(error)
            raise
        return 0

    cdef int greet(self, Peer* peer) except -1:
        """Connect a peer; it is heard once, so that accepting it is no part of a run."""
        cdef Course course = self.course
        cdef int function
        course.connect(peer)
        if peer.kind == WORKER and self.protocol == "gearman":
            for function in range(peer.functions):
                course.talk.register(&peer.pipe, &course.ledger.names[function])
        if peer.kind == CLIENT or peer.kind == WORKER or peer.kind == IDLE:
            course.echo(peer)
        return course.flush(peer)

    cdef int settle(self) except -1:
        cdef Course course = self.course
        course.patience = <uint64_t>(self.patience * 1e9)
        with nogil:
            settle(course)
        return 0

    def fail(self, error):
        """Close everything, and have the error say whose it is."""
        name = whose_turn(self.course)
        self.failed = True
        self.hang_up()
        if name and isinstance(error, WrongAnswer | ConnectionError):
            error.args = (f"{name}: {error}",)

    # --- runs -------------------------------------------------------------------------------------------

    def run(self, uint64_t jobs, *, double seconds=0.0):
        self.must_be_whole()
        if not 0 <= seconds < 1e9:
            raise ValueError(f"seconds must be a number from 0 (no limit) on, not {seconds}")
        self.course.interval = 0
        self.course.deadline = <uint64_t>(seconds * 1e9)
        return self.play(jobs)

    def run_at(self, double rate, uint64_t jobs):
        self.must_be_whole()
        if not 0 < rate <= 1e9:
            raise ValueError(f"rate must be a number of jobs per second above 0, not {rate}")
        if not self.course.has_submitters():
            raise ValueError("an open loop needs clients or callers: connect some first")
        self.make_dirty_list()
        self.course.interval = 1e9 / rate
        self.course.deadline = 0
        return self.play(jobs)

    cdef int make_dirty_list(self) except -1:
        cdef Course course = self.course
        cdef size_t room = course.crews[<int>CLIENT].count + course.crews[<int>CALLER].count
        cdef Peer** dirty = <Peer**>realloc(course.dirty, room * sizeof(Peer*))
        if dirty == NULL:
            raise MemoryError
        course.dirty, course.dirty_count = dirty, 0
        return 0

    cdef object play(self, uint64_t jobs):
        cdef Course course = self.course
        self.reset(self.allowed(jobs))
        try:
            with nogil:
                play(course)
            self.see_calls_ended()
        except BaseException as error:
            self.fail(error)
            raise
        return Outcome(
            course.answered if course.has_submitters() else course.worked,
            (course.last - course.started) / 1e9,
            counted(&course.latencies),
            counted(&course.polls),
            counted(&course.besides),
        )

    cdef uint64_t allowed(self, uint64_t jobs) except? 0:
        """How many jobs the run may have: without submitters, those of the queue."""
        cdef uint64_t queued = self.course.ledger.submitted - self.course.ledger.worked
        if self.course.has_submitters():
            return jobs
        if self.course.crews[<int>WORKER].count == 0:
            raise ValueError("nobody is there to play: connect clients, callers or workers first")
        if jobs > queued and not self.course.deadline:
            raise ValueError(f"{jobs} jobs were to be worked, but only {queued} of this load's are in the queue")
        return min(jobs, queued)

    cdef void reset(self, uint64_t jobs):
        cdef Course course = self.course
        cdef size_t at
        course.limit = jobs
        course.begun = course.answered = course.worked = course.owed = 0
        course.closing = course.foreground = False
        # A delayed job is not expected before it is due.
        course.patience = <uint64_t>((self.patience + self.longest_delay) * 1e9)
        for at in range(course.crews[<int>CLIENT].count):
            course.foreground |= course.crews[<int>CLIENT].peers[at].plan.foreground
        memset(&course.latencies, 0, sizeof(Tally))
        memset(&course.polls, 0, sizeof(Tally))
        memset(&course.besides, 0, sizeof(Tally))
        course.beside_begun = 0

    cdef int see_calls_ended(self) except -1:
        """Have one more peer answered: by then the server has seen the callers hang up."""
        if self.course.crews[<int>CALLER].count > 0:
            self.course.current = self.course.add(IDLE)
            self.greet(self.course.current)
            self.settle()
            self.course.remove_last(IDLE)
        return 0
