"""The fuzzer's inputs, played in the ordinary build: its rooms fit the server's, and no known input breaks a rule."""

from __future__ import annotations

import pytest

from benchmarks.build import ROOT
from tests.fuzz import sanitized
from tests.support.compiled import fuzz

CORPUS = sorted(sanitized.CORPUS.iterdir())


@pytest.mark.timeout(300)
@pytest.mark.parametrize("threads", [1, 2])
def test_no_known_input_breaks_a_rule(threads: int) -> None:
    """`threads`: 2 sets the bit of the first cell that says so."""
    stage = fuzz()
    broken = {}
    for path in CORPUS:
        try:
            script = bytearray(path.read_bytes().ljust(4, b"\0"))
            script[3] = script[3] & ~8 | (threads - 1) * 8
            stage.perform(bytes(script))
        except AssertionError as wrong:
            broken[path.name] = str(wrong)
    assert len(CORPUS) > 50
    assert not broken


def test_a_broken_rule_is_found() -> None:
    """A player that is sent what it has not asked for: a server that does so would not go unnoticed."""
    with pytest.raises(AssertionError, match="what it has not asked"):
        fuzz().slander()


def test_the_corpus_is_small() -> None:
    assert len(CORPUS) < 200
    assert sum(path.stat().st_size for path in CORPUS) < 200_000


def test_the_fuzzer_plays_what_is_in_the_tree() -> None:
    names = {path.relative_to(ROOT).as_posix() for path in sanitized.sources()}
    assert "packaging/docstrings.py" in names
    assert {"setup.py", "gearfast/broker/broker.pyx", "tests/fuzz/driver.pyx", "tests/support/wire.py"} <= names


def test_seeds_are_made_the_same_every_time() -> None:
    from tests.fuzz.seeds import seeds

    made = dict(seeds())
    assert len(made) > 50
    assert {name: (sanitized.CORPUS / name).read_bytes() for name in made} == made
