"""A scan of an index, against the truth: whatever the hashes are, and whatever happens between two slices."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.compiled import faces

pytestmark = pytest.mark.timeout(300)

MASK = (1 << 64) - 1
HIGH = 0x9E3779B97F4A7C15


def hashes_of(kind: str, dice: random.Random) -> int:
    """One hash of a kind: spread, in one bucket of any table, all but equal, or equal."""
    return {
        "spread": dice.getrandbits(64),
        "one bucket": dice.getrandbits(24) << 40,
        "low bits": dice.getrandbits(3),
        "equal": HIGH,
    }[kind]


class Truth:
    """An index and what must be in it."""

    def __init__(self) -> None:
        self.index: Any = faces().IndexFace()
        self.there: dict[int, int] = {}
        self.named = 0

    def add(self, value: int) -> None:
        """One more entry."""
        self.named += 1
        self.there[self.named] = value
        self.index.add(self.named, value)

    def remove(self, name: int) -> None:
        """One entry less."""
        del self.there[name]
        self.index.remove(name)

    def scan(self, most: int, between: Any = lambda: None) -> list[int]:
        """Every name that a whole scan shows; no slice is larger than `most`, and none is empty but the last."""
        shown: list[int] = []
        cursor, names = self.index.scan(0, most)
        while True:
            assert len(names) <= most
            shown += names
            if cursor == 0:
                return shown
            assert names, "a slice that shows nothing and is not the last might be one of very many"
            between()
            cursor, names = self.index.scan(cursor, most)


@pytest.mark.parametrize("most", [1, 2, 64, 1000])
@pytest.mark.parametrize("kind", ["spread", "one bucket", "low bits", "equal"])
def test_a_chain_of_any_length_is_shown_whole(kind: str, most: int) -> None:
    dice = random.Random(1)
    truth = Truth()
    for _ in range(700):
        truth.add(hashes_of(kind, dice))
    assert sorted(truth.scan(most)) == sorted(truth.there)


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 1 << 32),
    kinds=st.lists(st.sampled_from(["spread", "one bucket", "low bits", "equal"]), min_size=1, max_size=4),
    start=st.integers(0, 400),
    most=st.sampled_from([1, 3, 16, 64, 300]),
    growing=st.sampled_from([0.1, 0.5, 0.9]),
)
def test_what_stays_is_shown_exactly_once(seed: int, kinds: list[str], start: int, most: int, growing: float) -> None:
    dice = random.Random(seed)
    truth = Truth()
    for _ in range(start):
        truth.add(hashes_of(dice.choice(kinds), dice))
    before = set(truth.there)

    def change() -> None:
        for _ in range(dice.randrange(40)):
            if dice.random() < growing:
                truth.add(hashes_of(dice.choice(kinds), dice))
            elif truth.there:
                truth.remove(dice.choice(list(truth.there)))

    def limited() -> None:
        if truth.named < 3000:
            change()

    shown = truth.scan(most, limited)
    assert len(shown) == len(set(shown)), "nothing is shown twice"
    assert before & set(truth.there) <= set(shown), "nothing that stays is left out"
    assert sorted(truth.scan(most)) == sorted(truth.there)


@pytest.mark.parametrize("kind", ["spread", "one bucket", "equal"])
def test_all_are_unlinked_at_once(kind: str) -> None:
    dice = random.Random(2)
    truth = Truth()
    for _ in range(500):
        truth.add(hashes_of(kind, dice))
    assert sorted(truth.index.unlink_all()) == sorted(truth.there)
    assert len(truth.index) == 0
    assert truth.index.scan(0, 10) == (0, [])


@pytest.mark.parametrize("cursor", [-1, 1 << 128])
def test_what_is_no_cursor_is_refused(cursor: int) -> None:
    with pytest.raises(OverflowError):
        Truth().index.scan(cursor, 10)
