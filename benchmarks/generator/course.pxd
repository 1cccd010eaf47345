# COURSE   the state of a run: who takes part, how far it is, and what the server still owes.

from libc.stdint cimport uint32_t, uint64_t

from benchmarks.generator.ledger cimport Ledger, Name
from benchmarks.generator.peer cimport KINDS, Peer
from benchmarks.generator.talk cimport Answer, Talk
from benchmarks.generator.tally cimport Tally

# All peers of one kind.
cdef struct Crew:
    Peer** peers
    size_t count
    size_t room

cdef class Course:
    cdef Talk talk
    cdef Ledger ledger
    cdef int port
    cdef const char* path       # of a Unix socket, in place of the port; NULL: none
    cdef int epoll
    cdef bint spinning          # never sleeps: epoll_wait is only asked what is there
    cdef char* shared           # what is received lands here
    cdef Crew crews[KINDS]
    cdef Peer* current          # whose turn it is; NULL: nobody's
    cdef Peer** dirty
    cdef size_t dirty_count
    cdef size_t dirty_room
    cdef const char* babble     # what deaf peers send, over and over
    cdef size_t babble_size
    cdef size_t babble_most
    cdef Name beside_name       # the function of the jobs beside
    cdef uint64_t beside_submitted
    cdef ssize_t result         # bytes that workers answer with; -1: the payload

    # --- of one run, times in nanoseconds
    cdef uint64_t now
    cdef uint64_t started
    cdef uint64_t deadline      # nothing is begun after it; 0: none
    cdef uint64_t last          # the last job's answer
    cdef uint64_t progress      # the last thing that brought the run nearer to its end
    cdef uint64_t patience
    cdef uint64_t looked        # when signals were last asked for
    cdef double interval        # open loop: between two requests; 0: closed loop
    cdef double beside_interval # between two jobs beside the load
    cdef uint64_t beside_begun
    cdef uint64_t limit         # jobs
    cdef uint64_t begun         # submitted
    cdef uint64_t answered
    cdef uint64_t worked
    cdef uint64_t grabbing      # workers that asked for a job
    cdef uint64_t ready         # workers that could ask and do not
    cdef uint64_t owed          # answers without which the run may not end, other than jobs'
    cdef bint foreground
    cdef bint closing           # all jobs are done: only what is owed is waited for
    cdef Tally latencies
    cdef Tally polls
    cdef Tally besides          # of the jobs beside that were answered while the run went on

    cdef Peer* add(self, int kind) except NULL
    cdef void remove_all(self, int kind) noexcept
    cdef void remove_last(self, int kind) noexcept
    cdef bint has_submitters(self) noexcept nogil
    # Connect a peer, and have epoll watch it.
    cdef int connect(self, Peer* peer) except -1 nogil
    # Send what waits, as far as the socket takes it.
    cdef int flush(self, Peer* peer) except -1 nogil
    cdef int watch(self, Peer* peer, uint32_t events) except -1 nogil
    # Ask for an echo; the run does not end before it came.
    cdef int echo(self, Peer* peer) except -1 nogil
    cdef int echoed(self, Peer* peer, const Answer* answer) except -1 nogil
    # A submitted job has all its answers.
    cdef void done(self, uint64_t due) noexcept nogil

cdef uint64_t clock() noexcept nogil
# WrongAnswer: something came that is no answer to anything this peer asked.
cdef int unasked(const Answer* answer) except -1 nogil
