"""What is measured: each scenario has a name that carries its parameters, a sentence, and a way to be played."""

from benchmarks.scenarios import durable, growth, latency, memory, plain, standstill, trouble
from benchmarks.scenarios.scenario import Profile, Scenario

__all__ = ["SCENARIOS", "Profile", "Scenario"]

SCENARIOS: tuple[Scenario, ...] = (
    *plain.SCENARIOS,
    *durable.SCENARIOS,
    *latency.SCENARIOS,
    *growth.SCENARIOS,
    *standstill.SCENARIOS,
    *memory.SCENARIOS,
    *trouble.SCENARIOS,
)
