#include "counters.h"

static uint64_t load(const _Atomic(uint64_t) *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

void lf_counters_add(struct lf_totals *totals, const struct lf_counters *counters)
{
    for (unsigned i = 0; i < LF_REASONS; i++)
        totals->drops[i] += load(&counters->drops[i]);
    totals->packets_out += load(&counters->packets_out);
    totals->bytes_out += load(&counters->bytes_out);
    totals->packets_in += load(&counters->packets_in);
    totals->bytes_in += load(&counters->bytes_in);
    totals->punts += load(&counters->punts);
    totals->staged += load(&counters->staged);
}
