"""No room of the server takes more instructions than were recorded for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import callgrind, instructions, micro
from benchmarks.build import build
from benchmarks.instructions import RECORD, compare
from tests.support.peers import peer

NAME = "gcc 1.2.3, CPython 3.11.7"
BEFORE = {"parse": 100.0, "pack": 50.0}


def complaints(now: dict[str, float], before: dict[str, float]) -> list[str]:
    return [change.complaint for change in compare(now, before) if change.complaint]


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The committed file and that of what was found, elsewhere; the way of building has a made-up name."""
    monkeypatch.setattr(instructions, "ROOT", tmp_path)
    monkeypatch.setattr(instructions, "COMMITTED", tmp_path / "committed.json")
    monkeypatch.setattr(instructions, "FOUND", tmp_path / "build" / "found.json")
    monkeypatch.setattr(instructions, "key", lambda: NAME)
    return tmp_path


# --- what is held against what ---


@pytest.mark.parametrize("parse", [100.0, 104.0, 105.0, 60.0])
def test_counts_may_grow_by_a_twentieth_and_shrink_at_will(parse: float) -> None:
    assert complaints(BEFORE | {"parse": parse}, BEFORE) == []


def test_a_count_that_grew_by_more_is_told_with_both_figures_and_the_way_to_record_it() -> None:
    (complaint,) = complaints(BEFORE | {"parse": 106.0}, BEFORE)
    assert complaint.startswith("parse: 106.0 instructions instead of 100.0 (+6.0%, allowed are +5%).")
    assert complaint.endswith(RECORD)


def test_a_benchmark_that_is_new_must_be_recorded() -> None:
    assert complaints(BEFORE | {"grab": 7.0}, BEFORE) == [
        f"grab: not recorded yet, 7.0 instructions. Record it: {RECORD}"
    ]


def test_a_benchmark_that_is_gone_must_be_recorded() -> None:
    assert complaints({"parse": 100.0}, BEFORE) == [
        f"pack: recorded with 50.0 instructions, and gone. Record anew: {RECORD}"
    ]


# --- the file ---


def test_an_unknown_way_of_building_is_said_and_kept_elsewhere(places: Path) -> None:
    instructions.write(instructions.COMMITTED, {"clang 9": {"parse": 1.0}})
    said = micro.keep(BEFORE, record=False, whole=True)
    assert f"not known for {NAME}: recorded now in build/found.json; nothing to compare" in said
    assert RECORD in said
    assert instructions.read(instructions.FOUND) == {NAME: BEFORE}
    assert instructions.read(instructions.COMMITTED) == {"clang 9": {"parse": 1.0}}


def test_to_record_leaves_what_others_have_recorded(places: Path) -> None:
    instructions.write(instructions.COMMITTED, {"clang 9": {"parse": 1.0}, NAME: {"gone": 3.0}})
    micro.keep(BEFORE, record=True, whole=True)
    assert instructions.read(instructions.COMMITTED) == {"clang 9": {"parse": 1.0}, NAME: BEFORE}


def test_to_record_some_leaves_the_rest(places: Path) -> None:
    micro.keep(BEFORE, record=True, whole=True)
    micro.keep({"parse": 90.0}, record=True, whole=False)
    assert instructions.read(instructions.COMMITTED) == {NAME: {"parse": 90.0, "pack": 50.0}}


def test_a_known_way_of_building_is_not_recorded_unasked(places: Path) -> None:
    micro.keep(BEFORE, record=True, whole=True)
    assert micro.keep({"parse": 500.0}, record=False, whole=False) == f"Recorded: {NAME}"
    assert instructions.read(instructions.COMMITTED) == {NAME: BEFORE}
    assert not instructions.FOUND.exists()


# --- the counts themselves ---


def test_a_valgrind_that_fails_is_an_error_with_its_words(tmp_path: Path) -> None:
    broken = tmp_path / "valgrind"
    broken.write_text("#!/bin/sh\necho the tool is not there >&2\nexit 3\n")
    broken.chmod(0o755)
    with pytest.raises(callgrind.CannotCountError, match="ended with status 3:\nthe tool is not there"):
        callgrind.count(["packet: parse"], broken)


def test_dumps_without_marks_are_an_error(tmp_path: Path) -> None:
    silent = tmp_path / "valgrind"
    silent.write_text("#!/bin/sh\n")
    silent.chmod(0o755)
    with pytest.raises(callgrind.CannotCountError, match="too few dumps"):
        callgrind.count(["packet: parse"], silent)


def test_a_profile_does_not_count_what_a_function_calls_as_its_own() -> None:
    dump = "fn=caller\n10 5\ncalls=2 20\n11 70\n12 1\n\nfn=callee\n20 70\ntotals: 76\n"
    assert callgrind.by_function(dump) == {"caller": 6, "callee": 70}
    assert callgrind.total(dump) == 76


def test_a_profile_names_functions_as_their_source_does() -> None:
    assert micro.readable("__pyx_f_8gearfast_6broker_6broker_6Broker_grab") == "gearfast.broker.broker.Broker.grab"
    assert micro.readable("_int_free") == "_int_free"


@pytest.mark.timeout(240)
def test_no_room_takes_more_instructions_than_recorded(record_property: Callable[[str, object], None]) -> None:
    valgrind = peer("valgrind")
    build()
    counts = callgrind.count(micro.names(), valgrind)
    assert all(count > 10 for count in counts.values())
    recorded = instructions.read(instructions.COMMITTED).get(instructions.key())
    if recorded is None:
        said = micro.keep(counts, record=False, whole=True)
        record_property("instructions", said)
        print(said)
        return
    wrong = complaints(counts, recorded)
    assert not wrong, "\n".join(wrong)
