#define _GNU_SOURCE
#include "outbox.h"

#include <stddef.h>
#include <stdlib.h>

#include "errqueue.h"
#include "message.h"

/* From RFC 768 and RFC 791: what fits one UDP datagram over IPv4; over IPv6 20 bytes more would fit. */
enum { RUN_BYTES = 65507 };

_Static_assert(CMSG_SPACE(sizeof(struct in6_pktinfo)) + 3 * CMSG_SPACE(sizeof(int)) <= LF_CONTROL, "control messages");

bool lf_outbox_init(struct lf_outbox *outbox, struct lf_udp *udp, const struct lf_options *options, unsigned segments,
                    struct lf_counters *counters)
{
    *outbox = (struct lf_outbox){.udp = udp,
                                 .counters = counters,
                                 .checksum = options->checksum,
                                 .segments = segments < LF_RUN_DATAGRAMS ? segments : LF_RUN_DATAGRAMS,
                                 .runs = calloc(LF_RUNS, sizeof *outbox->runs),
                                 .messages = calloc(LF_RUNS, sizeof *outbox->messages),
                                 .trouble = calloc(LF_TROUBLES, sizeof *outbox->trouble)};
    return outbox->runs && outbox->messages && outbox->trouble;
}

void lf_outbox_close(struct lf_outbox *outbox)
{
    free(outbox->runs);
    free(outbox->messages);
    free(outbox->trouble);
    outbox->runs = NULL;
    outbox->messages = NULL;
    outbox->trouble = NULL;
}

size_t lf_message_control(struct lf_outbox_message *message, size_t length, int level, int type, const void *value,
                          size_t size)
{
    struct cmsghdr *control = (struct cmsghdr *)(void *)(message->control.bytes + length);

    control->cmsg_level = level;
    control->cmsg_type = type;
    control->cmsg_len = CMSG_LEN(size);
    memcpy(CMSG_DATA(control), value, size);
    return length + CMSG_SPACE(size);
}

static void address_message(struct lf_outbox_message *message, const struct lf_way *way)
{
    const struct lf_source *source = way->source;
    const int tos = way->tos, ttl = way->ttl;
    size_t length;

    message->name_length = lf_sockaddr_make(&message->name, &way->locator->address, way->locator->port);
    if (source->address.family == 4) {
        struct in_pktinfo info = {.ipi_ifindex = (int)source->ifindex};

        memcpy(&info.ipi_spec_dst, source->address.bytes, 4);
        length = lf_message_control(message, 0, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
        length = lf_message_control(message, length, IPPROTO_IP, IP_TTL, &ttl, sizeof ttl);
        length = lf_message_control(message, length, IPPROTO_IP, IP_TOS, &tos, sizeof tos);
    } else {
        struct in6_pktinfo info = {.ipi6_ifindex = source->ifindex};

        memcpy(&info.ipi6_addr, source->address.bytes, 16);
        length = lf_message_control(message, 0, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
        length = lf_message_control(message, length, IPPROTO_IPV6, IPV6_HOPLIMIT, &ttl, sizeof ttl);
        length = lf_message_control(message, length, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof tos);
    }
    message->control_length = length;
}

static bool same_way(const struct lf_way *a, const struct lf_way *b)
{
    return a->locator == b->locator && a->source == b->source && a->usage == b->usage && a->tos == b->tos &&
           a->ttl == b->ttl && a->port == b->port;
}

/* Without traffic class and TTL: a flow that changes them, as ECN does, has its newest run here all the same, and joins no
 * older one. */
static unsigned slot_of(const struct lf_way *way)
{
    uint64_t hash = (uint64_t)(uintptr_t)way->locator >> 4 ^ (uint64_t)way->port << 48;

    return (unsigned)(hash * UINT64_C(0x9e3779b97f4a7c15) >> 58);
}

static unsigned run_limit(const struct lf_outbox *outbox, const struct lf_way *way)
{
    if (way->port == LF_PORTS_MAX) /* to be fragmented each by itself */
        return 1;
    return lf_outbox_plain(outbox, way->source->ifindex) ? 1 : outbox->segments;
}

static bool fits(const struct lf_outbox *outbox, const struct lf_run *run, const struct lf_way *way, size_t bytes)
{
    return !run->closed && bytes <= run->size && run->bytes + bytes <= RUN_BYTES &&
           run->datagrams < run_limit(outbox, way) && same_way(&run->way, way);
}

/* A new run; LF_RUNS where there is no room. Mostly it goes the way of the one before. */
static unsigned open_run(struct lf_outbox *outbox, const struct lf_way *way, unsigned slot, size_t bytes)
{
    unsigned at = outbox->count, before = outbox->newest;

    if (at == LF_RUNS)
        return LF_RUNS;
    if (at && same_way(&outbox->runs[before].way, way))
        memcpy(&outbox->messages[at], &outbox->messages[before], offsetof(struct lf_outbox_message, parts));
    else
        address_message(&outbox->messages[at], way);
    outbox->runs[at] = (struct lf_run){.way = *way, .size = bytes};
    outbox->slots[slot] = (uint8_t)at;
    outbox->newest = at;
    outbox->count++;
    return at;
}

/* The newest run that the way's datagrams may be in. A run that is older than the one in the slot cannot be: each new run
 * of a locator and port takes the slot. */
static unsigned run_for(struct lf_outbox *outbox, const struct lf_way *way, size_t bytes)
{
    unsigned slot;

    if (outbox->count && fits(outbox, &outbox->runs[outbox->newest], way, bytes))
        return outbox->newest;
    slot = slot_of(way);
    if (outbox->slots[slot] < outbox->count) {
        unsigned at = outbox->slots[slot];

        if (slot_of(&outbox->runs[at].way) == slot && fits(outbox, &outbox->runs[at], way, bytes))
            return at;
    }
    return open_run(outbox, way, slot, bytes);
}

bool lf_outbox_add(struct lf_outbox *outbox, const struct lf_way *way, uint8_t *datagram, size_t length)
{
    unsigned at = run_for(outbox, way, length);
    struct lf_run *run;
    struct iovec *part;

    if (at == LF_RUNS)
        return false;
    run = &outbox->runs[at];
    part = &outbox->messages[at].parts[run->parts];
    if (run->parts && (uint8_t *)part[-1].iov_base + part[-1].iov_len == datagram) {
        part[-1].iov_len += length;
    } else {
        *part = (struct iovec){datagram, length};
        run->parts++;
    }
    run->datagrams++;
    run->bytes += length;
    run->closed = length < run->size; /* only the last one may be short */
    return true;
}
