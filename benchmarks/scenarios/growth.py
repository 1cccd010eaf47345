"""Growth: what a job costs the more there is of something. Each scenario is a point of a curve."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from benchmarks.scenarios.scenario import (
    ALL,
    GEARMAN,
    PLAIN,
    Play,
    Profile,
    Scenario,
    TooMuch,
    round_trip,
    short,
    submit,
    submit_and_drain,
)

QUICK, DEFAULT, FULL = Profile.QUICK, Profile.DEFAULT, Profile.FULL
Point = tuple[int, Profile]
NOTHING: Mapping[int, float] = {}
Bound = tuple[str, int, TooMuch]  # label, how far it is measured, why no further


def curve(
    name: str,
    sentence: str,
    points: Iterable[Point],
    play: Callable[[int], Play],
    jobs: int,
    subjects: tuple[str, ...] = PLAIN,
    *bounds: Bound,
    besides: Mapping[int, float] = NOTHING,
) -> Iterator[Scenario]:
    """Yield the points of a curve; `sentence` has {} for the number."""
    for x, since in points:
        yield Scenario(
            f"{name} {short(x)}",
            sentence.format(f"{x:,}"),
            "growth",
            play(x),
            jobs,
            subjects,
            since,
            curve=name,
            x=float(x),
            besides=besides.get(x, 0.0),
            too_much={label: why for label, most, why in bounds if x > most},
        )


SCENARIOS = (
    *curve(
        "queue depth",
        "4 clients submit with 25 unanswered each and 8 workers complete, with {} jobs queued before.",
        ((10_000, QUICK), (100_000, QUICK), (1_000_000, DEFAULT), (10_000_000, FULL)),
        lambda x: submit_and_drain(4, 25, 8, queued=x),
        100_000,
        ALL,
        ("gearmand", 1_000_000, TooMuch("it would need 9 GB for the queue, and walks it")),
        ("beanstalkd", 100_000, TooMuch("it takes half a minute to queue a million", FULL)),
        besides={100_000: 0.5, 1_000_000: 2.0, 10_000_000: 90.0},
    ),
    *curve(
        "functions per worker",
        "Round trips of 4 clients x 4 with 4 workers that can do {} functions each; the jobs go to all in turn.",
        ((1, DEFAULT), (10, QUICK), (100, DEFAULT), (1_000, DEFAULT), (10_000, QUICK)),
        lambda x: round_trip(4, 4, 4, functions=x),
        40_000,
        GEARMAN,
    ),
    *curve(
        "sleeping workers",
        "Round trips of one client, one at a time, while {} workers that can do the job are asleep.",
        ((1, DEFAULT), (10, QUICK), (100, DEFAULT), (500, DEFAULT), (1_000, QUICK), (5_000, DEFAULT)),
        lambda x: round_trip(1, 1, x),
        20_000,
        besides={5_000: 0.6},
    ),
    *curve(
        "idle connections",
        "Round trips of 4 clients x 4 with 4 workers, while {} other peers are connected and say nothing.",
        ((10, DEFAULT), (100, DEFAULT), (1_000, DEFAULT), (10_000, DEFAULT)),
        lambda x: round_trip(4, 4, 4, idle=x),
        40_000,
        besides={10_000: 0.8},
    ),
    *curve(
        "delayed jobs waiting",
        "Round trips of 4 clients x 4 with 4 workers, while {} jobs of the same function are not due for an hour.",
        ((0, DEFAULT), (10, QUICK), (1_000, DEFAULT), (10_000, QUICK), (100_000, DEFAULT), (1_000_000, DEFAULT)),
        lambda x: round_trip(4, 4, 4, delayed=x),
        40_000,
        GEARMAN,
        besides={100_000: 0.4, 1_000_000: 4.0},
    ),
    *curve(
        "unique ids",
        "4 clients submit with 100 unanswered each, every job with a unique id of its own, {} such jobs queued before.",
        ((0, QUICK), (10_000, QUICK), (100_000, DEFAULT), (300_000, DEFAULT), (3_000_000, FULL)),
        lambda x: submit(4, 100, unique=36, queued=x),
        50_000,
        GEARMAN,
        ("gearmand", 100_000, TooMuch("to queue so many takes it 15 seconds each time", FULL)),
        ("gearmand", 300_000, TooMuch("to queue so many would take it a quarter of an hour each time")),
        besides={100_000: 1.0, 300_000: 1.0, 3_000_000: 5.0},
    ),
    *curve(
        "payload bytes",
        "4 clients submit with 4 unanswered each and 4 workers complete jobs of {} bytes, answered with as many.",
        ((0, DEFAULT), (64, DEFAULT), (1_024, DEFAULT), (16_384, DEFAULT), (65_536, DEFAULT), (1_048_576, DEFAULT)),
        lambda x: submit_and_drain(4, 4, 4, payload=x),
        40_000,
        ALL,
    ),
)
