# STAGE   a server, six players and time, as a script has them; and the rules that hold at the end of every play.

from libc.stdint cimport uint8_t

from gearfast.server.session cimport Service
from gearfast.server.turn cimport Turn

from tests.fuzz.loop cimport Loop
from tests.fuzz.player cimport Player, Second
from tests.fuzz.scene cimport Scene, scene_of
from tests.fuzz.script cimport Cell

# Play an input; `complaint` knows what was wrong.
cdef int play(const uint8_t* data, size_t size) except -1

cdef class Stage:
    cdef Scene scene
    cdef Loop loop
    cdef Service service
    cdef Turn turn
    cdef list players
    cdef Second second                        # reads from every other player; None: there is one thread
    cdef object timetable

    cdef int step(self, const Cell* cell) except -1
    cdef int step_of_time(self, const Cell* cell) except -1
    cdef int come(self, Player player) except -1
    cdef int pass_turn(self) except -1
    cdef int pass_seconds(self, double seconds) except -1
    cdef int rest(self) except -1             # until nobody has anything more to do
    cdef int let_all_speak(self) except -1
    cdef void settle(self, Player player)     # it has been told all that it is to be told
    cdef int clear(self) except -1            # everybody leaves, and nothing stays
    cdef int clear_aside(self) except -1
