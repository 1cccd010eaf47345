# KEEPING   the life of a job in the store, told apart from its life in the broker (life.pyx).
#
#     from                 by                                                      to
#     -------------------  ------------------------------------------------------  ----------------------------------
#     (nothing)            a submit in the background, when there is a store       BACKGROUND GATHERED
#     (nothing)            the start: the store had it                             BACKGROUND STORED
#     (nothing)            a schedule is due: nobody could be told of a refusal    PROMISED WRITING GATHERED
#     GATHERED             it goes into a batch                                    WRITING
#     WRITING              the batch is durable                                    STORED
#     WRITING              the batch failed; the store may have it all the same    WRITING GATHERED
#     STORED               its worker lost it: the store is to know how often      STORED GATHERED
#     STORED               the same, where all is written at the end               WRITING
#     STORED GATHERED      the store does not take that change                     STORED
#     GATHERED             refused: nobody has heard that it is kept               no background job any more
#     WRITING GATHERED     the same, but the store may have it                     STRUCK, and its number to be forgotten
#     STRUCK               somebody submits it in the background once more         STRUCK BACKGROUND GATHERED
#     STORED, or lost      the store has not what it said, and is to have it       PROMISED WRITING
#     PROMISED             it is found, and waits for a batch once more            PROMISED GATHERED
#     STORED               replaced by its client                                  STORED REPLACED GATHERED
#     any of the last      it ends                                                 its number to be forgotten
#     any of the last      it ends, and its unique id stays taken                  the same: what is left of it is written
#                                                                                  in the place of what the store forgets
#
# BACKGROUND stands beside all of them but STRUCK. What was PROMISED was acknowledged, and is never refused.

from libc.stdint cimport uint8_t

from gearfast.broker.job cimport ENDED, Job

cdef enum Kept:           # bits of a job's `kept`: why it is kept though nobody waits, and what the store knows of it
    BACKGROUND = 1
    GATHERED = 2          # it goes into the next batch
    WRITING = 4           # it is in the batch that is being written, or may be in the store after one that failed
    STORED = 8            # it is in the store
    STRUCK = 16           # it was refused, or has ended, and is there all the same: the store is told to forget it
    REPLACED = 64         # a client has given it another payload or time, or joined it, and waits until the store has that
    RENEWED = 128         # what workers that lost it say of it is said of what it was before
    PROMISED = 32         # it was acknowledged, and is not in the store: it is never refused

cdef struct Keeping:              # of all jobs
    size_t promised               # jobs that were acknowledged, and that the store does not have
    bint doubtful                 # what the store has is not known: every background job is waited for

# --- what is asked ---

cdef inline bint is_background(const Job* job) noexcept nogil:
    return job.kept & BACKGROUND

cdef inline bint is_gathered(const Job* job) noexcept nogil:
    return job.kept & GATHERED

cdef inline bint is_written(const Job* job) noexcept nogil:          # in this moment, or soon
    return job.kept & (GATHERED | WRITING)

cdef inline bint is_stored(const Job* job) noexcept nogil:           # perhaps in an earlier state
    return job.kept & STORED

cdef inline bint is_struck(const Job* job) noexcept nogil:
    return job.kept & STRUCK

cdef inline bint is_promised(const Job* job) noexcept nogil:
    return job.kept & PROMISED

# Whether an answer that speaks of this job has to wait until the store has it.
cdef inline bint is_owed(const Keeping* keeping, const Job* job) noexcept nogil:
    return (job.kept & REPLACED or (keeping.doubtful and job.kept & BACKGROUND)
            or is_written(job) and not job.kept & STORED and not (job.kept & PROMISED and job.state == ENDED))

# --- its begin ---

cdef inline void keeping_begin(Job* job) noexcept nogil:
    job.kept |= BACKGROUND

cdef inline void keeping_restore(Job* job) noexcept nogil:
    job.kept = BACKGROUND | STORED

# --- into a batch, and how that went ---

cdef inline void keeping_gather(Job* job) noexcept nogil:
    job.kept |= GATHERED

cdef inline void keeping_take(Job* job) noexcept nogil:
    job.kept = (job.kept & ~GATHERED) | WRITING

# With the number that the store forgets. If it stands in a line as well it stays there: this batch may fail.
cdef inline void keeping_take_remembered(Job* ended) noexcept nogil:
    ended.kept |= WRITING

cdef inline void keeping_stored(Keeping* keeping, Job* job) noexcept nogil:
    if job.kept & WRITING:                     # else somebody else was the last to say what becomes of it
        keeping.promised -= job.kept & PROMISED != 0
        job.kept = (job.kept & ~(WRITING | STRUCK | PROMISED)) | STORED
        if job.state == ENDED:                 # what stands in a line as well is told with its number, or was
            job.kept &= ~GATHERED
        if not job.kept & GATHERED:            # else it was replaced while it was written
            job.kept &= ~REPLACED

cdef inline void keeping_gather_again(Job* job) noexcept nogil:
    if job.kept & WRITING:
        job.kept |= GATHERED

# Nobody waits for it who could be told that it is not kept.
cdef inline void keeping_vouch(Keeping* keeping, Job* job) noexcept nogil:
    if job.kept & GATHERED:
        job.kept |= PROMISED | WRITING
        keeping.promised += 1

# --- it has changed since the store took it ---

cdef inline void keeping_write_at_end(Job* job) noexcept nogil:
    if job.kept & STORED:
        job.kept = (job.kept & ~STORED) | WRITING

cdef inline void keeping_leave(Job* job) noexcept nogil:
    if job.kept & GATHERED and job.kept & STORED and not job.kept & REPLACED:         # for that somebody waits
        job.kept &= ~(GATHERED | WRITING)

cdef inline bint is_renewed(const Job* job) noexcept nogil:
    return job.kept & RENEWED

cdef inline bint is_replaced(const Job* job) noexcept nogil:
    return job.kept & REPLACED

# It has the number of another one, and goes into a batch of its own: its client has just begun to wait.
cdef inline void keeping_replace(Job* job, const Job* before) noexcept nogil:
    job.kept = (before.kept & ~GATHERED) | REPLACED | RENEWED

# A client has joined it, and waits as if it had replaced it.
cdef inline void keeping_wait(Job* job) noexcept nogil:
    job.kept |= GATHERED | REPLACED

cdef inline void keeping_replaced(Job* job) noexcept nogil:                  # nobody waits for that any more
    job.kept &= ~REPLACED

# --- the store has lost it ---

# It is what the store is to have, and does not; `lost`: not even what it had.
cdef inline void keeping_promise(Keeping* keeping, Job* job, bint lost) noexcept nogil:
    if not job.kept & BACKGROUND or job.kept & PROMISED:
        return
    if lost if job.kept & STORED else not job.kept & GATHERED:
        job.kept = (job.kept & ~STORED) | PROMISED | WRITING
        keeping.promised += 1

cdef inline void keeping_look_for(Job* job) noexcept nogil:                  # it leaves its line, and is found with the others
    job.kept &= ~GATHERED

# --- its end, or that of its background ---

# It has ended, and nobody waits for the store any more: that is told with its number, as if the store had had it. Returns
# whether that does not wait yet.
cdef inline bint keeping_put_off(Job* ended) noexcept nogil:
    cdef bint new = not ended.kept & STRUCK
    ended.kept = (ended.kept & ~GATHERED) | STORED | STRUCK
    return new

# Of what had the place of `job` only the unique id is remembered. Returns whether the store may have more of it.
cdef inline bint keeping_remember(Job* ended, const Job* job) noexcept nogil:
    ended.kept = job.kept & ~REPLACED              # nobody waits for what it was to become
    if not job.kept & (WRITING | STORED | STRUCK):
        return False
    ended.kept |= STRUCK
    return True

# Returns whether its number is to be forgotten, and that has not been said already.
cdef inline bint keeping_strike(Keeping* keeping, Job* job) noexcept nogil:
    if job.kept == STRUCK:
        return False
    if not job.kept & (WRITING | STORED | STRUCK):
        job.kept = 0
        return False
    keeping.promised -= job.kept & PROMISED != 0
    job.kept = STRUCK
    return True
