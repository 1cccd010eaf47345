"""Functions follow the rules. There is nothing here for Python."""

from libc.stdlib cimport free

from gearfast.broker.functions cimport function_has_work, functions_mark
from gearfast.broker.rotation cimport PRIORITIES
from gearfast.broker.rulebook cimport PAUSED, Rules, rulebook_find
from gearfast.ground.ring cimport ring_append, ring_leave


cdef bint gate_follow(Functions* functions, Function* function) noexcept nogil:
    cdef Rules* rules
    if not rulebook_find(&functions.book, function.name, &rules):
        return False
    free(function.rules)
    function.rules = rules
    set_paused(functions, function, rules != NULL and rules.gate == PAUSED)
    return True


cdef void set_paused(Functions* functions, Function* function, bint paused) noexcept nogil:
    cdef int priority
    if function.paused == paused:
        return
    function.paused = paused
    for priority in range(PRIORITIES):
        if function.lanes.lane[priority].count == 0:
            continue
        if paused:
            functions.busy[priority] -= 1
        else:
            functions_mark(functions, function, priority)
    ring_leave(&function.opened)
    if not paused and function_has_work(function):
        ring_append(&functions.opened, &function.opened)
        function.to_wake = function.lanes.lane[0].count + function.lanes.lane[1].count + function.lanes.lane[2].count
