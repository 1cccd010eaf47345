"""A submit as a client asked for it, and what is known of the job that came of it."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gearfast.protocol import parameters
from gearfast.store.contract import StoredJob
from tests.support.records import POLICY, REDUCER, STATE, fields

SERIAL_SIZE = 8
"""Bytes at the beginning of a payload that make it the only one of its kind; shorter ones have none."""
FAR = 100_000
"""Seconds to when nobody waits for a job."""
SLACK = 0.1
"""Seconds by which a busy server may know the time less exactly than its peers do."""
ALIVE, DEAD, ENDED, SCHEDULED = 0, 5, 6, 7
"""What a record says of its job (record.pyx): that somebody has to do it, that it is buried, that its unique id is
remembered, that others come of it."""
PASSING = (b"delay=", b"at=", b"priority=")
"""Parameters that are over when the job has been made."""


@functools.lru_cache(4096)
def asked_by(text: bytes) -> Mapping[str, Any]:
    """What parameters ask for."""
    return parameters.read(text) if text else {}


@functools.lru_cache(4096)
def lasting(text: bytes) -> bytes:
    """The parameters that a job has all its life."""
    return b";".join(pair for pair in text.split(b";") if not pair.startswith(PASSING))


@dataclass(eq=False, slots=True)
class Submit:
    """A job as a client asked for it."""

    function: bytes
    unique: bytes
    payload: bytes
    priority: int = 1
    due: float = 0.0
    """Seconds since 1970; 0: at once, or as its parameters say."""
    reducer: bytes = b""
    foreground: bool = False
    parameters: bytes = b""
    """What stands behind the function's name."""
    parent: tuple[bytes, bytes] | None = None
    """It came of the schedule with this function and unique id: no client has asked for it."""
    sent: int = 0
    """When, on the chronicle's clock."""
    heard: int = 0
    """When it was answered."""
    refused: int = 0
    """When the client was told that it is not kept."""
    number: int = 0
    """Of the job that was made of it, where that is sure."""
    sent_at: float = 0.0
    """The same two by the wall clock."""
    heard_at: float = math.inf

    @property
    def asked(self) -> Mapping[str, Any]:
        """Its parameters."""
        return asked_by(self.parameters)

    @property
    def is_schedule(self) -> bool:
        """Whether it is no job itself: others come of it."""
        return self.parent is None and "cron" in self.asked

    @property
    def replaces(self) -> bool:
        """Whether it takes the place of the one before it."""
        return self.is_schedule or "duplicate" in self.asked

    @property
    def is_strict(self) -> bool:
        """Whether it surely does: no worker can have the one before."""
        return self.is_schedule or ("duplicate" in self.asked and self.earliest > time.time() + FAR / 2)

    @property
    def alone(self) -> bool:
        """Whether it always makes a job of its own."""
        return not self.is_schedule and (not self.unique or (self.unique == b"-" and not self.payload))

    @property
    def single(self) -> bool:
        """Whether no other job has this payload."""
        return len(self.payload) >= SERIAL_SIZE and self.parent is None

    @property
    def retries(self) -> int:
        """Tries after the first one; -1: a failure is the end."""
        return int(self.asked.get("retries", -1))

    @property
    def remembered(self) -> float:
        """Seconds for which its unique id stays taken."""
        return 0.0 if self.foreground else float(self.asked.get("unique_ttl", 0.0))

    @property
    def earliest(self) -> float:
        """When it is due, at the earliest."""
        if "delay" in self.asked:
            return self.sent_at + float(self.asked["delay"]) - SLACK
        return float(self.asked.get("at", self.due))

    @property
    def latest(self) -> float:
        """And at the latest."""
        if "delay" in self.asked:
            return min(self.heard_at, time.time()) + float(self.asked["delay"]) + SLACK
        return self.earliest

    def backoff(self, failures: int) -> float:
        """The shortest wait after so many failures, 0: none."""
        first, most, jitter = self.asked.get("backoff", (0.0, 0.0, False))
        wait = min(first * 2.0 ** (max(failures, 1) - 1), most) if most else first
        return float(wait) * (0.5 if jitter else 1.0)

    @property
    def longest_backoff(self) -> float:
        """The longest wait between two tries."""
        first, most, _ = self.asked.get("backoff", (0.0, 0.0, False))
        return float(most or first)

    def is_stored_as(self, job: StoredJob, more: Mapping[int, bytes]) -> bool:
        """Whether the store holds what was asked for; the time when it is due is looked at apart."""
        same = (self.function, self.unique, self.payload, self.priority, self.reducer)
        stored = (job.function, job.unique, job.payload, job.priority, more.get(REDUCER, b""))
        kind = self.is_schedule == (state_in(more) == SCHEDULED)
        return kind and same == stored and lasting(self.parameters) == more.get(POLICY, b"")


@dataclass(eq=False, slots=True)
class Job:
    """What is known of the job with one number."""

    number: int
    answers: list[Submit] = field(default_factory=list)
    """The submits that were answered with its handle."""
    content: Submit | None = None
    """The submit that it was made of, once a worker or the store has shown it."""
    acknowledged: int = 0
    """When somebody was told that it is kept; 0: nobody was."""
    ended: int = 0
    """When somebody said that it is done, or has it cancelled; 0: nobody did."""
    confirmed: int = 0
    """When it was sure that the server had heard that."""
    cancelling: bool = False
    """Perhaps somebody else has ended it."""
    losses: int = 0
    """How often a worker lost it or failed, at most."""
    failures: int = 0
    """And at least."""
    holder: object = None
    state: int = ALIVE
    """What the store said last."""
    due: float = -1.0
    """When it is due, as the store said last; below 0: it was not in the store."""
    wait_until: float = 0.0
    """Before this it is not tried again."""
    hurried: int = 0
    """When an administrator had it run at once; 0: nobody did."""
    hurry_heard: int = 0
    rushed: bool = False
    """It may have been run at once since the last look into the store: a worker may have it, however far it is."""
    may_be_buried: bool = False
    spent: int = 0
    """When somebody said what surely used up its tries; 0: nobody did."""
    buried: int = 0
    """When it was sure that the server had heard that."""
    kicking: bool = False
    """Somebody is having it tried anew."""
    losses_then: int = 0
    """Its losses when that began."""
    kicked: int = 0
    """When it was sure that it is tried anew; 0: it was not kicked, or has failed again."""
    remembered_until: float = 0.0
    """Until then at least its unique id stays taken; 0: it does not."""
    unstored: bool = False
    """It was done before the store had it: perhaps the server that runs is the only one that remembers it."""
    parent: int = 0
    """The number of the schedule that it came of; 0: of none, or it is not known of which."""

    @property
    def promised(self) -> bool:
        """Whether it must be in the store."""
        return bool(self.acknowledged) and not self.ended and not self.cancelling

    @property
    def wanted(self) -> Submit | None:
        """What it was made of, if that is sure."""
        if self.content is None and len(self.answers) == 1 and self.answers[0].alone:
            return self.answers[0]
        return self.content

    @property
    def is_schedule(self) -> bool:
        """Whether others come of it."""
        known = self.content or (self.answers[0] if self.answers else None)
        return known is not None and known.is_schedule

    @property
    def is_queued(self) -> bool:
        """Whether it must be there for a worker, sooner or later."""
        return self.promised and not self.may_be_buried and not self.is_schedule

    @property
    def retries(self) -> int:
        """Tries after the first one; -1: a failure is the end."""
        return -1 if self.content is None else self.content.retries

    def due_as(self, submit: Submit) -> float:
        """When it is due, if it was made of this."""
        if submit is self.content and self.due >= 0:
            return self.due
        return submit.earliest

    def is_far(self) -> bool:
        """Whether nobody will wait for it."""
        wanted = self.wanted
        return wanted is not None and not self.hurried and self.due_as(wanted) > time.time() + FAR / 2

    def overtaken(self, submit: Submit) -> bool:
        """Whether another one has surely taken its place since."""
        return bool(submit.heard) and any(
            other.sent > submit.heard and other.is_strict for other in self.answers if other is not submit
        )


def fields_of(job: StoredJob) -> Mapping[int, bytes]:
    """What its record has besides."""
    return dict(fields(job.more))


def state_in(more: Mapping[int, bytes]) -> int:
    """What a record says of its job."""
    return more[STATE][0] if STATE in more else ALIVE
