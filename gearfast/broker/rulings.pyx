"""The book of rules of a broker."""

from libc.stdlib cimport calloc, free
from libc.string cimport memset

from gearfast.broker.functions cimport Function, function_of_node
from gearfast.broker.gate cimport gate_follow
from gearfast.broker.rulebook cimport DRAINED, OPEN, PAUSED, UNSAID, Gate, Rule, RuleBook
from gearfast.protocol.parameters cimport FOR_FUNCTION, Mistake, Parameters, parameters_read
from gearfast.ground.index cimport Cursor, Node, cursor_number, cursor_of, index_scan
from gearfast.ground.slice cimport Slice, slice_of

cdef enum:
    LOOKS = 1 << 20           # at a byte of a pattern, and
    TAKEN = LOOKS // 256      # those that a function costs in any case, for one step

cdef dict GATES = {None: UNSAID, "open": OPEN, "paused": PAUSED, "drained": DRAINED}


cdef class Rulings:
    def __cinit__(self, Broker broker not None):
        self.broker = broker

    def set(self, list rules not None):
        cdef RuleBook* book = &self.broker.functions.book
        cdef list texts = list(rules)              # which the book points into
        cdef Rule* made = <Rule*>calloc(len(texts) + 1, sizeof(Rule))
        cdef bytes pattern, text, reason
        cdef Mistake mistake
        cdef size_t at = 0, once = 0, each = 0
        if made == NULL:
            raise MemoryError("no memory for rules")
        try:
            for pattern, text, gate, reason in texts:
                made[at].pattern, made[at].gate, made[at].reason = slice_of(pattern), <Gate><int>GATES[gate], slice_of(reason)
                if text and not parameters_read(slice_of(text), FOR_FUNCTION, &made[at].asked, &mistake):
                    memset(&made[at].asked, 0, sizeof(Parameters))        # a mistake says nothing
                once += len(pattern) + 1
                each += len(pattern) if b"*" in pattern else 0
                at += 1
            self.broker.enter()
        except BaseException:
            free(made)
            raise
        free(book.rules)
        book[0] = RuleBook(made, at, once, each)
        self.broker.rest()
        self.broker.rule_texts = texts

    def apply(self, start):
        cdef Cursor cursor = cursor_of(start)
        cdef const RuleBook* book = &self.broker.functions.book
        cdef Function* function
        cdef Node* found
        cdef size_t spent = 0
        cdef bint done = True
        self.broker.enter()
        while spent < LOOKS and index_scan(&self.broker.functions.names, &cursor, &found, 1) == 1:
            function = function_of_node(found)
            done = gate_follow(&self.broker.functions, function) and done
            spent += TAKEN + book.once + book.each * function.name.size
            if cursor.hash == 0 and cursor.node == 0:
                break
        self.broker.rest()
        if not done:
            raise MemoryError("no memory for the rules of a function")
        return cursor_number(cursor)
