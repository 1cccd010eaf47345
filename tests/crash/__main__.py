"""`python -m tests.crash` runs a campaign, prints what came of it, and ends with 1 if anything is wrong."""

from __future__ import annotations

import argparse
import random
import sys
from pathlib import Path

from tests.crash.campaign import STORES, Campaign, Plan
from tests.crash.sabotage import KINDS


def main() -> int:
    """Read the command line and do it."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--kills", type=int, default=2000)
    parser.add_argument("--store", choices=sorted(STORES), default="sqlite")
    parser.add_argument("--durability", choices=["full", "normal", "off"], default="full")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32), help="of an earlier campaign")
    parser.add_argument("--lives", type=int, default=100, help="kills in one world before a new one begins")
    parser.add_argument("--early", type=float, default=0.2, help="the part of the kills before the server serves")
    parser.add_argument("--late", type=float, default=0.1, help="the part of the others while it stops in order")
    parser.add_argument("--longest", type=float, default=0.3, help="seconds of the longest life after that")
    parser.add_argument("--replay", type=float, default=0.1, help="the part of the kills with many jobs to replay")
    parser.add_argument("--many", type=int, default=100_000, help="so many")
    parser.add_argument("--real", type=float, default=0.1, help="the part of the starts that do all their imports")
    parser.add_argument("--seconds", type=float, default=1e9, help="after which no new life begins")
    parser.add_argument("--power-cuts", action="store_true", help="what is not on the disk is lost with every kill")
    parser.add_argument("--large", type=float, default=0.01, help="the part of the payloads that are large")
    parser.add_argument("--sabotage", choices=sorted(KINDS), default="", help="break the store on purpose")
    parser.add_argument("--json", type=Path, help="write the figures there too")
    given = vars(parser.parse_args())
    report: Path | None = given.pop("json")
    plan = Plan(**given)
    print(f"seed {plan.seed}", flush=True)
    outcome = Campaign(plan).run()
    print(outcome.text())
    if report is not None:
        report.write_text(outcome.json() + "\n")
    return 1 if outcome.complaints else 0


if __name__ == "__main__":
    sys.exit(main())
