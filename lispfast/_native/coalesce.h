/* Many packets of a flow into one that stands for them: TCP (v4 and v6) and UDP, without copying payload. */
#ifndef LF_COALESCE_H
#define LF_COALESCE_H

#include <sys/uio.h>

#include "frame.h"
#include "packet.h"

/* Ours. What one write to the TUN may stand for, and how many writes are gathered; the places of the index by flow, so
 * many that as many flows as deliveries seldom meet. */
enum { LF_MERGE_MAX = 128, LF_DELIVERIES = 64, LF_FLOW_PLACES = 1024 };

/* One write: parts[0] is the virtio-net header, parts[1] the first packet, and the rest payload of those merged into it. */
struct lf_delivery {
    unsigned count;   /* of parts */
    unsigned packets; /* merged, 1 for a packet alone */
    size_t bytes;     /* of those packets, headers and all, as they came */
    struct lf_vnet vnet;
    /* coalesce.c's own up to the parts. */
    bool tcp;            /* or UDP */
    bool verified;       /* the first packet's checksum is right */
    bool push;           /* the last packet had PSH */
    uint8_t transport;   /* where the transport header begins */
    uint8_t headers;     /* bytes in front of the payload */
    uint16_t size;       /* payload of each packet but the last */
    uint16_t length;     /* of the packet that stands for all */
    uint64_t pseudo_sum; /* of the pseudo header without its length, where verified */
    struct iovec parts[LF_MERGE_MAX + 1];
};

struct lf_coalescer {
    bool tcp, udp; /* what may be merged */
    unsigned count;
    /* coalesce.c's own up to the deliveries. */
    unsigned closed;                              /* so many deliveries, the oldest, take no more */
    uint8_t flows[LF_FLOW_PLACES];                /* by flow hash: 1 + the delivery that is open for it, 0 for none */
    struct lf_delivery deliveries[LF_DELIVERIES]; /* in the order of their first packets */
};

void lf_coalesce_init(struct lf_coalescer *coalescer, bool tcp, bool udp);

/* Takes a packet that decapsulation passed: merged into the newest delivery of its flow or as a new one. It stays where it
 * is, and its memory has to stay until the reset. False where there is no room: write and reset, then try again. */
bool lf_coalesce_add(struct lf_coalescer *coalescer, const struct lf_packet *packet);

/* Makes every delivery ready to be written: lengths, checksums, virtio-net headers. */
void lf_coalesce_finish(struct lf_coalescer *coalescer);
void lf_coalesce_reset(struct lf_coalescer *coalescer);

#endif
