#include "ring.h"

#include <stddef.h>

/* Each side stores its own counter with release after it is done with the record, and loads the other's with acquire
 * before it touches the record. */

bool lf_ring_put(struct lf_ring *ring, const struct lf_punt *punt)
{
    uint32_t written = atomic_load_explicit(&ring->written, memory_order_relaxed);

    if (written - atomic_load_explicit(&ring->taken, memory_order_acquire) == LF_RING)
        return false;
    ring->punts[written % LF_RING] = *punt;
    atomic_store_explicit(&ring->written, written + 1, memory_order_release);
    return true;
}

const struct lf_punt *lf_ring_oldest(const struct lf_ring *ring)
{
    uint32_t taken = atomic_load_explicit(&ring->taken, memory_order_relaxed);

    if (atomic_load_explicit(&ring->written, memory_order_acquire) == taken)
        return NULL;
    return &ring->punts[taken % LF_RING];
}

void lf_ring_take(struct lf_ring *ring)
{
    uint32_t taken = atomic_load_explicit(&ring->taken, memory_order_relaxed);

    atomic_store_explicit(&ring->taken, taken + 1, memory_order_release);
}
