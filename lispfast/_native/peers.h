/* Which outer sources packets came from lately: one worker's, bounded, read by the control thread meanwhile. */
#ifndef LF_PEERS_H
#define LF_PEERS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "address.h"

/* Ours: correspondents that a roaming node could have to tell; a power of two. */
enum { LF_PEERS = 256 };

/* `sequence` is odd while the address changes. */
struct lf_peer {
    _Atomic(uint64_t) sequence;
    _Atomic(uint64_t) high, low;
    _Atomic(uint64_t) family;
    _Atomic(uint64_t) last_ms;
};

struct lf_peers {
    struct lf_peer peer[LF_PEERS];
};

/* For the worker: a packet came from this address; the longest unheard among a few gives way. */
void lf_peers_heard(struct lf_peers *peers, const struct lf_address *address, uint64_t now_ms);

/* For the control thread: the entry at `place`, false where it is empty or changing. */
bool lf_peers_read(const struct lf_peers *peers, unsigned place, struct lf_address *address, uint64_t *last_ms);

#endif
