# COMPLAINT   what was found to be wrong while an input is played: the first thing counts, the rest may follow from it.

cdef bint telling                 # somebody wants to read what happens

cdef void complain(str text) noexcept
cdef bint complained() noexcept
cdef void tell(str text) noexcept # if `telling`
