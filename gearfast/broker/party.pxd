# PARTY   the broker's side of a peer: what it can do, the jobs that it runs, and those it waits for.
#
# It outlives its peer: one that leaves may hold a million jobs, and they are not taken from it in one go. What has yet
# to be taken stays here, and nobody stands behind it any more.

from gearfast.ground.index cimport Index
from gearfast.broker.job cimport RUNNING, Job, Waiter
from gearfast.broker.lost cimport LostJobs
from gearfast.ground.ring cimport Ring
from gearfast.broker.functions cimport Ability, Worker

cdef struct Party:
    void* peer                    # NULL: it has left
    Party** known_as              # where the peer keeps it
    Worker* worker                # NULL: it has never said what it can do, nor that it sleeps
    Ring waits                    # jobs whose reports it gets
    Ring given_up                 # abilities that are to be taken from it with the jobs they are used for
    Ring among                    # other parties, or those of which something is to be taken
    LostJobs lost                     # jobs that it held and lost

cdef Party* party_new(void* peer, Party** known_as) noexcept nogil            # NULL: there is no memory
# With all that it can do. Its jobs do not get to know.
cdef void party_free(Party* party) noexcept nogil
# All of a ring, at the end of everything; peers that are still there take part in nothing.
cdef void parties_free(Ring* parties) noexcept nogil
cdef inline bint holds(const Party* party, const Job* job) noexcept nogil:
    return job.state == RUNNING and (<Ability*>job.place.run.ability).party == party

# --- who waits for a job: `waiters` is the index of those behind the first one of each job ---

# Once more, if it waits already. False: there is no memory.
cdef bint attach(Index* waiters, Job* job, Party* client) noexcept nogil
cdef void detach(Index* waiters, Waiter* waiter) noexcept nogil
