# FENCED   a session's answers that wait for the store: sent behind a fence, let go when it falls, written anew if it does not.

from gearfast.broker.job cimport Job
from gearfast.server.session cimport Service, Session

cdef int send_after_store(Session session, const Job* job) except -1    # JOB_CREATED
# The store has written something: whoever waited for that may be told.
cdef int pass_fences(Service service) except -1
