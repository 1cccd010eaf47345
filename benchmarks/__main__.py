"""`python -m benchmarks`: server CPU per job, gearfast beside Debian's gearmand, in one run.

A first smoke benchmark: rounds in turn, medians, all answers checked.
"""

import argparse
import statistics
import sys
import time

from benchmarks.load import cpu_seconds
from benchmarks.scenarios import SCENARIOS, Scenario
from benchmarks.subjects import Subject, gearfast, gearmand


def measure(subject: Subject, scenario: Scenario, share: float) -> tuple[float, float]:
    """Play a scenario once on a fresh server; return (server CPU microseconds per job, jobs per second)."""
    jobs = max(int(scenario.jobs * share) // 100 * 100, 100)
    with subject.running() as (port, pid):
        if scenario.before is not None:
            scenario.before(port, jobs)
        cpu, clock = cpu_seconds(pid), time.perf_counter()
        scenario.play(port, jobs)
        return (cpu_seconds(pid) - cpu) / jobs * 1e6, jobs / (time.perf_counter() - clock)


def main() -> int:
    """Run the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="rounds per scenario, subjects in turn (default: 3)")
    parser.add_argument("--share", type=float, default=1.0, help="this share of each scenario's jobs (default: 1)")
    parser.add_argument("--only", default="", help="scenarios whose name contains this")
    asked = parser.parse_args()
    subjects = [gearfast(), gearmand()]
    for subject in subjects:
        if subject.missing:
            print(f"{subject.label}: {subject.missing}", file=sys.stderr)
    subjects = [subject for subject in subjects if not subject.missing]
    print(f"{'server CPU, us per job (jobs/s)':34}" + "".join(f"{subject.label:>24}" for subject in subjects))
    for scenario in SCENARIOS:
        if asked.only not in scenario.name:
            continue
        rounds = [[measure(subject, scenario, asked.share) for subject in subjects] for _ in range(asked.rounds)]
        cells = []
        for column in zip(*rounds, strict=True):
            cpu, rate = (statistics.median(figures) for figures in zip(*column, strict=True))
            cells.append(f"{cpu:>14.2f} ({rate:>7,.0f})")
        print(f"{scenario.name:34}" + "".join(cells), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
