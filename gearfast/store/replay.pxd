# REPLAY   jobs of a store, back into a broker.

from gearfast.broker.broker cimport Broker

# Returns those that are not valid: (number, why). Raises MemoryError.
cdef list replay(Broker broker, list records)
