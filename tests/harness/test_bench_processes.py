"""Processor time and memory of a process tree, as the benchmarks take them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from benchmarks.processes import Cores, Tree

# Each line it reads is a piece of Python; what it prints tells that it was done.
OBEDIENT = "import sys, threading, time, subprocess\nfor line in sys.stdin:\n exec(line)\n print('done', flush=True)\n"


class Child:
    """A process that does what it is told."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", OBEDIENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.tell("pass")

    def tell(self, code: str) -> None:
        """Have a line done."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"exec({code!r})\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "done\n"


@pytest.fixture
def child() -> Iterator[Child]:
    made = Child()
    yield made
    made.process.kill()
    made.process.communicate()


SPIN = "t = time.thread_time() + 0.25\nwhile time.thread_time() < t: pass"


def test_time_of_threads_that_ended_is_kept(child: Child) -> None:
    tree = Tree(child.process.pid)
    before = tree.cpu()
    child.tell(f"thread = threading.Thread(target=exec, args=({SPIN!r}, globals()))\nthread.start()\nthread.join()")
    assert tree.cpu() - before >= 0.25


def test_a_process_that_waits_uses_nothing(child: Child) -> None:
    tree = Tree(child.process.pid)
    before = tree.cpu()
    time.sleep(0.1)
    assert tree.cpu() - before < 0.1


def test_settling_waits_for_all_threads(child: Child) -> None:
    tree = Tree(child.process.pid)
    assert tree.settle()
    before = tree.cpu()
    child.tell("ended = threading.Event()")
    child.tell("thread = threading.Thread(target=lambda: all(iter(lambda: not ended.is_set(), False)))")
    child.tell("thread.start()")
    assert not tree.settle()
    assert tree.cpu() > before
    child.tell("ended.set(); thread.join()")
    assert tree.settle()


def test_children_count(child: Child) -> None:
    tree = Tree(child.process.pid)
    assert tree.pids() == [child.process.pid]
    alone, memory = tree.cpu(), tree.resident()
    code = "import time\n" + SPIN + "\nprint('spun', flush=True)\ntime.sleep(100)"
    child.tell(
        f"grandchild = subprocess.Popen([sys.executable, '-c', {code!r}], stdout=subprocess.PIPE)\n"
        "grandchild.stdout.readline()"
    )
    assert len(tree.pids()) == 2
    assert tree.cpu() - alone >= 0.25
    assert tree.resident() > memory + 2**20
    child.tell("grandchild.kill(); grandchild.communicate()")
    assert tree.pids() == [child.process.pid]


def test_memory_is_seen(child: Child) -> None:
    tree = Tree(child.process.pid)
    before = tree.resident()
    child.tell("kept = bytearray(b'x' * (64 << 20))")
    assert 60 << 20 < tree.resident() - before < 160 << 20


def test_the_most_memory_is_remembered_until_it_is_forgotten(child: Child) -> None:
    tree = Tree(child.process.pid)
    before = tree.resident()
    child.tell("kept = bytearray(b'x' * (64 << 20)); del kept")
    assert tree.resident() - before < 60 << 20 < tree.peak() - before
    tree.forget_peak()
    assert tree.peak() - before < 60 << 20


def test_a_process_that_is_gone_is_said(child: Child) -> None:
    tree = Tree(child.process.pid)
    child.process.kill()
    child.process.wait()
    with pytest.raises(ProcessLookupError, match=f"process {child.process.pid} has ended"):
        tree.cpu()
    with pytest.raises(ProcessLookupError, match="has ended"):
        tree.resident()
    tree.forget_peak()
    assert tree.peak() == 0, "what one that died has had is of no interest"


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="pinning needs two cores")
def test_generator_and_servers_do_not_share_a_core() -> None:
    before = os.sched_getaffinity(0)
    cores = Cores()
    command = [sys.executable, "-c", "import os; print(sorted(os.sched_getaffinity(0)))"]
    with cores.for_generator():
        assert os.sched_getaffinity(0) == {max(before)}
        with cores.for_servers():
            said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        assert os.sched_getaffinity(0) == {max(before)}
    assert said == str(sorted(before - {max(before)}))
    assert os.sched_getaffinity(0) == before
    assert not Cores(pin=False).pinned
