"""The servers that are measured, one file each: found, started on a port, stopped."""

from benchmarks.subjects.beanstalkd import Beanstalkd
from benchmarks.subjects.gearfast import Gearfast
from benchmarks.subjects.gearmand import Gearmand
from benchmarks.subjects.limit import Limit
from benchmarks.subjects.subject import MissingError, StartError, Subject

__all__ = ["SUBJECTS", "Gearfast", "Gearmand", "Limit", "MissingError", "StartError", "Subject"]

SUBJECTS: tuple[type[Subject], ...] = (Gearfast, Gearmand, Limit, Beanstalkd)
