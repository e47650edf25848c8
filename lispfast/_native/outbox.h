/* Datagrams of one family on their way out: gathered into runs that the kernel cuts (UDP_SEGMENT), then sent in as few
 * system calls as it allows. */
#ifndef LF_OUTBOX_H
#define LF_OUTBOX_H

#include "counters.h"
#include "encap.h"
#include "table.h"
#include "udp.h"

/* Ours: what is gathered between two flushes. 128 datagrams a run is the most that any kernel takes. */
enum { LF_RUNS = 64, LF_RUN_DATAGRAMS = 128 };

/* How a datagram leaves; equal ways may share a run. */
struct lf_way {
    const struct lf_locator *locator;
    const struct lf_source *source;
    struct lf_usage *usage;
    uint8_t tos;
    uint8_t ttl;
    uint8_t port;  /* which of the source ports, LF_PORTS_MAX for outer fragments */
    uint8_t front; /* bytes in front of the inner packet: LF_HEADER, with those of a tunnel inside */
};

/* Datagrams of one size, the last one maybe shorter. Those that lie one right behind the other are one part. */
struct lf_run {
    struct lf_way way;
    bool closed;
    size_t size;
    size_t bytes;
    unsigned datagrams;
    unsigned parts;
};

/* The interfaces that take no runs: a segment that the kernel would have to cut itself is EIO before Linux 6.11. */
enum { LF_PLAIN_DEVICES = 8 };

struct lf_outbox {
    struct lf_udp *udp;
    struct lf_counters *counters;
    enum lf_checksum_policy checksum;
    unsigned segments; /* datagrams in a run, at most */
    unsigned count;
    unsigned newest;
    uint8_t slots[LF_RUNS]; /* the newest run of each hash of locator and port */
    struct lf_run *runs;    /* LF_RUNS of each */
    struct lf_outbox_message *messages;
    unsigned waits; /* for a full socket, since the worker set it to 0 */
    uint32_t plain[LF_PLAIN_DEVICES];
    unsigned plain_count; /* counts up for ever */
    /* What a flush learnt, for its caller to take: an interface without runs, a path that takes less or leads nowhere. */
    bool lost_segmentation;
    uint32_t lost_ifindex;
    unsigned troubles;
    struct lf_trouble *trouble; /* LF_TROUBLES of them */
};

enum { LF_TROUBLES = 16 };

/* False where there is no memory. */
bool lf_outbox_init(struct lf_outbox *outbox, struct lf_udp *udp, const struct lf_options *options, unsigned segments,
                    struct lf_counters *counters);
void lf_outbox_close(struct lf_outbox *outbox);

/* Puts a datagram in, LISP header and all, which must stay where it is until the flush. The outer header comes from the
 * way: traffic class and TTL are copies of the packet's (RFC 9300 section 5.3, RFC 6040 normal mode). False where there is
 * no room: flush, then try again. */
bool lf_outbox_add(struct lf_outbox *outbox, const struct lf_way *way, uint8_t *datagram, size_t length);

/* Sends everything, each flow in order, and empties the outbox. A run that the kernel refuses for want of an offload, or as
 * too big, goes out in smaller parts; an error that the network left on the socket is taken away and the send repeated; a
 * full socket is waited for, a few milliseconds at most until `waits` is set to 0 again. What is refused after all is
 * counted. */
void lf_outbox_flush(struct lf_outbox *outbox, uint64_t now_ms);

/* Takes what the network says of earlier datagrams off a socket; once its error is pending. */
void lf_outbox_listen(struct lf_outbox *outbox, int fd);

/* Whether runs through an interface go out one datagram a message. */
static inline bool lf_outbox_plain(const struct lf_outbox *outbox, uint32_t ifindex)
{
    for (unsigned i = 0; i < outbox->plain_count && i < LF_PLAIN_DEVICES; i++)
        if (outbox->plain[i] == ifindex)
            return true;
    return false;
}

static inline bool lf_outbox_empty(const struct lf_outbox *outbox)
{
    return outbox->count == 0;
}

#endif
