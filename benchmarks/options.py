"""The command line of a run."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import OURS
from benchmarks.scenarios import SCENARIOS, Profile, Scenario
from benchmarks.subjects import SUBJECTS, Gearfast, Subject

ROUNDS = 5
OTHERS = tuple(subject.label for subject in SUBJECTS if subject.label != OURS)
MOST_THREADS = 256
MORE = """\
other commands:
  python -m benchmarks compare A.json B.json   what got faster or slower, beyond the noise
  python -m benchmarks report FILE.json        the table again, and the HTML report with its pictures
  python -m benchmarks threads FILE.json       what a job costs each of several threads (of a run with --threads)
  python -m benchmarks.growth                  the same with many cores: jobs per second, and the server's lock
  python -m benchmarks readme FILE.json        the table and the picture of README
  python -m benchmarks micro                   each room by itself, in instructions
  python -m benchmarks.attacks NAME PORT SIZE  one of the attacks by hand, on a server that runs
"""


@dataclass(frozen=True)
class Options:
    """How a run was asked for."""

    profile: Profile
    only: tuple[str, ...]
    against: tuple[str, ...]
    gearfast: str | None
    gearmand: str | None
    rounds: int
    share: float
    json: Path | None
    html: Path | None
    pin: bool
    listing: bool
    bars: bool
    threads: tuple[int, ...] = ()
    """of gearfast, each of them a server of its own in the results"""

    def subjects(self) -> list[Subject]:
        """Return gearfast and those it is measured against."""
        asked = {OURS: self.gearfast, "gearmand": self.gearmand}
        wanted = (OURS, *self.against)
        found = [subject(asked.get(subject.label)) for subject in SUBJECTS if subject.label in wanted]
        return [*found[:1], *(Gearfast(self.gearfast, threads) for threads in self.threads), *found[1:]]

    def scenarios(self) -> list[Scenario]:
        """Return those of the profile whose name or group holds any of the texts asked for.

        Raises ValueError when there are none; the message lists the names.
        """
        named = [scenario for scenario in SCENARIOS if not self.only or any(map(scenario.has, self.only))]
        found = [scenario for scenario in named if scenario.since <= self.profile]
        if found:
            return found
        if named:
            larger = "--full" if min(scenario.since for scenario in named) is Profile.FULL else "no --quick"
            raise ValueError(f"{', '.join(scenario.name for scenario in named)}: measured only with {larger}")
        names = "\n".join(f"  {scenario.group:11}{scenario.name}" for scenario in SCENARIOS)
        raise ValueError(
            f"no scenario has {' or '.join(map(repr, self.only))} in its name or group; there are\n{names}"
        )

    def told(self) -> dict[str, str]:
        """Return what the results file keeps of it."""
        return {
            "profile": self.profile.name.lower(),
            "rounds": str(self.rounds),
            "only": ", ".join(self.only),
            "against": ", ".join(self.against),
            "share": f"{self.share:g}",
            "threads": ",".join(map(str, self.threads)),
            "bars": "yes" if self.bars else "",
        }


def threads(text: str) -> tuple[int, ...]:
    """Read numbers of threads, and add the 1 that the others are held against. Raises ValueError, ArgumentTypeError."""
    found = {int(word) for word in text.split(",")}
    if min(found) < 1 or max(found) > MOST_THREADS:
        raise argparse.ArgumentTypeError(f"numbers from 1 to {MOST_THREADS}, such as 1,2,4; not {text!r}")
    return tuple(sorted(found | {1}))


def parser() -> argparse.ArgumentParser:
    """Return the parser."""
    made = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="What a job costs the server, gearfast beside gearmand, beanstalkd and the limit of one thread.",
        epilog=MORE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    much = made.add_mutually_exclusive_group()
    much.add_argument("--quick", action="store_true", help="about 3 minutes instead of 25: fewer jobs and scenarios")
    much.add_argument("--full", action="store_true", help="more jobs, and the scenarios that take long")
    made.add_argument("--only", action="append", default=[], metavar="TEXT", help="part of a name, or a group; repeat")
    made.add_argument("--against", default=",".join(OTHERS), metavar="LIST", help="default: %(default)s; or none")
    made.add_argument("--gearfast", metavar="PATH", help="another gearfast than that of this tree")
    made.add_argument("--gearmand", metavar="PATH", help="another gearmand than Debian's")
    made.add_argument(
        "--threads",
        type=threads,
        default=(),
        metavar="LIST",
        help="gearfast also with so many I/O threads, each a server of its own: 1,2,4. One is always among them",
    )
    made.add_argument("--rounds", type=int, default=ROUNDS, metavar="N", help="per scenario (default: %(default)s)")
    made.add_argument("--json", type=Path, metavar="FILE", help="results (default: build/bench/results-<time>.json)")
    made.add_argument("--html", type=Path, metavar="FILE", help="report (default: beside the results)")
    made.add_argument("--no-pin", action="store_true", help="let server and generator share all cores")
    made.add_argument("--list", action="store_true", help="say what would be measured, and end")
    made.add_argument(
        "--bars", action="store_true", help="for maintainers: judge the figures that gearfast has to reach"
    )
    # for the tests: figures of a hundredth of the jobs say nothing
    made.add_argument("--share", type=float, default=1.0, help=argparse.SUPPRESS)
    return made


def parse(words: Sequence[str]) -> Options:
    """Read the command line; a wrong one ends the program with a message and status 2."""
    made = parser()
    asked = made.parse_args(words)
    against = tuple(word.strip() for word in asked.against.split(",") if word.strip() not in ("", "none"))
    for word in against:
        if word not in OTHERS:
            made.error(f"argument --against: there is no {word!r}; choose from {', '.join(OTHERS)}, or none")
    if asked.rounds < 1:
        made.error("argument --rounds: at least 1")
    if not 0 < asked.share <= 1:
        made.error("argument --share: above 0, at most 1")
    profile = Profile.QUICK if asked.quick else Profile.FULL if asked.full else Profile.DEFAULT
    return Options(
        profile,
        tuple(asked.only),
        against,
        asked.gearfast,
        asked.gearmand,
        asked.rounds,
        asked.share,
        asked.json,
        asked.html,
        not asked.no_pin,
        asked.list,
        asked.bars,
        asked.threads,
    )
