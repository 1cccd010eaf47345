"""What of a broker may be looked at: counts, functions and jobs; and what its server says of itself."""

from gearfast.ground.heap cimport heap_soonest
from gearfast.ground.lock cimport lock_enter, lock_enter_walk, lock_leave, lock_leave_walk
from gearfast.ground.slice cimport slice_of
from gearfast.broker.functions cimport Ability
from gearfast.broker.job cimport RUNNING, Job
from gearfast.broker.listing cimport delayed_rows, figure_rows, function_rows, job_figures, job_rows, moment_of
from gearfast.broker.party cimport Party
from gearfast.broker.peer cimport Peer


cdef class Figures(Submits):
    # --- counts ---

    @property
    def job_count(self):
        lock_enter()
        cdef size_t count = self.jobs.count - self.others
        lock_leave()
        return count

    @property
    def delayed_count(self):
        lock_enter()
        cdef size_t count = self.delayed.count
        lock_leave()
        return count

    @property
    def soonest(self):
        lock_enter()
        cdef double soonest = heap_soonest(&self.delayed)
        lock_leave()
        return soonest

    @property
    def held_bytes(self):
        lock_enter()
        cdef size_t bytes = self.held_bytes
        lock_leave()
        return bytes

    @property
    def running(self):
        lock_enter()
        cdef size_t count = self.running
        lock_leave()
        return count

    @property
    def unkept(self):
        lock_enter()
        cdef size_t count = self.unkept
        lock_leave()
        return count

    @property
    def dead(self):
        lock_enter()
        cdef size_t count = self.dead
        lock_leave()
        return count

    # --- what its server says of itself ---

    @property
    def closing(self):
        lock_enter()
        cdef bint closing = self.closing
        lock_leave()
        return closing

    @closing.setter
    def closing(self, bint closing):
        lock_enter()
        self.closing = closing
        lock_leave()

    @property
    def draining(self):
        lock_enter()
        cdef bint draining = self.draining
        lock_leave()
        return draining

    @draining.setter
    def draining(self, bint draining):
        lock_enter()
        self.draining = draining
        lock_leave()

    @property
    def winding_down(self):
        lock_enter()
        cdef bint winding_down = self.winding_down
        lock_leave()
        return winding_down

    @winding_down.setter
    def winding_down(self, bint winding_down):
        lock_enter()
        self.winding_down = winding_down
        lock_leave()

    @property
    def crowded(self):
        lock_enter()
        cdef bint crowded = self.crowded
        lock_leave()
        return crowded

    @crowded.setter
    def crowded(self, bint crowded):
        lock_enter()
        self.crowded = crowded
        lock_leave()

    # --- functions and jobs: those who list them take the lock ---

    def scan_functions(self, cursor, int most):
        return function_rows(&self.functions.names, cursor, most)

    def scan_figures(self, cursor, int most):
        return figure_rows(&self.functions.names, cursor, most)

    def scan_jobs(self, cursor, int most):
        return job_rows(&self.jobs, self.handles, cursor, most)

    def scan_delayed(self, cursor, int most):
        return delayed_rows(&self.jobs, self.handles, &self.delayed, &self.moments, cursor, most)

    def show_job(self, bytes handle not None):
        cdef bint collects = lock_enter_walk()
        cdef Job* job = self.find_named(slice_of(handle))
        try:
            return None if job == NULL else job_figures(job, moment_of(job, &self.delayed, &self.moments), holder_of(job))
        finally:
            lock_leave_walk(collects)


cdef object holder_of(const Job* job):
    """The worker that has it, if Python still knows that one."""
    cdef void* peer = NULL
    if job.state == RUNNING:
        peer = (<const Party*>(<const Ability*>job.place.run.ability).party).peer
    return None if peer == NULL or (<Peer>peer).forgotten else <object>peer
