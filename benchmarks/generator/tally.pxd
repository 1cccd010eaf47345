# TALLY   latencies counted in buckets, 128 to a power of two, as benchmarks/latency.py reads them.

from libc.stdint cimport uint64_t

cdef extern from *:
    int leading_zeros "__builtin_clzll"(unsigned long long) noexcept nogil

cdef enum:
    BUCKETS = 7424          # 2**64 - 1 nanoseconds fall into the last one

cdef struct Tally:
    uint64_t counts[7424]

cdef inline int bucket_for(uint64_t nanoseconds) noexcept nogil:
    cdef int shift = 56 - leading_zeros(nanoseconds | 255)
    return shift * 128 + <int>(nanoseconds >> shift)

cdef inline void count(Tally* tally, uint64_t nanoseconds) noexcept nogil:
    tally.counts[bucket_for(nanoseconds)] += 1

cdef inline list counted(const Tally* tally):
    return [(bucket, tally.counts[bucket]) for bucket in range(BUCKETS) if tally.counts[bucket]]
