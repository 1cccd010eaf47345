"""Everything at once, then nothing: jobs, functions, connections, descriptors and memory are back where they were."""

from __future__ import annotations

import argparse
import contextlib
import random
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path

from tests.soak.ground import Ground, ground
from tests.soak.scenes import CAST, FUNCTIONS, Scene
from tests.support.loglines import messages
from tests.support.processes import MIB, SANITIZED, resident

MAX_GROWTH = 24 * MIB
"""Between two rests. 16 MiB of jobs have to end before free memory is given back (`memory_step`), and what the
allocator keeps of large answers and of TLS is a few more; ten minutes of a leak are hundreds."""
SAID_OF_TROUBLE = ("Traceback", "should not happen", "CRITICAL", "FATAL")


def play(stage: Ground, scene: Scene, number: int, stop: threading.Event) -> None:
    """One peer's part, until it is over."""
    chance = random.Random(f"{stage.seed} {number}")
    while not stop.is_set():
        try:
            scene(stage, chance)
            stage.count["scenes"] += 1
        except Exception:
            stage.wrong.append(f"{scene.__name__}: {traceback.format_exc()}")
            return


def act(stage: Ground, seconds: float) -> int:
    """Have all of them play for so long, and what is left be done; return the most memory that was in use."""
    stop = stage.over = threading.Event()
    cast = [
        threading.Thread(target=play, args=(stage, scene, number, stop), name=scene.__name__)
        for number, scene in enumerate(CAST)
    ]
    for peer in cast:
        peer.start()
    most, end = 0, time.monotonic() + seconds
    while time.monotonic() < end and not stage.wrong:
        most = max(most, resident(stage.server))
        time.sleep(min(0.5, max(end - time.monotonic(), 0)))
    stop.set()
    for peer in cast:
        peer.join()
    stage.drain(FUNCTIONS)
    return most


def compare(stage: Ground, before: tuple[int, int], after: tuple[int, int]) -> None:
    """What was there at the first rest, and what is there at the last."""
    if after[0] - before[0] > MAX_GROWTH and not SANITIZED:
        stage.wrong.append(f"memory grew by {after[0] - before[0]} bytes")
    if after[1] != stage.fewest or before[1] != stage.fewest:
        stage.wrong.append(f"{stage.fewest} descriptors became {before[1]}, then {after[1]}")
    if left := stage.in_use():
        stage.wrong.append(f"in use by nobody: {left}")
    if lost := stage.acknowledged - stage.seen:
        stage.wrong.append(f"{len(lost)} acknowledged jobs were never handed out, such as {sorted(lost)[:3]}")


def end(stage: Ground, folder: Path, python: str) -> None:
    """An orderly stop, an empty store, and a log that says nothing of trouble."""
    if (code := stage.server.stop()) != 0:
        stage.wrong.append(f"exit code {code}")
    store = f"--store=sqlite:{folder / 'jobs.db'}"
    told = subprocess.run(
        [python, "-m", "gearfast", "store", "count", store], capture_output=True, text=True, check=False
    )
    if told.stdout.split()[-2:] != ["0", "(all)"]:
        stage.wrong.append(f"the store is not empty: {told.stdout}{told.stderr}")
    text = (folder / "log").read_text(errors="replace")
    messages(text)  # each line is one of the log's
    stage.wrong += [line for line in text.splitlines() if any(word in line for word in SAID_OF_TROUBLE)]


def soak(folder: Path, seconds: float, seed: int) -> Ground:
    """The whole of it: a first part after which everything has been used once, then the rest."""
    python = sys.executable
    with ground(folder, python, seed) as stage:
        stage.begin()
        act(stage, seconds / 5)
        before = stage.rest()
        most = act(stage, seconds * 4 / 5)
        after = stage.rest()
        compare(stage, before, after)
        end(stage, folder, python)
        figures = (
            f"{before[0] / MIB:.1f} MiB at the first rest, at most {most / MIB:.1f}, {after[0] / MIB:.1f} at the last"
        )
        print(f"{figures}; {stage.fewest} descriptors, {before[1]} and {after[1]} at the rests")
        print(", ".join(f"{number} {what}" for what, number in sorted(stage.count.items())))
        print(f"{len((folder / 'log').read_bytes().splitlines())} lines of log", flush=True)
    return stage


def main() -> int:
    """Run it; the exit code is 1 if anything was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-") as folder, contextlib.suppress(KeyboardInterrupt):
        stage = soak(Path(folder), given.minutes * 60, given.seed)
        for wrong in stage.wrong:
            print(wrong, file=sys.stderr)
        return 1 if stage.wrong else 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
