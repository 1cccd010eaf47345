"""What an operator says of functions. There is nothing here for Python."""

from libc.stdlib cimport malloc
from libc.string cimport memcpy, memset

from gearfast.ground.glob cimport glob_matches
from gearfast.protocol.parameters cimport parameters_merge


cdef bint rulebook_find(const RuleBook* book, Slice name, Rules** found) noexcept nogil:
    cdef Rules rules
    cdef const Rule* rule
    cdef bint fits = False
    cdef size_t at
    found[0] = NULL
    memset(&rules, 0, sizeof(Rules))
    for at in range(book.count):
        rule = &book.rules[at]
        if not glob_matches(rule.pattern, name):
            continue
        fits = True
        parameters_merge(&rules.asked, &rule.asked)
        if rule.gate != UNSAID:
            rules.gate, rules.reason = rule.gate, rule.reason
    if not fits:
        return True
    found[0] = copied(&rules)
    return found[0] != NULL


cdef Rules* copied(const Rules* rules) noexcept nogil:
    """With the bytes that it points to."""
    cdef Rules* copy = <Rules*>malloc(sizeof(Rules) + rules.reason.size + rules.asked.tz.size)
    cdef char* at = <char*>(copy + 1)
    if copy == NULL:
        return NULL
    copy[0] = rules[0]
    if rules.reason.size > 0:
        memcpy(at, rules.reason.data, rules.reason.size)
        copy.reason.data = at
        at += rules.reason.size
    if rules.asked.tz.size > 0:
        memcpy(at, rules.asked.tz.data, rules.asked.tz.size)
        copy.asked.tz.data = at
    return copy
