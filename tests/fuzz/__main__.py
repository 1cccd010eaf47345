"""`python -m tests.fuzz`: `minutes N` looks for inputs that break a rule, `file PATH` plays one and says what happens.

What it finds is in build/fuzz: the inputs in corpus/, one that breaks a rule as crash-... (and slow-unit-...,
timeout-..., oom-...). `file PATH` needs no clang: what breaks a rule does so in the ordinary build, too, but for
a fault that only a sanitizer sees; `sanitized PATH` plays it there.
"""

from __future__ import annotations

import base64
import subprocess
import sys
import time
from pathlib import Path

from tests.fuzz import sanitized

DRIVE = "import sys; from tests.fuzz.driver import fuzz; fuzz(['fuzz', *sys.argv[1:]])"
LIMITS = ("-max_len=4000", "-len_control=0", "-entropic=0", "-timeout=60", "-rss_limit_mb=4000", "-print_final_stats=1")
SHRINKING = 60  # seconds
DICTIONARY = Path(__file__).with_name("words.dict")


def drive(*words: str, quietly: bool = False) -> int:
    """Run libFuzzer in the sanitized copy."""
    command = [sys.executable, "-c", DRIVE, *words]
    output = subprocess.DEVNULL if quietly else None
    return subprocess.run(
        command, cwd=sanitized.PLACE, env=sanitized.environment(), stdout=output, stderr=output, check=False
    ).returncode


def fuzz(minutes: float) -> int:
    """Look for so long. Ends at the first input that breaks a rule, with 77 or 1; its last words are that input."""
    sanitized.build()
    found = sanitized.PLACE / "corpus"
    found.mkdir(exist_ok=True)
    seconds = max(1, round(minutes * 60))
    before = set(artifacts())
    result = drive(*LIMITS, f"-max_total_time={seconds}", f"-dict={DICTIONARY}", str(found), str(sanitized.CORPUS))
    for path in set(artifacts()) - before:
        show(shrunk(path))
    return result


# --- what was found ---


def artifacts() -> list[Path]:
    """Return the inputs that broke a rule, of this time and before."""
    return [path for kind in ("crash", "slow-unit", "timeout", "oom") for path in sanitized.PLACE.glob(f"{kind}-*")]


def shrunk(path: Path) -> Path:
    """Return the smallest input within reach that still breaks a rule."""
    print(f"Making {path} smaller, for {SHRINKING} s at most", flush=True)
    smaller = path.with_name(f"smaller-{path.name}")
    smaller.write_bytes(path.read_bytes())
    until = time.monotonic() + SHRINKING
    while (left := int(until - time.monotonic())) > 0:
        words = ("-minimize_crash_internal_step=1", f"-max_total_time={left}", f"-exact_artifact_path={smaller}")
        if drive(*words, str(smaller), quietly=True) == 0:
            break  # time is up, or nothing is left of it
    return smaller


def show(path: Path) -> None:
    """Print it so that it can be played elsewhere, too: whoever reads this may have no more than what is printed."""
    print(f"{path} in base64 (base64 -d > FILE; make fuzz FILE=FILE tells what happens in it):")
    print(base64.b64encode(path.read_bytes()).decode())
    tell(path, step_by_step=False)


def tell(path: Path, step_by_step: bool = True) -> int:
    """Play an input in the ordinary build, in words."""
    from tests.support.compiled import fuzz as rooms

    if step_by_step:
        rooms().tell_all()
    try:
        rooms().perform(path.read_bytes())
    except AssertionError as wrong:
        print(f"It breaks a rule: {wrong}")
        return 1
    print("It breaks no rule.")
    return 0


def main(words: list[str]) -> int:
    """Do what the command line says."""
    try:
        if words[:1] == ["minutes"]:
            return fuzz(float(words[1]))
        if words[:1] == ["sanitized"]:
            sanitized.build()
            return drive(str(Path(words[1]).resolve()))
        if words[:1] == ["file"]:
            return tell(Path(words[1]))
    except sanitized.CannotBuild as failure:
        print(failure, file=sys.stderr)
        return 1
    print(__doc__)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
