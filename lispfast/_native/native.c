#define _GNU_SOURCE
#include "native.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "errqueue.h"
#include "fragment.h"
#include "segment.h"
#include "worker.h"

/* From RFC 8200 section 5: what any path takes, where the kernel does not say what this one does. */
enum { LEAST_MTU = 1280 };

/* Ours: errors read to find the one about the packet in hand. */
enum { ERRORS_READ = 8, CONTROL = 64 };

/* What came of a packet. */
enum outcome { LEFT, NO_WAY, TOO_LONG, REFUSED };

/* A frame on its way: of the packets that it stands for, how many came to what. */
struct leaving {
    struct lf_worker *worker;
    struct lf_usage *usage;
    int fd;
    uint32_t ifindex;
    bool answered; /* one ICMP answer for a frame is enough */
};

void lf_native_clear(struct lf_native *native)
{
    *native = (struct lf_native){.fd = {-1, -1}};
}

int lf_native_open(struct lf_native *native)
{
    static const struct {
        int domain, level, name;
    } families[2] = {{AF_INET, IPPROTO_IP, IP_RECVERR}, {AF_INET6, IPPROTO_IPV6, IPV6_RECVERR}};
    const int on = 1;

    for (unsigned i = 0; i < 2; i++) {
        /* IPPROTO_RAW: it only sends, and the IP header is ours. */
        int fd = socket(families[i].domain, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_RAW);

        if (fd < 0 && errno != EAFNOSUPPORT)
            return errno;
        native->fd[i] = fd;
        if (fd >= 0 && setsockopt(fd, families[i].level, families[i].name, &on, sizeof on))
            return errno;
    }
    return 0;
}

void lf_native_close(struct lf_native *native)
{
    for (unsigned i = 0; i < 2; i++)
        if (native->fd[i] >= 0)
            close(native->fd[i]);
    lf_native_clear(native);
}

/* The interfaces follow a move by the transaction that stores the slot. */
static void find_exits(struct lf_native *native, struct lf_view view)
{
    if (native->pin == view.pin)
        return;
    native->pin = view.pin;
    native->exit[0] = native->exit[1] = 0;
    for (unsigned slot = LF_SLOTS; slot-- > 0;) {
        const struct lf_source *source = lf_table_source(view, slot);

        if (source && source->ifindex)
            native->exit[source->address.family == 6] = source->ifindex;
    }
}

static socklen_t name_interface(struct msghdr *header, uint8_t family, uint32_t ifindex)
{
    struct cmsghdr *control = header->msg_control;
    const struct in_pktinfo info4 = {.ipi_ifindex = (int)ifindex};
    const struct in6_pktinfo info6 = {.ipi6_ifindex = ifindex};
    const size_t size = family == 4 ? sizeof info4 : sizeof info6;

    control->cmsg_level = family == 4 ? IPPROTO_IP : IPPROTO_IPV6;
    control->cmsg_type = family == 4 ? IP_PKTINFO : IPV6_PKTINFO;
    control->cmsg_len = CMSG_LEN(size);
    memcpy(CMSG_DATA(control), family == 4 ? (const void *)&info4 : (const void *)&info6, size);
    return (socklen_t)CMSG_SPACE(size);
}

static enum outcome judge(int error)
{
    if (error == EMSGSIZE)
        return TOO_LONG;
    if (error == ENETUNREACH || error == EHOSTUNREACH || error == ENODEV || error == ENXIO || error == ENETDOWN)
        return NO_WAY;
    return REFUSED;
}

static enum outcome send_packet(const struct leaving *leaving, const struct lf_packet *packet)
{
    union {
        struct cmsghdr align;
        uint8_t bytes[CONTROL];
    } room = {.bytes = {0}};
    union lf_sockaddr name;
    struct iovec vector = {packet->data, packet->length};
    struct msghdr header = {.msg_name = &name,
                            .msg_namelen = lf_sockaddr_make(&name, &packet->destination, 0),
                            .msg_iov = &vector,
                            .msg_iovlen = 1,
                            .msg_control = room.bytes};
    struct lf_counters *counters = &leaving->worker->counters;

    header.msg_controllen = name_interface(&header, packet->family, leaving->ifindex);
    while (sendmsg(leaving->fd, &header, 0) < 0)
        if (errno != EINTR)
            return judge(errno);
    lf_count(&counters->packets_out, 1);
    lf_count(&counters->bytes_out, packet->length);
    lf_count(&leaving->usage->packets, 1);
    lf_count(&leaving->usage->bytes, packet->length);
    atomic_store_explicit(&leaving->usage->last_ms, leaving->worker->now_ms, memory_order_relaxed);
    lf_usage_changed(leaving->usage, leaving->worker->now_ms);
    return LEFT;
}

/* What the interface takes, as the kernel said when it refused. */
static size_t mtu_of(int fd)
{
    struct lf_trouble trouble;
    size_t mtu = LEAST_MTU;

    for (unsigned i = 0; i < ERRORS_READ && lf_errqueue_take(fd, &trouble); i++)
        if (trouble.mtu)
            mtu = trouble.mtu;
    return mtu;
}

static void lose(struct leaving *leaving, enum lf_reason reason)
{
    lf_worker_drop(leaving->worker, reason, 1);
    lf_usage_drop(leaving->usage, 1, leaving->worker->now_ms);
}

static void send_fragments(struct leaving *leaving, struct lf_fragments *fragments, const struct lf_packet *packet,
                           size_t mtu)
{
    for (size_t i = 0; i < fragments->count; i++) {
        struct lf_packet part = *packet;

        part.data = lf_depart_scratch(leaving->worker, mtu);
        part.length = lf_fragments_next(fragments, part.data);
        if (send_packet(leaving, &part) != LEFT)
            lose(leaving, LF_SEND_FAILED);
    }
}

static void split_or_answer(struct leaving *leaving, const struct lf_packet *packet)
{
    const size_t mtu = mtu_of(leaving->fd);
    struct lf_fragments fragments;
    uint8_t message[LF_ICMP_MAX];

    if (packet->length > mtu && lf_fragments_begin(&fragments, packet, mtu)) {
        send_fragments(leaving, &fragments, packet, mtu);
        return;
    }
    if (!leaving->answered)
        lf_depart_answer(leaving->worker, message, lf_icmp_too_big(message, packet, mtu));
    leaving->answered = true;
    lose(leaving, LF_TOO_BIG);
}

/* False where there is no way for it. */
static bool send_one(struct leaving *leaving, const struct lf_packet *packet)
{
    switch (send_packet(leaving, packet)) {
    case LEFT:
        return true;
    case NO_WAY:
        return false;
    case TOO_LONG:
        split_or_answer(leaving, packet);
        return true;
    case REFUSED:
        break;
    }
    lose(leaving, LF_SEND_FAILED);
    return true;
}

static bool send_many(struct leaving *leaving, const struct lf_frame *frame, const struct lf_packet *packet)
{
    struct lf_worker *worker = leaving->worker;
    struct lf_segments segments;
    uint8_t *data;

    if (!lf_segments_begin(&segments, frame, packet)) {
        lose(leaving, LF_INNER_MALFORMED);
        return true;
    }
    for (size_t i = 0; i < segments.count; i++) {
        struct lf_packet segment;
        const size_t mark = worker->mark;
        bool way = true;

        data = lf_depart_scratch(worker, segments.largest);
        worker->mark = worker->arena.used; /* so that its fragments do not take its place */
        if (lf_packet_parse(&segment, data, lf_segments_next(&segments, data)) == LF_PARSE_OK)
            way = send_one(leaving, &segment);
        worker->mark = worker->arena.used = mark;
        if (way)
            continue;
        if (i == 0)
            return false;
        lose(leaving, LF_NATIVE_UNAVAILABLE);
    }
    return true;
}

bool lf_native_depart(struct lf_worker *worker, const struct lf_frame *frame, struct lf_packet *packet,
                      struct lf_prefix *prefix)
{
    struct lf_native *native = &worker->native;
    const unsigned six = packet->family == 6;
    struct leaving leaving = {.worker = worker,
                              .usage = lf_table_usage_of(worker->table, prefix, worker->number),
                              .fd = native->fd[six]};

    if (leaving.fd < 0)
        return false;
    find_exits(native, worker->view);
    leaving.ifindex = native->exit[six];
    if (!leaving.ifindex)
        return false;
    return frame->gso == LF_GSO_NONE ? send_one(&leaving, packet) : send_many(&leaving, frame, packet);
}
