"""All scripts, by what they are about."""

from __future__ import annotations

from tests.differential.script import Script
from tests.differential.scripts import admin, framing, limits, losing, results, submitting, workers

SCRIPTS: list[Script] = [
    script
    for collection in (
        framing.play,
        limits.play,
        workers.play,
        submitting.play,
        results.play,
        losing.play,
        admin.play,
    )
    for script in collection.scripts
]
