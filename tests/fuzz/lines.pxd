# LINES   of administrators: what kind of answer each of them is to get (protocol section 4).

from gearfast.ground.slice cimport Slice

from tests.fuzz.kinds cimport Owed

cdef enum:
    COMMANDS = 53
    NAMED = 20            # of the first of them the word is a function's name, of the others a handle

cdef Owed answer_to(Slice line) noexcept nogil           # NOTHING: the connection is closed
# A line for a player to say: a command, and a word that stands in it (a function, a handle).
cdef Slice line_of(int command, Slice word, char* room) noexcept nogil
