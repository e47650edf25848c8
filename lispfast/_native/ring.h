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
 * `destination` may have `value` bytes. LF_PUNT_PLAIN: the interface of index `value` takes no segmentation runs.
 * LF_PUNT_UNREACHABLE: the RLOC `destination` is said to be so. LF_PUNT_HEADER: the RLOC `destination` says `said` in the
 * header of a packet from the EID `source`. */
enum lf_punt_kind { LF_PUNT_MISS, LF_PUNT_PATH_MTU, LF_PUNT_PLAIN, LF_PUNT_UNREACHABLE, LF_PUNT_HEADER };

/* What a LISP header says beside the instance-ID: `flags` of enum lf_said, `field` of 24 bits, a nonce or the versions of
 * source and destination, 12 bits each, and the locator-status bits. What a flag does not announce is zero. */
enum lf_said { LF_SAID_NONCE = 0x80, LF_SAID_STATUS = 0x40, LF_SAID_ECHO = 0x20, LF_SAID_VERSION = 0x10 };
struct lf_saying {
    uint32_t field;
    uint32_t status;
    uint8_t flags;
};

/* `when_ns` puts the punts of several workers in order. */
struct lf_punt {
    enum lf_punt_kind kind;
    struct lf_address destination;
    struct lf_address source;
    uint32_t iid;
    uint32_t value;
    struct lf_saying said;
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
