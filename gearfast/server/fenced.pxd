# FENCED   a session's answers that wait for the store: sent behind a fence, let go when it falls, written anew if it does not.

from gearfast.broker.job cimport Job
from gearfast.server.session cimport Service, Session

cdef bint send_after_store(Session session, const Job* job) noexcept nogil    # JOB_CREATED; False: there is no memory
# The store has written something: whoever waited for that may be told.
cdef void pass_fences(Service service) noexcept nogil
