/* What one worker counts. Only the worker writes; anybody reads at any time. */
#ifndef LF_COUNTERS_H
#define LF_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

#include "reasons.h"

struct lf_counters {
    _Atomic(uint64_t) drops[LF_REASONS];
    _Atomic(uint64_t) packets_out, bytes_out; /* inner packets and bytes that the kernel took */
    _Atomic(uint64_t) packets_in, bytes_in;
    _Atomic(uint64_t) punts;
    _Atomic(uint64_t) staged;
};

/* A reading, and the sum of several. */
struct lf_totals {
    uint64_t drops[LF_REASONS];
    uint64_t packets_out, bytes_out, packets_in, bytes_in, punts, staged;
};

void lf_counters_add(struct lf_totals *totals, const struct lf_counters *counters);

/* For the owner: no need of an atomic addition. */
static inline void lf_count(_Atomic(uint64_t) *counter, uint64_t more)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + more, memory_order_relaxed);
}

#endif
