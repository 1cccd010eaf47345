"""The one lock of the process: whoever has it is alone, and whoever waits for it keeps nobody from the interpreter."""

from __future__ import annotations

import subprocess
import sys
import threading

from tests.support.compiled import hands
from tests.support.peers import PROJECT

ROUNDS = 20_000
THREADS, PYTHONS = 4, 2


def test_what_threads_count_under_it_adds_up() -> None:
    """Four without the interpreter and two with it; these take it twice, and give it meanwhile."""
    shared = hands()
    before = shared.figures()
    shared.expect_threads(THREADS + PYTHONS)
    threads = [threading.Thread(target=shared.with_interpreter, args=(ROUNDS,)) for _ in range(PYTHONS)]
    for thread in threads:
        thread.start()
    shared.without_interpreter(THREADS, ROUNDS, True)
    for thread in threads:
        thread.join()
    after = shared.figures()
    assert after["one"] - before["one"] == ROUNDS * (THREADS + 3 * PYTHONS)
    assert after["other"] == after["one"]
    assert (after["torn"], after["mistaken"]) == (0, 0)
    assert after["taken"] - before["taken"] == ROUNDS * (THREADS + 2 * PYTHONS) + 1  # and once for the figures
    assert after["waited"] < after["taken"]
    assert after["timed"] == (after["taken"] - 1) // 64  # of the last one it is not known yet


WAITING = """
import os
import sys
import threading

from tests.support.compiled import hands

shared = hands()
hear, say = os.pipe()
wait, go = os.pipe()
threads = [threading.Thread(target=shared.hold, args=(say, wait))]
threads[0].start()
os.read(hear, 1)  # it has the lock
sys.setswitchinterval(1000)  # nobody is asked for the interpreter: it is let go by whoever does so by himself
threads.append(threading.Thread(target=shared.with_interpreter, args=(1,)))
shared.expect_threads(1)
threads[1].start()
os.write(go, b"x")  # who would hold the interpreter meanwhile would wait for ever
for thread in threads:
    thread.join()
print(shared.figures()["one"])
"""


def test_who_waits_for_it_lets_the_interpreter_go() -> None:
    """In a process of its own: in one that stands still no clock of the tests is heard."""
    hands()
    done = subprocess.run(
        [sys.executable, "-c", WAITING], cwd=PROJECT, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "3\n", "")
