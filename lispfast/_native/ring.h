/* Punts on their way from one worker to the control thread: bounded, one writer, one reader, no locks. */
#ifndef LF_RING_H
#define LF_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "address.h"

/* Ours: more EIDs than a stage holds; a power of two. */
enum { LF_RING = 1024 };

/* LF_PUNT_MISS: a packet for `destination` from `source` waits in a stage. LF_PUNT_PATH_MTU: packets to the RLOC
 * `destination` may have `value` bytes. LF_PUNT_PLAIN: the interface of index `value` takes no segmentation runs. */
enum lf_punt_kind { LF_PUNT_MISS, LF_PUNT_PATH_MTU, LF_PUNT_PLAIN };

/* `when_ns` puts the punts of several workers in order. */
struct lf_punt {
    enum lf_punt_kind kind;
    struct lf_address destination;
    struct lf_address source;
    uint32_t iid;
    uint32_t value;
    uint64_t when_ns;
};

struct lf_ring {
    _Alignas(64) _Atomic(uint32_t) written; /* counts up for ever, as does `taken` */
    _Alignas(64) _Atomic(uint32_t) taken;
    struct lf_punt punts[LF_RING];
};

/* For the worker: false where the ring is full. */
bool lf_ring_put(struct lf_ring *ring, const struct lf_punt *punt);

/* For the control thread: the oldest punt, NULL for none; `take` gives its place back. */
const struct lf_punt *lf_ring_oldest(const struct lf_ring *ring);
void lf_ring_take(struct lf_ring *ring);

#endif
