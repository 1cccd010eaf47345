"""Results that come after their job was taken away are expected, and swallowed."""

from libc.stdlib cimport free, realloc
from libc.string cimport memmove


cdef void late_open(Late* late) noexcept nogil:
    late.lost = NULL
    late.count = late.room = 0


cdef void late_close(Late* late) noexcept nogil:
    free(late.lost)
    late_open(late)


cdef void forget(Late* late, int at) noexcept nogil:
    late.count -= 1
    memmove(late.lost + at, late.lost + at + 1, (late.count - at) * sizeof(Lost))
    if late.count == 0:
        late_close(late)


cdef void late_remember(Late* late, uint64_t number, bint failed, int most) noexcept nogil:
    cdef Lost* larger
    if most <= 0:
        return
    if late.count >= most:
        forget(late, 0)
    if late.count == late.room:
        larger = <Lost*>realloc(late.lost, (late.room * 2 + 4) * sizeof(Lost))
        if larger == NULL:
            return
        late.lost = larger
        late.room = late.room * 2 + 4
    late.lost[late.count] = Lost(number, failed)
    late.count += 1


cdef bint late_has(const Late* late, uint64_t number) noexcept nogil:
    cdef int at
    for at in range(late.count):
        if late.lost[at].number == number and not late.lost[at].failed:
            return True
    return False


cdef bint late_expects(Late* late, uint64_t number, bint is_fail, bint ends) noexcept nogil:
    cdef int at
    for at in range(late.count):
        if late.lost[at].number == number and (is_fail or not late.lost[at].failed):
            if ends:
                forget(late, at)
            return True
    return False
