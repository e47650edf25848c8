#define _GNU_SOURCE
#include <errno.h>
#include <netinet/udp.h>
#include <poll.h>

#include "errqueue.h"
#include "message.h"

/* The way out of an outbox. Runs of one source port leave in their order, as consecutive runs of a flow do; the order of
 * flows among each other means nothing, so a port's runs go together. */

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

/* Ours: how long one wait for a full socket takes, and how many there are until the outbox is told that it may wait again.
 * A shaped link drains the send buffer in that time; beyond it, packets are better lost than the other direction held up.
 * And how often a send is repeated that met somebody else's error. */
enum { WAIT_MS = 5, WAITS_MAX = 4, REPEATS_MAX = 8 };

struct sending {
    struct lf_outbox *outbox;
    uint64_t now_ms;
    int fd;
    unsigned repeats;
};

static void settle(const struct sending *sending, const struct lf_run *run, unsigned datagrams, size_t bytes)
{
    struct lf_counters *counters = sending->outbox->counters;
    size_t inner = bytes - (size_t)datagrams * run->way.front;

    lf_count(&counters->packets_out, datagrams);
    lf_count(&counters->bytes_out, inner);
    lf_count(&run->way.usage->packets, datagrams);
    lf_count(&run->way.usage->bytes, inner);
    atomic_store_explicit(&run->way.usage->last_ms, sending->now_ms, memory_order_relaxed);
    lf_usage_changed(run->way.usage, sending->now_ms);
}

static void note(struct lf_outbox *outbox, const struct lf_trouble *trouble)
{
    if ((trouble->mtu || trouble->unreachable) && trouble->peer.family && outbox->troubles < LF_TROUBLES)
        outbox->trouble[outbox->troubles++] = *trouble;
}

/* What the kernel refused for good with this error. */
static void lose(const struct sending *sending, const struct lf_run *run, unsigned datagrams, int error)
{
    const enum lf_reason reason = error == EMSGSIZE ? LF_TOO_BIG : LF_SEND_FAILED;
    const struct lf_trouble trouble = {.peer = run->way.locator->address, .unreachable = true, .local = true};

    if (error == ENETUNREACH || error == EHOSTUNREACH)
        note(sending->outbox, &trouble);
    lf_count(&sending->outbox->counters->drops[reason], datagrams);
    lf_usage_drop(run->way.usage, datagrams, sending->now_ms);
}

/* How many errors there were about datagrams that had left before. */
static unsigned listen_to(struct lf_outbox *outbox, int fd)
{
    struct lf_trouble trouble;
    unsigned heard = 0;

    while (heard < LF_TROUBLES && lf_errqueue_take(fd, &trouble)) {
        heard += !trouble.local;
        note(outbox, &trouble);
        if (trouble.local)
            break;
    }
    return heard;
}

void lf_outbox_listen(struct lf_outbox *outbox, int fd)
{
    int pending;
    socklen_t length = sizeof pending;

    (void)listen_to(outbox, fd);
    (void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &pending, &length); /* an error without a text would stay for ever */
}

static void forget_segmentation(struct lf_outbox *outbox, uint32_t ifindex)
{
    if (lf_outbox_plain(outbox, ifindex))
        return;
    outbox->plain[outbox->plain_count++ % LF_PLAIN_DEVICES] = ifindex; /* interfaces come and go: the oldest gives way */
    outbox->lost_segmentation = true;
    outbox->lost_ifindex = ifindex;
}

/* What to do about a send that failed with `error`. */
enum answer { AGAIN, CUT, APART, GIVE_UP };

/* The kernel puts an error into the queue first and on the socket then: taken from the queue in between, it fails the next
 * send without a text. */
static bool somebody_elses(int error)
{
    return error == ECONNREFUSED || error == EHOSTUNREACH;
}

static enum answer judge(struct sending *sending, int error, unsigned datagrams)
{
    struct pollfd writable = {.fd = sending->fd, .events = POLLOUT};

    if (error == EINTR)
        return AGAIN;
    if (error == EAGAIN || error == EWOULDBLOCK) {
        if (sending->outbox->waits >= WAITS_MAX)
            return GIVE_UP;
        sending->outbox->waits++;
        lf_outbox_listen(sending->outbox, sending->fd); /* with an error pending, a wait would end at once */
        (void)poll(&writable, 1, WAIT_MS);
        return AGAIN;
    }
    if ((listen_to(sending->outbox, sending->fd) || somebody_elses(error)) && sending->repeats++ < REPEATS_MAX)
        return AGAIN;
    if (datagrams > 1 && error == EMSGSIZE)
        return CUT;
    if (datagrams > 1 && (error == EIO || error == EINVAL || error == EOPNOTSUPP || error == ENOPROTOOPT))
        return APART;
    return GIVE_UP;
}

static void fill_header(struct msghdr *header, struct lf_outbox_message *message, const struct lf_run *run,
                        struct iovec *parts, size_t count, bool several)
{
    size_t length = message->control_length;

    if (several) {
        uint16_t size = (uint16_t)run->size;

        length = lf_message_control(message, length, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof size);
    }
    *header = (struct msghdr){.msg_name = &message->name,
                              .msg_namelen = message->name_length,
                              .msg_iov = parts,
                              .msg_iovlen = count,
                              .msg_control = message->control.bytes,
                              .msg_controllen = length};
}

/* A part of a run: `datagrams` of it, from a byte on. */
struct stretch {
    struct lf_run *run;
    struct lf_outbox_message *message;
    size_t from;
    size_t bytes;
    unsigned datagrams;
};

/* The first `datagrams` of a stretch; the stretch keeps the rest. All but the last of a run are of one size. */
static struct stretch take_front(struct stretch *whole, unsigned datagrams)
{
    struct stretch front = *whole;

    if (datagrams < whole->datagrams) {
        front.datagrams = datagrams;
        front.bytes = datagrams * whole->run->size;
    }
    whole->from += front.bytes;
    whole->bytes -= front.bytes;
    whole->datagrams -= front.datagrams;
    return front;
}

/* Where the bytes of a stretch lie; how many parts that are. */
static unsigned find_parts(const struct stretch *stretch, struct iovec parts[LF_RUN_DATAGRAMS])
{
    const struct iovec *part = stretch->message->parts;
    size_t skip = stretch->from, left = stretch->bytes;
    unsigned count = 0;

    for (; skip >= part->iov_len; part++)
        skip -= part->iov_len;
    for (; left; part++, skip = 0) {
        size_t length = part->iov_len - skip < left ? part->iov_len - skip : left;

        parts[count++] = (struct iovec){(uint8_t *)part->iov_base + skip, length};
        left -= length;
    }
    return count;
}

/* Sends a stretch in pieces of at most `limit` datagrams, a system call each; smaller ones where that is still too big.
 * `apart`: because its run was refused as a run. Only once one of its datagrams goes alone was that for want of the
 * offload: a source address that has gone, and before Linux 6.14 a path that takes less, are EINVAL as well. */
static void send_pieces(struct sending *sending, struct stretch stretch, unsigned limit, bool apart)
{
    while (stretch.datagrams) {
        struct stretch whole = stretch;
        struct stretch piece = take_front(&stretch, limit);
        struct iovec parts[LF_RUN_DATAGRAMS];
        enum answer answer;
        struct msghdr header;

        fill_header(&header, piece.message, piece.run, parts, find_parts(&piece, parts), piece.datagrams > 1);
        if (sendmsg(sending->fd, &header, 0) >= 0) {
            settle(sending, piece.run, piece.datagrams, piece.bytes);
            if (apart && piece.datagrams == 1)
                forget_segmentation(sending->outbox, piece.run->way.source->ifindex);
            apart = apart && piece.datagrams > 1;
            continue;
        }

        int error = errno;

        answer = judge(sending, error, piece.datagrams);
        if (answer == GIVE_UP) {
            apart = false;
            lose(sending, piece.run, piece.datagrams, error);
            continue;
        }
        stretch = whole;
        if (answer == CUT)
            limit = piece.datagrams / 2;
        else if (answer == APART)
            limit = 1;
        apart = apart || answer == APART;
    }
}

/* Sends runs of one socket; each is one message. */
static void send_runs(struct sending *sending, const uint8_t *order, unsigned count)
{
    struct lf_outbox *outbox = sending->outbox;
    struct mmsghdr headers[LF_RUNS];
    unsigned done = 0;

    for (unsigned i = 0; i < count; i++) {
        struct lf_run *run = &outbox->runs[order[i]];
        struct lf_outbox_message *message = &outbox->messages[order[i]];

        fill_header(&headers[i].msg_hdr, message, run, message->parts, run->parts, run->datagrams > 1);
    }
    while (done < count) {
        int sent = sendmmsg(sending->fd, headers + done, count - done, 0), error = errno;

        for (int i = 0; i < sent; i++, done++)
            settle(sending, &outbox->runs[order[done]], outbox->runs[order[done]].datagrams,
                   outbox->runs[order[done]].bytes);
        if (sent > 0)
            continue;

        /* An error is about the first message alone. */
        struct lf_run *run = &outbox->runs[order[done]];
        struct stretch stretch = {run, &outbox->messages[order[done]], 0, run->bytes, run->datagrams};

        switch (judge(sending, error, run->datagrams)) {
        case AGAIN:
            continue;
        case CUT:
            send_pieces(sending, stretch, run->datagrams / 2, false);
            break;
        case APART:
            send_pieces(sending, stretch, 1, true);
            break;
        case GIVE_UP:
            lose(sending, run, run->datagrams, error);
            break;
        }
        done++;
    }
}

/* LISP-GPE keeps its checksum but by configuration (RFC 9305 section 4.3). */
static bool without_checksum(const struct lf_outbox *outbox, const struct lf_run *run)
{
    if (outbox->checksum == LF_CHECKSUM_AUTO)
        return run->datagrams == 1 && run->way.locator->form != LF_FORM_LISP_GPE;
    return outbox->checksum == LF_CHECKSUM_ZERO;
}

static void send_port(struct lf_outbox *outbox, const uint8_t *order, unsigned count, uint64_t now_ms)
{
    struct lf_port *port = &outbox->udp->ports[outbox->runs[order[0]].way.port];

    for (unsigned from = 0, to; from < count; from = to) {
        bool zero = without_checksum(outbox, &outbox->runs[order[from]]);
        struct sending sending = {.outbox = outbox, .now_ms = now_ms, .fd = zero ? port->alone : port->run};

        for (to = from + 1; to < count; to++)
            if (without_checksum(outbox, &outbox->runs[order[to]]) != zero)
                break;
        if (port->run == port->alone && port->zero != zero)
            lf_udp_set_zero(outbox->udp, port, zero);
        send_runs(&sending, order + from, to - from);
    }
}

void lf_outbox_flush(struct lf_outbox *outbox, uint64_t now_ms)
{
    bool gone[LF_RUNS] = {false};

    for (unsigned first = 0; first < outbox->count; first++) {
        uint8_t order[LF_RUNS];
        unsigned count = 0;

        if (gone[first])
            continue;
        for (unsigned i = first; i < outbox->count; i++)
            if (!gone[i] && outbox->runs[i].way.port == outbox->runs[first].way.port) {
                gone[i] = true;
                order[count++] = (uint8_t)i;
            }
        send_port(outbox, order, count, now_ms);
    }
    outbox->count = 0;
}
