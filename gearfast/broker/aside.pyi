"""Jobs that nobody has to do: dead letters, ended ones whose unique ids stay taken, and schedules."""

from gearfast.broker.estate import Estate

class Aside(Estate):
    """A broker's. Use `gearfast.broker.broker.Broker`, which is one."""
