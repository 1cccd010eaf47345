"""Growth: many threads on many cores, and the loads for them; no figure is judged."""

from __future__ import annotations

import itertools
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from benchmarks import growth, told
from benchmarks.growth import BESIDES, LEAST, LONGEST, MOST, Growth, chosen
from benchmarks.loads import Loads, stem
from benchmarks.results import Measured, Round, read
from benchmarks.scenarios import SCENARIOS
from benchmarks.subjects import Gearmand
from benchmarks.topology import Split, cores, listed, split
from tests.support.loading import compiled
from tests.support.peers import PROJECT, peer, run, start_gearfast
from tests.support.results_made_up import made_up

# --- cores ----------------------------------------------------------------------------------------------

ALONE = [(number,) for number in range(64)]
TWINS = [(number, number + 32) for number in range(32)]


@pytest.mark.parametrize(
    ("there", "servers", "loads"),
    [
        (ALONE[:1], (0,), (0,)),
        (ALONE[:2], (0,), (1,)),
        (ALONE[:5], (0, 1), (2, 3, 4)),
        (ALONE[:16], tuple(range(8)), tuple(range(8, 16))),
        (ALONE[:64], tuple(range(8)), tuple(range(8, 24))),
        (TWINS[:1], (0,), (32,)),
        (TWINS[:8], (0, 1, 2, 3, 32, 33, 34, 35), (4, 5, 6, 7, 36, 37, 38, 39)),
        (TWINS, tuple(range(8)), tuple(range(8, 24))),
    ],
)
def test_threads_get_cores_of_their_own_and_the_load_others(
    there: list[tuple[int, ...]], servers: tuple[int, ...], loads: tuple[int, ...]
) -> None:
    assert split(there, 8) == Split(servers, loads)


def test_so_many_loads_as_are_asked_for() -> None:
    assert split(ALONE, 8, 3).loads == (8, 9, 10)


def test_cores_are_those_of_this_machine(tmp_path: Path) -> None:
    found = [cpu for core in cores() for cpu in core]
    assert len(found) == len(set(found)) > 0
    assert sorted(cores(tmp_path)) == [(cpu,) for cpu in sorted(found)], "where the kernel does not tell"
    assert listed("0-2,8\n") == {0, 1, 2, 8}


# --- what a server says ---------------------------------------------------------------------------------

BEFORE = "lock\t10\t0.5\nio1\t7\tbusy\nsame line\n.\n"
AFTER = "lock\t25\t2\nio1\t9\tidle\nio2\t4\n.\n"


def test_lines_are_names_and_columns() -> None:
    assert told.figures(BEFORE) == {"lock": ["10", "0.5"], "io1": ["7", "busy"], "same": ["line"]}
    assert told.figures("thread 1\nthread 2\n.\n") == {"thread": ["1"], "thread 2": ["2"]}
    assert told.figures("ERR UNKNOWN_SHOW_ARGUMENTS\r\n") == {}
    assert told.figures("") == {}


def test_numbers_are_told_by_what_they_grew() -> None:
    assert told.grown(BEFORE, AFTER) == {"lock": ["15", "1.5"], "io1": ["2", "idle"], "io2": ["4"]}
    one = Round(1, 1.0, told=[BEFORE, AFTER])
    row = msgspec.structs.replace(made_up().rows[0], measured=[Measured("gearfast 2 threads", [one])])
    found = msgspec.structs.replace(made_up(), rows=[row])
    assert told.lines(found) == ["submit 1 x 1, gearfast 2 threads: lock 15 1.5; io1 2 idle; io2 4"]


@contextmanager
def answering(*pieces: bytes) -> Iterator[int]:
    """A server that answers one line, piece by piece, and keeps the connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        over = threading.Event()

        def answer() -> None:
            with listener.accept()[0] as peer:
                peer.recv(100)
                for piece in pieces:
                    peer.sendall(piece)
                over.wait(30)

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            over.set()
            thread.join()


@pytest.mark.parametrize(
    "pieces", [(b"lock\t1\n", b"io1 2.5\n", b".\n"), (b"ERR no\r\n",), (b".\n",), (b"OK\r\n",), (b"a.\nb", b"\n.\n")]
)
def test_an_answer_is_read_to_its_end(pieces: tuple[bytes, ...]) -> None:
    with answering(*pieces) as port:
        assert told.ask(port, seconds=25.0) == b"".join(pieces).decode()


def test_one_that_does_not_end_is_kept_as_it_is() -> None:
    with answering(b"lock 1\n") as port:
        assert told.ask(port, seconds=0.2) == "lock 1\n"
    assert told.ask(port, seconds=0.2) == "", "nobody is there"


def test_gearfast_is_asked() -> None:
    with start_gearfast() as server:
        assert told.ask(server.port, b"show memory\n").endswith("\n.\n")


# --- loads ----------------------------------------------------------------------------------------------


def test_each_load_has_functions_of_its_own() -> None:
    stems = [stem(number) for number in range(400)]
    assert stems[:2] == ["worka", "workb"]
    assert stems[25:28] == ["workz", "workaa", "workab"]
    assert len(set(stems)) == len(stems)
    assert all(len(one) <= 8 and one.isalpha() for one in stems)


@pytest.mark.parametrize("name", ["round trip 8 x 16, 8 workers", "drain, 1 worker of 100 k"])
def test_several_loads_play_one_server(name: str) -> None:
    compiled()
    (cpu, *_), *_ = cores()
    with start_gearfast() as server:
        loads = Loads(name, server.port, [cpu, cpu, cpu], 3000, 30.0, spin=False, limit=60.0)
        try:
            loads.ready()
            done = loads.play()
        finally:
            loads.end()
    assert done.jobs == 3000
    assert done.seconds > 0


# --- the run --------------------------------------------------------------------------------------------


def test_the_time_is_shared_by_all_measurements() -> None:
    few = dict.fromkeys(("gearmand 1 thread", "gearmand 2 threads"), Gearmand())
    where = Split((0,), (1,))
    for seconds, rounds in itertools.product((1.0, 20.0, 60.0, LONGEST), (1, 3)):
        one = Growth(few, SCENARIOS[:4], where, rounds, seconds)
        assert LEAST <= one.once <= MOST
        if one.once > LEAST:
            assert (one.once + BESIDES) * 2 * 4 * rounds <= seconds * 1.001


def test_scenarios_are_chosen_by_their_names() -> None:
    assert [scenario.name for scenario in chosen([])] == list(growth.PLAYED)
    assert [scenario.name for scenario in chosen(["64 KiB"])] == ["round trip 4 x 4, 64 KiB"]
    assert chosen(["standstill"]) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--servers=limit"], "choose from gearfast, gearmand"),
        (["--seconds=1000"], "at most 330 seconds"),
        (["--rounds=0"], "at least one round"),
        (["--threads=0"], "argument --threads"),
    ],
)
def test_what_cannot_be_done_is_said(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        growth.main(words)
    assert said in capsys.readouterr().err


def test_a_run_is_one_file_and_one_table(tmp_path: Path) -> None:
    compiled()
    peer("gearmand")
    kept = tmp_path / "kept.json"
    few = ("--threads=2", "--servers=gearmand", "--rounds=1", "--seconds=30", "--only=round trip 8 x 16")
    done = run(Path(sys.executable), "-m", "benchmarks.growth", *few, f"--json={kept}")
    assert done.code == 0, done.err
    assert f"Results: {kept}" in done.out
    for title in ("Threads: jobs per second", "Threads: CPU per job of the busiest one"):
        assert title in done.out
    found = read(kept)
    [row] = found.rows
    for label in ("gearmand 1 thread", "gearmand 2 threads"):
        measured = row.of(label)
        assert measured is not None
        [one] = measured.rounds
        assert one.jobs > 0
        assert one.busiest
        assert one.threads
        assert max(one.threads.values()) == one.busiest
        assert len(one.told) == 2
    assert int(found.options["loads"]) >= 1
    assert found.machine["cores of the servers"]
    assert (PROJECT / "benchmarks" / "growth.py").exists()


def test_what_takes_longer_than_there_is_time_for_is_left_out(tmp_path: Path) -> None:
    compiled()
    peer("gearmand")
    kept = tmp_path / "kept.json"
    few = ("--servers=gearmand", "--seconds=0.1", "--only=submit 8 x 100", f"--json={kept}")
    done = run(Path(sys.executable), "-m", "benchmarks.growth", *few)
    assert done.code == 0, done.err
    [row] = read(kept).rows
    assert {one.missing for one in row.measured if one.subject != "limit"} == {"the time was over"}
    assert any(sentence.startswith("All rounds: 0 of 3") for sentence in read(kept).not_measured)
