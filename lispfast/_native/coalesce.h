/* Many packets of a flow into one that stands for them: TCP (v4 and v6) and UDP, without copying payload. */
#ifndef LF_COALESCE_H
#define LF_COALESCE_H

#include <sys/uio.h>

#include "frame.h"
#include "packet.h"

/* Ours. What one write to the TUN may stand for, and how many writes are gathered. */
enum { LF_MERGE_MAX = 128, LF_DELIVERIES = 64 };

/* One write: parts[0] is the virtio-net header, parts[1] the first packet, and the rest payload of those merged into it. */
struct lf_delivery {
    struct iovec parts[LF_MERGE_MAX + 1];
    unsigned count;   /* of parts */
    unsigned packets; /* merged, 1 for a packet alone */
    size_t bytes;     /* of those packets, headers and all, as they came */
    struct lf_vnet vnet;
    /* coalesce.c adds what it needs to compare. */
};

struct lf_coalescer {
    bool tcp, udp; /* what may be merged */
    unsigned count;
    struct lf_delivery deliveries[LF_DELIVERIES]; /* in the order of their first packets */
    /* coalesce.c adds an index by flow. */
};

void lf_coalesce_init(struct lf_coalescer *coalescer, bool tcp, bool udp);

/* Takes a packet that decapsulation passed: merged into the newest delivery of its flow or as a new one. It stays where it
 * is, and its memory has to stay until the reset. False where there is no room: write and reset, then try again. */
bool lf_coalesce_add(struct lf_coalescer *coalescer, const struct lf_packet *packet);

/* Makes every delivery ready to be written: lengths, checksums, virtio-net headers. */
void lf_coalesce_finish(struct lf_coalescer *coalescer);
void lf_coalesce_reset(struct lf_coalescer *coalescer);

#endif
