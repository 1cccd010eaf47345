# TIMETABLE   the schedules of a broker, for whoever knows calendars, and for an administrator.

cimport cython

from gearfast.broker.broker cimport Broker
from gearfast.broker.schedules cimport Schedule
from gearfast.ground.slice cimport Slice

@cython.final
cdef class Timetable:
    cdef Broker broker

    cdef Schedule* find(self, Slice handle) noexcept nogil       # NULL: it is none, or not known
    cdef tuple schedule_row(self, const Schedule* schedule)
