#define _GNU_SOURCE
#include "outbox.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

/* Ours: how long a flush waits for a full socket in all. A shaped link drains the default send buffer in that time; beyond
 * it, packets are better lost than the other direction held up. */
enum { WAIT_MS = 5, WAITS_MAX = 4 };

enum { CONTROL = CMSG_SPACE(sizeof(struct in6_pktinfo)) + 2 * CMSG_SPACE(sizeof(int)) };

struct lf_outbox_message {
    union lf_sockaddr name;
    struct iovec vector;
    union {
        struct cmsghdr align;
        uint8_t bytes[CONTROL];
    } control;
};

bool lf_outbox_init(struct lf_outbox *outbox, struct lf_udp *udp)
{
    outbox->udp = udp;
    outbox->count = 0;
    outbox->messages = calloc(LF_BATCH, sizeof *outbox->messages);
    outbox->headers = calloc(LF_BATCH, sizeof *outbox->headers);
    return outbox->messages && outbox->headers;
}

void lf_outbox_close(struct lf_outbox *outbox)
{
    free(outbox->messages);
    free(outbox->headers);
    outbox->messages = NULL;
    outbox->headers = NULL;
}

static uint8_t *add_control(uint8_t *at, int level, int type, const void *value, size_t length)
{
    struct cmsghdr *control = (struct cmsghdr *)(void *)at;

    control->cmsg_level = level;
    control->cmsg_type = type;
    control->cmsg_len = (socklen_t)CMSG_LEN(length); /* its type differs from libc to libc */
    memcpy(CMSG_DATA(control), value, length);
    return at + CMSG_SPACE(length);
}

static socklen_t fill_control(uint8_t *start, const struct lf_source *source, int tos, int ttl)
{
    uint8_t *at = start;

    if (source->address.family == 4) {
        struct in_pktinfo info = {.ipi_ifindex = (int)source->ifindex};

        memcpy(&info.ipi_spec_dst, source->address.bytes, 4);
        at = add_control(at, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
        at = add_control(at, IPPROTO_IP, IP_TTL, &ttl, sizeof ttl);
        at = add_control(at, IPPROTO_IP, IP_TOS, &tos, sizeof tos);
    } else {
        struct in6_pktinfo info = {.ipi6_ifindex = source->ifindex};

        memcpy(&info.ipi6_addr, source->address.bytes, 16);
        at = add_control(at, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
        at = add_control(at, IPPROTO_IPV6, IPV6_HOPLIMIT, &ttl, sizeof ttl);
        at = add_control(at, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof tos);
    }
    return (socklen_t)(at - start);
}

void lf_outbox_add(struct lf_outbox *outbox, const struct lf_parcel *parcel, const struct lf_route *route,
                   const struct lf_packet *packet)
{
    struct lf_outbox_message *message = &outbox->messages[outbox->count];
    struct msghdr *header = &outbox->headers[outbox->count].msg_hdr;

    outbox->parcels[outbox->count++] = *parcel;
    message->vector = (struct iovec){.iov_base = parcel->datagram, .iov_len = parcel->length};
    *header = (struct msghdr){.msg_name = &message->name,
                              .msg_namelen =
                                  lf_sockaddr_make(&message->name, &route->locator->address, route->locator->port),
                              .msg_iov = &message->vector,
                              .msg_iovlen = 1,
                              .msg_control = message->control.bytes,
                              .msg_controllen =
                                  fill_control(message->control.bytes, route->source, packet->tos, packet->ttl)};
}

static void settle(const struct lf_parcel *parcel, bool sent, struct lf_pool *pool, struct lf_counters *counters,
                   uint64_t now_ms)
{
    if (sent) {
        size_t inner = parcel->length - LF_HEADER;

        lf_count(&counters->packets_out, 1);
        lf_count(&counters->bytes_out, inner);
        lf_count(&parcel->usage->packets, 1);
        lf_count(&parcel->usage->bytes, inner);
        atomic_store_explicit(&parcel->usage->last_ms, now_ms, memory_order_relaxed);
    } else {
        lf_count(&counters->drops[LF_SEND_FAILED], 1);
        lf_count(&parcel->usage->drops, 1);
    }
    lf_pool_give(pool, parcel->buffer);
}

void lf_outbox_flush(struct lf_outbox *outbox, struct lf_pool *pool, struct lf_counters *counters, uint64_t now_ms)
{
    struct pollfd writable = {.fd = outbox->udp->fd, .events = POLLOUT};
    unsigned done = 0, waits = 0;

    while (done < outbox->count) {
        int sent = sendmmsg(outbox->udp->fd, outbox->headers + done, outbox->count - done, 0);

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) && waits++ < WAITS_MAX) {
            (void)poll(&writable, 1, WAIT_MS);
            continue;
        }
        /* An error is about the first message alone. */
        for (int i = 0; i < sent; i++)
            settle(&outbox->parcels[done++], true, pool, counters, now_ms);
        if (sent <= 0)
            settle(&outbox->parcels[done++], false, pool, counters, now_ms);
    }
    outbox->count = 0;
}
