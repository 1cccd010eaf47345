"""Jobs that nobody has to do: dead letters, ended ones whose unique ids stay taken, and schedules."""

from typing_extensions import disjoint_base

from gearfast.broker.estate import Estate

@disjoint_base
class Aside(Estate):
    """A broker's. Use `gearfast.broker.broker.Broker`, which is one."""
