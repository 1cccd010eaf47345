"""`python -m tests.fuzz`: `minutes N` looks for inputs that break a rule, `file PATH` plays one and says what happens.

What it finds is in build/fuzz: the inputs in corpus/, one that breaks a rule as crash-... (and slow-unit-...,
timeout-..., oom-...). `file PATH` needs no clang: what breaks a rule does so in the ordinary build, too, but for
a fault that only a sanitizer sees; `sanitized PATH` plays it there.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.fuzz import sanitized

DRIVE = "import sys; from tests.fuzz.driver import fuzz; fuzz(['fuzz', *sys.argv[1:]])"
LIMITS = ("-max_len=4000", "-len_control=0", "-entropic=0", "-timeout=60", "-rss_limit_mb=4000", "-print_final_stats=1")
DICTIONARY = Path(__file__).with_name("words.dict")


def drive(*words: str) -> int:
    """Run libFuzzer in the sanitized copy."""
    command = [sys.executable, "-c", DRIVE, *words]
    return subprocess.run(command, cwd=sanitized.PLACE, env=sanitized.environment(), check=False).returncode


def fuzz(minutes: float) -> int:
    """Look for so long. Ends at the first input that breaks a rule, with 77 or 1."""
    sanitized.build()
    found = sanitized.PLACE / "corpus"
    found.mkdir(exist_ok=True)
    seconds = max(1, round(minutes * 60))
    return drive(*LIMITS, f"-max_total_time={seconds}", f"-dict={DICTIONARY}", str(found), str(sanitized.CORPUS))


def tell(path: Path) -> int:
    """Play an input in the ordinary build, step by step in words."""
    from tests.compiled import fuzz as rooms

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
