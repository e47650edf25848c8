#include "peers.h"

#include <stddef.h>

/* Ours: entries looked at for one address. */
enum { WAYS = 8 };

static uint64_t load(const _Atomic(uint64_t) *value)
{
    return atomic_load_explicit(value, memory_order_relaxed);
}

/* Release on each field keeps it after the odd sequence, acquire on each load before the second look at it: without
 * fences, which sanitizers do not follow. */
static void replace(struct lf_peer *peer, const struct lf_address *address, uint64_t now_ms)
{
    uint64_t sequence = load(&peer->sequence);

    atomic_store_explicit(&peer->sequence, sequence + 1, memory_order_relaxed);
    atomic_store_explicit(&peer->high, lf_address_high(address), memory_order_release);
    atomic_store_explicit(&peer->low, lf_address_low(address), memory_order_release);
    atomic_store_explicit(&peer->family, address->family, memory_order_release);
    atomic_store_explicit(&peer->last_ms, now_ms, memory_order_release);
    atomic_store_explicit(&peer->sequence, sequence + 2, memory_order_release);
}

void lf_peers_heard(struct lf_peers *peers, const struct lf_address *address, uint64_t now_ms)
{
    uint64_t high = lf_address_high(address), low = lf_address_low(address);
    uint64_t start = ((high ^ low * 3) * UINT64_C(0x9e3779b97f4a7c15)) >> 48;
    struct lf_peer *oldest = NULL;

    for (unsigned i = 0; i < WAYS; i++) {
        struct lf_peer *peer = &peers->peer[(start + i) % LF_PEERS];

        if (load(&peer->high) == high && load(&peer->low) == low && load(&peer->family) == address->family) {
            atomic_store_explicit(&peer->last_ms, now_ms, memory_order_relaxed);
            return;
        }
        if (!oldest || load(&peer->last_ms) < load(&oldest->last_ms))
            oldest = peer;
    }
    replace(oldest, address, now_ms);
}

static void store_bytes(uint8_t *bytes, uint64_t value)
{
    for (int i = 7; i >= 0; i--, value >>= 8)
        bytes[i] = (uint8_t)value;
}

bool lf_peers_read(const struct lf_peers *peers, unsigned place, struct lf_address *address, uint64_t *last_ms)
{
    const struct lf_peer *peer = &peers->peer[place];
    uint64_t sequence = atomic_load_explicit(&peer->sequence, memory_order_acquire);
    uint64_t high = atomic_load_explicit(&peer->high, memory_order_acquire);
    uint64_t low = atomic_load_explicit(&peer->low, memory_order_acquire);
    uint64_t family = atomic_load_explicit(&peer->family, memory_order_acquire);

    *last_ms = atomic_load_explicit(&peer->last_ms, memory_order_acquire);
    if (family == 0 || (sequence & 1) || load(&peer->sequence) != sequence)
        return false;
    address->family = (uint8_t)family;
    store_bytes(address->bytes, high);
    store_bytes(address->bytes + 8, low);
    return true;
}
