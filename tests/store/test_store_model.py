"""The model test once more, with a store that fails at random points, and a crash at any of them.

What is promised: a job or a schedule that was acknowledged and has not ended is in the store at every moment, with all
it has, or with what it had until it was replaced; and when nothing is left to be written, the store holds exactly the
background jobs that there are, with the schedules, and with those that have ended and are remembered.
"""

from __future__ import annotations

import math
import os

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from gearfast.broker.broker import Broker
from gearfast.broker.deadletters import DeadLetters
from gearfast.broker.outbox import Waits
from gearfast.broker.peer import Report
from gearfast.broker.timetable import Timetable
from gearfast.store.batches import Batches
from gearfast.store.contract import StoredJob
from tests.broker.test_broker_model import BrokerAndModel
from tests.support import model_parts as model
from tests.support.machine_administrators import laters
from tests.support.machine_peers import peers, picks, priorities, uniques
from tests.support.model_parts import PREFIX, Asked
from tests.support.records import DEAD, ENDED, FIRED, RUN, SCHEDULED, STATE
from tests.support.stored_forms import Form, Thing, earlier, lasting, read, stored_form

HEAVY = 100
"""Bytes of a job that is a batch by itself: some of them are."""
EXAMPLES = int(os.environ.get("GEARFAST_MODEL_EXAMPLES", "400"))


def is_over(thing: Thing) -> bool:
    """It has ended, and is remembered for its unique id."""
    return isinstance(thing, model.Job) and thing.state == "ended"


def nowhere(form: Form) -> Form:
    """In whichever function."""
    return form[0]._replace(function=b""), form[1]


def fired_last(jobs: dict[int, StoredJob], bad: set[int]) -> list[tuple[bytes, float, float, bytes]]:
    """Handles of stored schedules, when each was to fire next, and for what it has fired, with what came of it.

    Of two with one name the older one has ended, and is not forgotten yet: the other one is acknowledged after that.
    """
    found, names = [], set()
    for number, (job, more) in sorted((number, read(job)) for number, job in jobs.items()):
        if more.get(STATE) != SCHEDULED:
            assert number not in bad
            continue
        assert (number in bad) == ((job.function, job.unique) in names)
        names.add((job.function, job.unique))
        if number not in bad:
            last = b"%s:%d" % (PREFIX, int(more[RUN])) if RUN in more else b""
            found.append((b"%s:%d" % (PREFIX, number), job.due, float(more.get(FIRED, 0.0)), last))
    return sorted(found)


class BrokerModelAndStore(BrokerAndModel):
    """As before, and from time to time a batch is written, or fails, written or not."""

    @initialize(
        job_retries=st.sampled_from([-1, -1, 0, 1, 3]),
        worker_wakeup=st.sampled_from([1, 0]),
        remembered_results=st.sampled_from([256, 2]),
    )
    def start(self, job_retries: int, worker_wakeup: int, remembered_results: int) -> None:
        super().start(job_retries, worker_wakeup, remembered_results)
        self.store: dict[int, StoredJob] = {}
        self.batch: tuple[list[int], list[StoredJob]] | None = None
        self.lone: dict[int, bool] = {}  # failed by themselves: by number, whether somebody waits
        self.changed: set[int] = set()  # of those, what a batch on its way may not have the last word of
        self.gone: set[int] = set()  # likewise, to be forgotten
        self.outdated: set[int] = set()  # whose last attempts may never be written
        self.moved: set[int] = set()
        self.again: set[int] = set()  # kicked, and perhaps not written since
        self.refused: set[int] = set()  # whose clients were told that a replacement is not kept yet
        self.put_off: set[int] = set()  # ended, and their clients have not waited until the store had that
        self.batches = Batches(self.broker)
        self.batches.open(PREFIX, 0, False, HEAVY)

    @property
    def kept(self) -> list[Thing]:
        """What the store is to have."""
        jobs = self.model.jobs + self.model.buried + self.model.ended
        return [*(job for job in jobs if job.background), *self.model.schedules]

    # --- the store at work ---

    @precondition(lambda self: self.batch is None)
    @rule(
        line=st.sampled_from([Waits.FRESH, Waits.FRESH, *Waits]),
        jobs=st.sampled_from([1, 2, 100]),
        size=st.sampled_from([1, 1000]),
        removes=st.sampled_from([0, 1, 2, 100]),
    )
    def begin_to_write(self, line: Waits, jobs: int, size: int, removes: int) -> None:
        if line == Waits.ANEW:
            while self.batches.seek():
                pass
        self.batch = self.batches.collect(line, jobs, size, removes)

    @precondition(lambda self: self.batch is None and self.lone)
    @rule(pick=picks)
    def begin_to_write_one(self, pick: int) -> None:
        number = list(self.lone)[pick % len(self.lone)]
        adds = self.batches.collect_one(number)
        if adds:
            self.batch = [], adds
        else:
            del self.lone[number]

    @precondition(lambda self: self.batch is None and self.gone)
    @rule(pick=picks)
    def forget_one(self, pick: int) -> None:
        number = self.gone.pop() if pick % 2 else min(self.gone)
        self.gone.discard(number)
        if not self.batches.is_kept(number):
            self.store.pop(number, None)

    def apply(self) -> None:
        assert self.batch is not None
        removes, adds = self.batch
        for number in removes:
            self.store.pop(number, None)
        self.store.update({job.number: job for job in adds})

    @precondition(lambda self: self.batch is not None)
    @rule()
    def writing_succeeds(self) -> None:
        assert self.batch is not None
        self.apply()
        self.batches.written()
        for job in self.batch[1]:
            if job.number not in self.changed:
                self.lone.pop(job.number, None)
        self.batch = None
        self.changed.clear()

    @precondition(lambda self: self.batch is not None)
    @rule(applied=st.booleans(), others=st.booleans(), blame=st.booleans())
    def writing_fails(self, applied: bool, others: bool, blame: bool) -> None:
        assert self.batch is not None
        removes, adds = self.batch
        if applied:
            self.apply()
        if not blame:
            self.batches.rolled_back()
        elif (alone := self.batches.failed(others)) is not None:
            number, since, size, stored = alone
            assert [job.number for job in adds] == [number]
            assert size > 0
            assert since == math.inf or not stored or self.is_replaced(number)
            self.lone[number] = since < math.inf
        elif len(removes) == 1 and {job.number for job in adds} <= {removes[0]}:
            self.batches.pass_over(others)
            if not others:
                self.not_forgotten(removes[0])
        self.batch = None
        self.changed.clear()

    def not_forgotten(self, number: int) -> None:
        if self.batches.is_kept(number):
            self.batches.forget(number)
            for job in self.model.ended:  # the store does not take what is to be remembered of it: it stays here alone
                job.background = job.background and job.number != number
        else:
            self.gone.add(number)

    @precondition(lambda self: self.lone)
    @rule(pick=picks)
    def a_change_is_left_out(self, pick: int) -> None:
        number = list(self.lone)[pick % len(self.lone)]
        if not self.lone[number] and (self.batch is None or number not in [job.number for job in self.batch[1]]):
            self.outdated.add(number)
            self.batches.leave_out(number)

    @precondition(lambda self: self.batch is None)
    @rule(kept=st.integers(0, 3))
    def the_store_loses_everything(self, kept: int) -> None:
        """Or nearly so: some of it may be there again, as it was, or though it had been forgotten."""
        self.store = {number: job for number, job in self.store.items() if kept and number % 4 < kept}
        self.batches.doubt(True)
        assert not any(self.batches.is_stored(job.number) for job in self.kept if not is_over(job))
        while self.batches.promise():
            pass

    @precondition(lambda self: self.batch is None)
    @rule(
        number=peers,
        unique=uniques,
        anew=st.booleans(),
        fails=st.sampled_from(["before", "after", ""]),
        applied=st.booleans(),
        change=st.sampled_from(["ends", "fails", "is moved", "is replaced"]),
        late=st.booleans(),
    )
    def something_changes_while_it_is_written(
        self, number: int, unique: bytes, anew: bool, fails: str, applied: bool, change: str, late: bool
    ) -> None:
        """By itself, whether it was in the store before; somebody waits too long, or nobody."""
        self.all_is_written()
        self.submit_asking(number, b"f", b"p", unique, Asked(unique_ttl=4.0), True, 0.0)
        if anew:
            self.all_is_written()
            self.the_store_loses_everything(0)
        self.begin_to_write_some(Waits.ANEW if anew else Waits.FRESH)
        if fails == "before":
            self.writing_fails(applied, False, True)
        if change == "is moved":
            self.move(0, 0, 0.5)
        elif change == "is replaced":
            self.submit_asking(number, b"f", b"p" if unique == b"-" else b"", unique, Asked(replaces=True), True, 0.0)
        else:
            self.can_do(number, b"f", 0)
            for _ in range(3):
                self.grab(number)
                self.tell(number, 0, Report.COMPLETE if change == "ends" else Report.FAIL, b"")
        if late:
            self.some_have_waited_too_long(0.0)
        if fails == "after":
            self.writing_fails(applied, False, True)
        elif self.batch is not None:
            self.writing_succeeds()
        self.all_is_written()

    @precondition(lambda self: self.batch is None)
    @rule(number=peers, unique=uniques, priority=priorities)
    def something_is_replaced_whose_change_the_store_does_not_take(
        self, number: int, unique: bytes, priority: int
    ) -> None:
        self.submit(number, b"f", b"p", unique, 1, True)
        self.all_is_written()
        self.move(0, priority, None)
        self.begin_to_write_some(Waits.FRESH)
        self.writing_fails(False, False, True)
        self.submit_asking(number, b"f", b"p" if unique == b"-" else b"", unique, Asked(replaces=True), True, 0.0)
        if self.lone:
            self.begin_to_write_one(0)
        if self.batch is not None:
            self.writing_fails(False, False, True)
        if self.lone:
            self.a_change_is_left_out(0)
        self.all_is_written()

    def begin_to_write_some(self, line: Waits) -> None:
        """Of a line, or of what was too heavy for it."""
        self.begin_to_write(line, 100, 1000, 0)
        if self.batch == ([], []):
            self.writing_succeeds()
            self.begin_to_write(Waits.HEAVY, 100, 1000, 0)

    @rule(pick=picks, priority=st.sampled_from([None, 0, 1, 2]), later=laters, name=st.sampled_from([None, b"f", b"g"]))
    def move(self, pick: int, priority: int | None, later: float | None, name: bytes | None = None) -> None:
        """Told of at once, and written with the next batch."""
        super().move(pick, priority, later, name)
        self.moved.add(int(self.handle(pick).rpartition(b":")[2] or 0))

    def kicked(self, job: model.Job) -> None:
        """Told of at once, and written with the next batch."""
        super().kicked(job)
        self.again.add(job.number)

    @rule(age=st.sampled_from([0.0, 0.5, 2.0]))
    def some_have_waited_too_long(self, age: float) -> None:
        """Whether a batch is being written or not."""
        numbers, changes, told = self.batches.overdue(self.now - age)
        for number, _ in changes:
            self.lone.setdefault(number, False)
            self.changed.add(number)
        self.refused.update(told)
        for number in [number for number, waits in self.lone.items() if waits]:
            if self.batches.is_promised(number):
                self.batches.wait_no_more(number)
                self.refused.add(number)
                self.lone[number] = False
            elif number not in numbers:
                numbers.append(number)
        for number in numbers:
            self.lone.pop(number, None)
            for thing in [thing for thing in self.kept if thing.number == number]:
                self.give_up(thing)
        self.batches.unkeep(numbers)

    def give_up(self, thing: Thing) -> None:
        """It is for those only who wait for it; what has ended stays what it is."""
        if is_over(thing):
            self.put_off.add(thing.number)
            return
        assert thing.number not in self.acknowledged
        if isinstance(thing, model.Schedule):
            self.model.schedules.remove(thing)
            return
        thing.background = False
        if thing.state == "buried":
            self.model.buried.remove(thing)
        elif thing.orphan and thing.state == "running":
            thing.joinable = False
        elif thing.orphan:
            self.model.jobs.remove(thing)

    @rule()
    def all_is_written(self) -> None:
        if self.batch is not None:
            self.writing_succeeds()
        for _ in range(1000):
            for line in Waits:
                while True:
                    self.begin_to_write(line, 2, 1000, 2)
                    assert self.batch is not None
                    found = any(self.batch)
                    self.writing_succeeds()
                    if not found:
                        break
            while self.lone:
                self.begin_to_write_one(0)
                if self.batch is not None:
                    self.writing_succeeds()
            while self.gone:
                self.forget_one(1)
            if not self.batches.waits:
                break
        assert not self.batches.waits
        self.moved = self.moved & self.outdated
        self.again = self.again & self.outdated
        self.refused = self.refused & self.outdated
        self.put_off.clear()
        for thing in self.kept:
            assert self.batches.is_stored(thing.number)
            there, wanted = read(self.store[thing.number]), stored_form(thing)
            if thing.number in self.outdated:
                assert self.is_an_earlier_one(there, thing)
                continue
            if self.is_due_or_undated(thing, there[0].due):  # when it became so is not written
                wanted = wanted[0]._replace(due=there[0].due), wanted[1]
            assert there == wanted
        assert self.store.keys() == {thing.number for thing in self.kept}

    def is_due_or_undated(self, thing: Thing, due: float) -> bool:
        """A schedule loses its date when the clock is set back."""
        if isinstance(thing, model.Schedule):
            return thing.due == 0
        return not is_over(thing) and due <= self.model.furthest

    # --- what is promised at every moment ---

    @invariant()
    def what_is_said_to_be_in_the_store_is_there(self) -> None:
        self.acknowledged = set()
        for thing in self.kept:
            if self.batches.is_promised(thing.number):
                self.acknowledged.add(thing.number)
            if self.batches.is_stored(thing.number) and thing.number not in self.put_off:
                assert self.is_an_earlier_one(read(self.store[thing.number]), thing)

    def is_an_earlier_one(self, there: Form, thing: Thing) -> bool:
        """Or the present one: whether nothing of it is lost but what has happened to it since."""
        wanted, replaced = stored_form(thing), thing.number in self.refused
        if is_over(thing) and there[1].get(STATE) == ENDED:
            return there == wanted
        forms = earlier(thing) if replaced or is_over(thing) else earlier(thing)[:1]
        if thing.number in self.moved:
            there, forms = nowhere(there), [nowhere(form) for form in forms]
        if lasting(there) not in forms:
            return False
        if replaced or is_over(thing) or isinstance(thing, model.Schedule):
            return True
        if thing.number not in self.moved and there[0].priority != thing.priority:
            return False
        is_late = thing.state == "delayed" and thing.number not in self.moved and there[0].due < thing.due
        return not is_late and (there[0].attempts <= thing.attempts or thing.number in self.again)

    def is_replaced(self, number: int) -> bool:
        return any(thing.number == number and thing.before is not None for thing in self.kept)

    @rule(applied=st.booleans())
    def a_crash(self, applied: bool) -> None:
        """What another server would find; then this one goes on."""
        jobs = dict(self.store)
        if applied and self.batch is not None:
            removes, adds = self.batch
            jobs = {number: job for number, job in jobs.items() if number not in removes}
            jobs.update({job.number: job for job in adds})
        other = Broker(PREFIX)
        batches = Batches(other)
        bad = {number for number, _ in batches.restore([jobs[number] for number in sorted(jobs)])}
        found = {(row[0], row[1], row[4], b"") for row in other.scan_jobs(0, 1000)[1]}
        found |= {(row[0], row[5], row[3], DEAD) for row in DeadLetters(other).scan(0)[1]}
        schedules = Timetable(other).scan(0)[1]
        found |= {(row[1], 0, row[3], SCHEDULED) for row in schedules}
        assert sorted((row[1], row[0], *row[6:8]) for row in schedules) == fired_last(jobs, bad)
        wanted = set()
        for number, job in jobs.items():
            handle, state = b"%s:%d" % (PREFIX, number), read(job)[1].get(STATE, b"")
            assert isinstance(state, bytes)
            if number not in bad:
                wanted.add((handle, job.attempts, job.unique, state))
            if state == ENDED and (shown := other.show_job(handle)):
                found.add((handle, shown[5], shown[3], ENDED))
        assert found == wanted
        batches.open(PREFIX, self.model.numbers, False)
        assert not batches.waits


TestBrokerModelAndStore = pytest.mark.timeout(600)(BrokerModelAndStore.TestCase)
TestBrokerModelAndStore.settings = settings(
    deadline=None,
    max_examples=EXAMPLES,
    stateful_step_count=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
