#define _GNU_SOURCE
#include "clamp.h"
#include "encap.h"
#include "errqueue.h"
#include "fragment.h"
#include "segment.h"
#include "steer.h"
#include "tunnel.h"
#include "worker.h"

/* From a frame with a locator to datagrams in an outbox. What fits the path goes as it is, a frame that stands for many
 * packets is cut. What does not fit (RFC 9300 section 7):
 *
 *   IPv4 that may be fragmented      split, each part encapsulated (section 7.1)
 *   up to 1,280 bytes                encapsulated whole, the outer packet fragmented, on a path of its own: IPv6 senders go
 *                                    no lower, and a path may leave less
 *   everything else                  dropped and answered: fragmentation needed, or packet too big
 *
 * A packet that enters another tunnel first gets that one's headers in the same place, in front, and its path takes less by
 * as much: so segments of one size are datagrams of one size all the same, and fragments too.
 */

/* From RFC 8200 section 5; and what stands in front of an inner packet. */
enum { LEAST_MTU = 1280, OUTER4 = 20 + 8 + LF_HEADER, OUTER6 = 40 + 8 + LF_HEADER };

/* Ours: memory taken at once for segments; what a frame and its headers come to, mostly. No segment is longer. */
enum { STRETCH = 80 << 10 };

_Static_assert(LF_HEADER + LF_TUNNEL6 <= LF_HEADROOM, "both headers in front of a packet");

/* An outbound packet's way, how many bytes of inner packet it takes, and the tunnel that it enters first, if any. */
struct passage {
    struct lf_outbox *outbox;
    struct lf_way way;
    size_t room;
    struct lf_entrance entrance;
};

static size_t told_mtu(const struct passage *passage)
{
    return passage->room < LEAST_MTU ? LEAST_MTU : passage->room;
}

uint8_t *lf_depart_scratch(struct lf_worker *worker, size_t size)
{
    if (lf_arena_room(&worker->arena) < size + 16) {
        lf_depart_flush(worker);
        worker->arena.used = worker->mark;
    }
    return lf_arena_take(&worker->arena, size);
}

static void put(struct lf_worker *worker, const struct passage *passage, bool fragmented, uint8_t *datagram,
                size_t length)
{
    struct lf_way way = passage->way;

    if (fragmented)
        way.port = LF_PORTS_MAX;
    while (!lf_outbox_add(passage->outbox, &way, datagram, length))
        lf_depart_flush(worker);
}

/* Fills the bytes in front of an inner packet of `length` bytes and this family. */
static void write_front(const struct passage *passage, uint8_t *datagram, size_t length, uint8_t family)
{
    const struct lf_locator *inside = passage->entrance.tunnel;

    if (inside) {
        lf_tunnel_write(&passage->entrance, datagram + LF_HEADER, length, family);
        family = inside->address.family;
    }
    lf_encap_header(datagram, passage->way.locator, family);
}

/* A packet with headroom in front of it. */
static void put_packet(struct lf_worker *worker, const struct passage *passage, const struct lf_packet *packet)
{
    uint8_t *datagram = packet->data - passage->way.front;

    write_front(passage, datagram, packet->length, packet->family);
    put(worker, passage, packet->length > passage->room, datagram, passage->way.front + packet->length);
}

void lf_depart_answer(struct lf_worker *worker, uint8_t *message, size_t length)
{
    if (length && lf_bucket_take(&worker->answers, worker->now_ms) && !lf_tun_put(&worker->tun, message, length))
        lf_worker_drop(worker, LF_TUN_REFUSED, 1);
}

static void refuse(struct lf_worker *worker, const struct passage *passage, const struct lf_packet *packet,
                   size_t packets)
{
    uint8_t message[LF_ICMP_MAX];

    lf_depart_answer(worker, message, lf_icmp_too_big(message, packet, told_mtu(passage)));
    lf_worker_drop(worker, LF_TOO_BIG, packets);
    lf_usage_drop(passage->way.usage, packets, worker->now_ms);
}

static void put_fragments(struct lf_worker *worker, const struct passage *passage, struct lf_fragments *fragments,
                          uint8_t family)
{
    for (size_t i = 0; i < fragments->count; i++) {
        uint8_t *data = lf_depart_scratch(worker, LF_HEADROOM + told_mtu(passage)) + LF_HEADROOM;
        const struct lf_packet part = {
            .data = data, .length = lf_fragments_next(fragments, data), .family = family};

        put_packet(worker, passage, &part);
    }
}

static void depart_one(struct lf_worker *worker, const struct passage *passage, struct lf_packet *packet)
{
    struct lf_fragments fragments;

    if (worker->mss_clamp)
        (void)lf_clamp_mss(packet, told_mtu(passage));
    if (packet->length <= told_mtu(passage))
        put_packet(worker, passage, packet);
    else if (lf_fragments_begin(&fragments, packet, told_mtu(passage)))
        put_fragments(worker, passage, &fragments, packet->family);
    else
        refuse(worker, passage, packet, 1);
}

/* Segments whose datagrams the path takes: written one right behind the other, so that a run is one piece of memory. */
static void put_segments(struct lf_worker *worker, const struct passage *passage, struct lf_segments *segments,
                         uint8_t family)
{
    const size_t front = passage->way.front, each = front + segments->largest;
    uint8_t *at = NULL;
    size_t room = 0;

    for (size_t left = segments->count; left > 0; left--) {
        size_t length;

        if (room < each) {
            room = left * each < STRETCH ? left * each : STRETCH - STRETCH % each;
            at = lf_depart_scratch(worker, room);
        }
        length = lf_segments_next(segments, at + front);
        write_front(passage, at, length, family);
        length += front;
        put(worker, passage, false, at, length);
        at += length;
        room -= each;
    }
}

/* Segments that are too long each by themselves: made whole, then treated as if they had come so. Each is the frame in
 * hand while it is. */
static void put_apart(struct lf_worker *worker, const struct passage *passage, struct lf_segments *segments)
{
    size_t mark = worker->mark;

    for (size_t i = 0; i < segments->count; i++) {
        uint8_t *data = lf_depart_scratch(worker, LF_HEADROOM + segments->largest) + LF_HEADROOM;
        size_t length = lf_segments_next(segments, data);
        struct lf_packet packet;

        worker->mark = worker->arena.used;
        if (lf_packet_parse(&packet, data, length) == LF_PARSE_OK)
            depart_one(worker, passage, &packet);
        worker->mark = mark;
    }
}

static void depart_many(struct lf_worker *worker, const struct passage *passage, const struct lf_frame *frame,
                        const struct lf_packet *packet)
{
    struct lf_segments segments;

    if (!lf_segments_begin(&segments, frame, packet))
        lf_worker_drop(worker, LF_INNER_MALFORMED, 1);
    else if (segments.largest <= passage->room)
        put_segments(worker, passage, &segments, packet->family);
    else if (segments.largest <= told_mtu(passage) || lf_packet_may_fragment(packet))
        put_apart(worker, passage, &segments);
    else
        refuse(worker, passage, packet, segments.count);
}

static size_t room_of(const struct lf_locator *locator, size_t overhead)
{
    return locator->mtu > overhead ? locator->mtu - overhead : 0;
}

/* The source slot is filled: lf_forward took no locator without. The source port is one of our own as well, so that we
 * hear what routers beyond the outer tunnel say of the one inside. */
static void enter_first(struct lf_worker *worker, struct passage *passage, const struct lf_locator *inside,
                        const struct lf_packet *packet)
{
    const size_t size = lf_tunnel_size(inside);
    const struct lf_udp *udp = &worker->udp[inside->address.family == 6];

    passage->entrance =
        (struct lf_entrance){.tunnel = inside,
                             .source = &lf_table_source(worker->view, inside->slot)->address,
                             .port = udp->count ? udp->ports[lf_steer_class(packet) % udp->count].number : inside->port,
                             .tos = packet->tos,
                             .ttl = packet->ttl,
                             .checksum = passage->outbox->checksum == LF_CHECKSUM_ON};
    passage->way.front = (uint8_t)(LF_HEADER + size);
    passage->room = passage->room > size ? passage->room - size : 0;
}

void lf_depart(struct lf_worker *worker, const struct lf_frame *frame, struct lf_packet *packet,
               const struct lf_route *route)
{
    const struct lf_locator *locator = route->locator;
    bool six = locator->address.family == 6;
    struct lf_outbox *outbox = &worker->outboxes[six];
    struct lf_usage *usage = lf_table_usage_of(worker->table, route->prefix, worker->number);

    if (outbox->udp->count == 0) { /* the family was not there at the start */
        lf_worker_drop(worker, LF_NO_LOCATOR, 1);
        lf_usage_drop(usage, 1, worker->now_ms);
        return;
    }

    struct passage passage = {
        .outbox = outbox,
        .way = {.locator = locator,
                .source = route->source,
                .usage = usage,
                .tos = packet->tos,
                .ttl = packet->ttl,
                .port = (uint8_t)(lf_steer_class(packet) % outbox->udp->count),
                .front = LF_HEADER},
        .room = room_of(locator, six ? OUTER6 : OUTER4)};

    if (locator->tunnel)
        enter_first(worker, &passage, lf_locator_inside(locator), packet);
    if (frame->gso == LF_GSO_NONE)
        depart_one(worker, &passage, packet);
    else
        depart_many(worker, &passage, frame, packet);
}

/* Anybody can make up an ICMP message: one punt of a kind a second for each peer. */
static void report(struct lf_worker *worker, const struct lf_trouble *trouble)
{
    const struct lf_punt punt = {.kind = trouble->mtu ? LF_PUNT_PATH_MTU : LF_PUNT_UNREACHABLE,
                                 .destination = trouble->peer,
                                 .value = trouble->mtu};

    if (lf_marks_hold(&worker->rumours, punt.kind, &trouble->peer, worker->now_ms) ||
        !lf_marks_set(&worker->rumours, punt.kind, &trouble->peer, worker->now_ms))
        return;
    if (!lf_worker_punt(worker, &punt))
        lf_marks_clear(&worker->rumours, punt.kind, &trouble->peer);
}

static void report_all(struct lf_worker *worker, struct lf_outbox *outbox)
{
    for (unsigned i = 0; i < outbox->troubles; i++)
        report(worker, &outbox->trouble[i]);
    outbox->troubles = 0;
    if (outbox->lost_segmentation) {
        const struct lf_punt punt = {.kind = LF_PUNT_PLAIN, .value = outbox->lost_ifindex};

        outbox->lost_segmentation = !lf_worker_punt(worker, &punt);
    }
}

void lf_depart_flush(struct lf_worker *worker)
{
    for (unsigned i = 0; i < 2; i++) {
        if (lf_outbox_empty(&worker->outboxes[i]))
            continue;
        lf_outbox_flush(&worker->outboxes[i], worker->now_ms);
        report_all(worker, &worker->outboxes[i]);
    }
}

void lf_depart_listen(struct lf_worker *worker, unsigned family, int fd)
{
    lf_outbox_listen(&worker->outboxes[family], fd);
    report_all(worker, &worker->outboxes[family]);
}
