/* Datagrams of one family on their way out: gathered, then sent in as few system calls as the kernel allows. */
#ifndef LF_OUTBOX_H
#define LF_OUTBOX_H

#include "counters.h"
#include "encap.h"
#include "pool.h"
#include "udp.h"

/* Ours: what one batch of the TUN brings. */
enum { LF_BATCH = 64 };

/* A datagram, and what is owed once it is sent: its buffer to the pool, its inner bytes to the prefix's count. */
struct lf_parcel {
    uint8_t *buffer;
    uint8_t *datagram;
    size_t length;
    struct lf_usage *usage;
};

struct lf_outbox {
    struct lf_udp *udp;
    unsigned count;
    struct lf_parcel parcels[LF_BATCH];
    struct lf_outbox_message *messages; /* LF_BATCH of them */
    struct mmsghdr *headers;
};

/* False where there is no memory. */
bool lf_outbox_init(struct lf_outbox *outbox, struct lf_udp *udp);
void lf_outbox_close(struct lf_outbox *outbox);

/* Puts an encapsulated packet in, from now on the outbox's. The outer header comes from the route's locator and source
 * and copies traffic class and TTL of the packet (RFC 9300 section 5.3, RFC 6040 normal mode). There must be room. */
void lf_outbox_add(struct lf_outbox *outbox, const struct lf_parcel *parcel, const struct lf_route *route,
                   const struct lf_packet *packet);

static inline bool lf_outbox_full(const struct lf_outbox *outbox)
{
    return outbox->count == LF_BATCH;
}

/* Sends everything, in order, and empties the outbox. What the kernel refuses is counted LF_SEND_FAILED; a full socket is
 * waited for, a few milliseconds at most. */
void lf_outbox_flush(struct lf_outbox *outbox, struct lf_pool *pool, struct lf_counters *counters, uint64_t now_ms);

#endif
