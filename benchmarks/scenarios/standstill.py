"""Standing still: how long anybody waits at most for what one peer, or a crowd, does. Most are curves.

A process of its own attacks (`benchmarks/attacks`), while the victim has its jobs done.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from benchmarks.scenarios.growth import Bound, Point
from benchmarks.scenarios.scenario import GEARMAN, Play, Profile, Scenario, TooMuch, short
from benchmarks.scenarios.victim import takes, waits

QUICK, DEFAULT, FULL = Profile.QUICK, Profile.DEFAULT, Profile.FULL
OURS_ALONE = ("gearfast",)


def against(
    curve: str,
    sentence: str,
    play: Play,
    points: Iterable[Point],
    *bounds: Bound,
    subjects: tuple[str, ...] = GEARMAN,
    tls: bool = False,
    besides: float = 0.8,
) -> Iterator[Scenario]:
    """Yield the points of a curve; `sentence` has {} for the number."""
    for x, since in points:
        yield Scenario(
            f"{curve} {short(x)}",
            sentence.format(f"{x:,}"),
            "standstill",
            play,
            x,
            subjects,
            since,
            sized=True,
            curve=curve,
            x=float(x),
            too_much={label: why for label, most, why in bounds if x > most},
            besides=besides + x / 400_000,
            tls=tls,
            most_rounds=3,
            quick_rounds=1,
            other_rounds=1,
        )


MANY: tuple[Point, ...] = ((10_000, QUICK), (100_000, DEFAULT), (1_000_000, FULL))
ALIKE: tuple[Point, ...] = ((10_000, QUICK), (100_000, DEFAULT), (200_000, FULL))
CROWD: tuple[Point, ...] = ((50, QUICK), (1_000, DEFAULT))
TALK: tuple[Point, ...] = ((1, QUICK), (10, DEFAULT), (50, DEFAULT))
FEW: tuple[Point, ...] = ((10, QUICK), (60, DEFAULT))
NAMES: tuple[Point, ...] = ((16, QUICK), (160, FULL))

NAMED = TooMuch("it takes a minute until it knows so many names")
SLOW = TooMuch("it stands still for many seconds", FULL)
HANGS = TooMuch("it stands still for more than a minute with a tenth of it")
KEEPS = TooMuch("it keeps all answers, gigabytes of them", FULL)

SCENARIOS = (
    *against(
        "jobs held, abilities change",
        "A worker that holds {} jobs says in 128 KB, again and again, that it can do another function and that it "
        "cannot.",
        waits("holds-and-can-do"),
        MANY,
    ),
    *against(
        "jobs held, the worker leaves",
        "A worker that holds {} jobs leaves.",
        waits("holds-and-leaves"),
        MANY,
    ),
    *against(
        "jobs awaited, the client leaves",
        "A client that waits for the results of {} jobs leaves.",
        waits("waits-and-leaves"),
        MANY,
    ),
    *against(
        "jobs due in one second",
        "{} jobs become due in the same second; nobody can do them.",
        waits("due-at-once"),
        MANY,
        besides=1.7,
    ),
    *against(
        "abilities, all said at once",
        "A worker says of {} functions, as fast as can be, that it can do them.",
        waits("abilities-said"),
        MANY,
        ("gearmand", 100_000, NAMED),
    ),
    *against(
        "abilities, the worker leaves",
        "A worker that can do {} functions leaves.",
        waits("abilities-and-leaves"),
        MANY,
        ("gearmand", 100_000, NAMED),
    ),
    *against(
        "abilities, all taken back",
        "A worker that can do {} functions sends RESET_ABILITIES.",
        waits("abilities-and-reset"),
        MANY,
        ("gearmand", 100_000, NAMED),
    ),
    *against(
        "abilities, a job is asked for",
        "A worker that can do {} functions asks for a job, while there is one of another function only.",
        waits("abilities-and-grab"),
        MANY,
        ("gearmand", 100_000, NAMED),
    ),
    *against(
        "one job awaited, its progress",
        "A connection waits {} times for the same job, whose worker tells of its progress in 77 KB.",
        waits("attached"),
        MANY,
        ("gearmand", 10_000, HANGS),
    ),
    *against(
        "one job awaited, its end",
        "A connection waits {} times for the same job, whose worker completes it.",
        waits("attached-and-done"),
        MANY,
    ),
    *against(
        "clients of one job, its progress",
        "{} connections wait for the same job, whose worker tells of its progress in 77 KB.",
        waits("attached-each"),
        ((100, QUICK), (1_000, DEFAULT), (5_000, FULL)),
        ("gearmand", 100, SLOW),
    ),
    *against(
        "functions alike but for case, dropped",
        "Of {} functions whose names differ in case only, up to 3,000 are dropped in one breath.",
        waits("alike-and-drop"),
        ALIKE,
    ),
    *against(
        "functions alike but for case, stopped",
        "An orderly stop with {} functions whose names differ in case only: until the server has ended.",
        takes("alike-and-stop"),
        ALIKE,
    ),
    *against(
        "MB of names, workers",
        "A worker has {} MB of names, and one peer asks for `workers` and does not read.",
        waits("workers"),
        NAMES,
    ),
    *against(
        "MB of names, workers for ten",
        "A worker has {} MB of names, and ten peers ask for `workers` and do not read.",
        waits("workers-by-ten"),
        NAMES,
    ),
    *against(
        "peers with empty lines",
        "{} peers send 128 KB of empty admin lines each.",
        waits("empty-lines"),
        TALK,
        ("gearmand", 1, KEEPS),
        ("gearmand", 10, TooMuch("it keeps all answers, 8 GB of them")),
    ),
    *against(
        "peers with empty lines, cancel job",
        "{} peers send 128 KB of empty admin lines each: how long one `cancel job` takes.",
        takes("empty-lines-and-cancel"),
        TALK,
        ("gearmand", 1, KEEPS),
        ("gearmand", 10, TooMuch("it keeps all answers, 8 GB of them")),
    ),
    *against(
        "peers that ask for all jobs",
        "{} peers ask for `show jobs`, with 100,000 jobs queued, and read the answer.",
        waits("show-jobs"),
        FEW,
        ("gearmand", 10, SLOW),
    ),
    *against(
        "peers over TLS that ask for all jobs and leave",
        "{} peers over TLS send `show jobs`, with 100,000 jobs queued, and close_notify.",
        waits("tls-show-jobs"),
        FEW,
        subjects=OURS_ALONE,
        tls=True,
    ),
    *against(
        "peers that begin with TLS",
        "{} peers begin a TLS handshake at once.",
        waits("tls-handshakes"),
        FEW,
        subjects=OURS_ALONE,
        tls=True,
    ),
    *against(
        "connections full of packets",
        "{} connections carry 128 KB of ECHO_REQ each at once.",
        waits("packets"),
        CROWD,
        ("gearmand", 50, KEEPS),
    ),
    *against(
        "connections full of bad packets",
        "{} connections carry 128 KB of packets without their arguments each at once.",
        waits("bad-packets"),
        CROWD,
    ),
    *against(
        "connections that come and go",
        "Somebody connects and closes as fast as can be, with {} connections open at a time.",
        waits("calls"),
        CROWD,
        besides=1.8,
    ),
    *against(
        "connections that all go",
        "{} idle connections are closed at once.",
        waits("leave"),
        ((50, QUICK), (1_000, DEFAULT), (5_000, FULL)),
    ),
    *against(
        "MB in one job",
        "A client submits a job of {} MB.",
        waits("payload"),
        ((16, QUICK), (200, FULL)),
    ),
    *against(
        "MB in one result for ten",
        "A worker completes a job with {} MB, for which ten clients wait that do not read.",
        waits("result"),
        ((16, QUICK), (100, FULL)),
    ),
)
