# AUDIT   walks through all that a broker holds, and complains of every count and link that does not fit the rest.

from gearfast.broker.broker cimport Broker

cdef void audit(Broker broker) noexcept
# Nobody takes part any more, no job is left, and what was known for a while has been forgotten.
cdef void audit_empty(Broker broker) noexcept
