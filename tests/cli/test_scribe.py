"""The thread that writes the log: it holds up nobody, and what does not fit or cannot be written is counted."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from gearfast.cli.log import scribe
from gearfast.cli.log.lines import Line
from gearfast.cli.log.scribe import Scribe
from gearfast.cli.log.sink import DescriptorSink, UnwrittenError
from gearfast.config import LINE_COST

PATIENCE = 20


class Gated:
    """A sink that takes nothing while its gate is shut."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.entered = threading.Event()
        self.taken: list[str] = []
        self.writes: list[int] = []
        self.trouble = ""
        self.closed = False

    def render(self, word: str, when: float, text: str) -> str:
        """The bare text."""
        return text

    def write(self, lines: Sequence[Line]) -> None:
        """Wait, then fail or keep them."""
        self.entered.set()
        self.gate.wait(PATIENCE)
        self.writes.append(len(lines))
        if self.trouble:
            raise UnwrittenError(len(lines), self.trouble)
        self.taken += [line.text for line in lines]

    def reopen(self) -> None:
        """Nothing."""

    def close(self) -> None:
        """Remember it."""
        self.closed = True


@pytest.fixture
def sink() -> Iterator[Gated]:
    """A sink whose gate is open at the end, so that no thread stays."""
    made = Gated()
    yield made
    made.gate.set()


def test_what_does_not_fit_is_counted_and_the_count_written_when_there_is_room(
    sink: Gated, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scribe, "LOG_BACKLOG", 20 * (LINE_COST + 2))
    writer = Scribe(sink)
    writer.put(Line(20, "00"))
    assert sink.entered.wait(PATIENCE)
    for number in range(1, 100):
        writer.put(Line(20, f"{number:02}"))
    sink.gate.set()
    writer.flush(PATIENCE)
    kept = len(sink.taken) - 1
    assert sink.taken[:-1] == [f"{number:02}" for number in range(kept)]
    assert 20 <= kept <= 22
    assert sink.taken[-1] == f"{100 - kept} lines were lost: whatever reads the log did not keep up"
    writer.put(Line(20, "after"))
    writer.close(PATIENCE)
    assert sink.taken[-1] == "after"
    assert sink.closed


def test_what_cannot_be_written_is_counted_with_the_reason(sink: Gated) -> None:
    sink.gate.set()
    sink.trouble = "No space left on device"
    writer = Scribe(sink)
    for _ in range(3):
        writer.put(Line(20, "x"))
        writer.flush(PATIENCE)
    sink.trouble = ""
    writer.put(Line(20, "y"))
    writer.close(PATIENCE)
    assert sink.taken == ["y", "3 lines were lost: No space left on device"]


def test_lines_are_gathered_but_not_without_end(sink: Gated, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scribe, "LOG_WRITE", 10 * (LINE_COST + 1))
    writer = Scribe(sink)
    writer.put(Line(20, "x"))
    assert sink.entered.wait(PATIENCE)
    for _ in range(25):
        writer.put(Line(20, "x"))
    sink.gate.set()
    writer.close(PATIENCE)
    assert sink.writes == [1, 10, 10, 5]


def test_errands_are_done_between_the_lines_around_them(sink: Gated) -> None:
    writer = Scribe(sink)
    writer.put(Line(20, "a"))
    writer.do(lambda: sink.taken.append("errand"))
    writer.put(Line(20, "b"))
    sink.gate.set()
    writer.close(PATIENCE)
    assert sink.taken == ["a", "errand", "b"]


def test_a_sink_that_hangs_is_not_waited_for(sink: Gated) -> None:
    writer = Scribe(sink)
    writer.put(Line(20, "x"))
    assert sink.entered.wait(PATIENCE)
    writer.flush(0.01)
    writer.close(0.01)
    assert writer.thread.is_alive()
    assert writer.thread.daemon, "the end of the process would wait for it"


def test_a_sink_that_raises_what_it_may_not_ends_nothing(sink: Gated, monkeypatch: pytest.MonkeyPatch) -> None:
    sink.gate.set()
    writer = Scribe(sink)
    with monkeypatch.context() as patch:
        patch.setattr(sink, "write", lambda lines: 1 // 0)
        writer.put(Line(20, "x"))
        writer.flush(PATIENCE)
    writer.put(Line(20, "y"))
    writer.close(PATIENCE)
    assert sink.taken == ["y", "1 line was lost: ZeroDivisionError('integer division or modulo by zero')"]


# --- descriptors -------------------------------------------------------------------------


def test_a_descriptor_that_somebody_made_non_blocking_gets_every_line() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    writer = Scribe(DescriptorSink(writing))
    text = "x" * 99 + "\n"
    for _ in range(10_000):
        writer.put(Line(20, text))
    writer.finish()
    with open(reading, "rb") as pipe:
        assert all(pipe.read(100) == text.encode() for _ in range(10_000))
    writer.thread.join(PATIENCE)
    assert not os.get_blocking(writing)
    os.close(writing)


def test_a_line_written_in_part_is_ended_before_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk gets full in the middle of a line."""
    descriptor = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT)
    sink = DescriptorSink(descriptor)
    room = [7]

    def write(descriptor: int, data: bytes, real: object = os.write) -> int:
        if not room[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        assert callable(real)
        done = int(real(descriptor, data[: room[0]]))
        room[0] -= done
        return done

    monkeypatch.setattr(os, "write", write)
    with pytest.raises(UnwrittenError, match="No space left") as refusal:
        sink.write([Line(20, "one\n"), Line(20, "two two\n"), Line(20, "three\n")])
    assert refusal.value.count == 2
    with pytest.raises(UnwrittenError) as refusal:
        sink.write([Line(20, "four\n")])
    room[0] = 1000
    sink.write([Line(20, "five\n")])
    os.close(descriptor)
    assert (tmp_path / "log").read_text() == "one\ntwo\nfive\n"
