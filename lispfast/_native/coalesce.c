#include "coalesce.h"

#include "checksum.h"

/* What is merged has to come apart again, in the kernel's segmentation, into the packets that came; so the rules are those
 * of its own generic receive offload, and stricter where that one relies on what a network card has seen:
 *
 *   equal       addresses, ports, protocol, TTL, DSCP and ECN, flow label, DF; of TCP acknowledgment, window and options
 *   successive  TCP sequence numbers; without DF the IPv4 identification (with it that means nothing: RFC 6864 section 4)
 *   never       fragments, IPv4 options, IPv6 extension headers, a packet without payload, TCP flags but ACK and PSH,
 *               UDP without a checksum, a wrong checksum
 *   ends a run  PSH, and a payload shorter than the first one's
 *
 * A flow's packets leave in the order they came: one that cannot be merged ends the flow's run, and a packet that hides
 * what flow it is of ends all of them. Two flows at one place of the index only cost each other merging. */

/* From RFC 9293 section 3.1 and RFC 768; offsets are from the transport header's first byte. */
enum { TCP_HEADER = 20, TCP_SEQUENCE = 4, TCP_ACKNOWLEDGMENT = 8, TCP_OFFSET = 12, TCP_FLAGS = 13, TCP_WINDOW = 14 };
enum { TCP_CHECKSUM = 16, TCP_URGENT = 18, PSH = 0x08, ACK = 0x10 };
enum { UDP_HEADER = 8, UDP_LENGTH = 4, UDP_CHECKSUM = 6 };

/* From RFC 791 section 3.1 and RFC 8200 section 3; offsets are from the packet's first byte. */
enum { IPV4_LENGTH = 2, IPV4_IDENTIFICATION = 4, IPV4_FRAGMENT = 6, IPV4_TTL = 8, IPV4_PROTOCOL = 9 };
enum { IPV4_CHECKSUM = 10, IPV4_SOURCE = 12, IPV4_DF = 0x4000, IPV4_RESERVED = 0x8000 };
enum { IPV6_LENGTH = 4, IPV6_NEXT = 6, IPV6_HOP_LIMIT = 7, IPV6_SOURCE = 8 };

/* From the IANA protocol number registry. */
enum { HOP_BY_HOP = 0, ROUTING = 43, FRAGMENT = 44, AUTHENTICATION = 51, DESTINATION_OPTIONS = 60 };

/* A packet as it may be merged. */
struct piece {
    uint8_t *data;
    size_t length;
    size_t payload;
    uint8_t transport;
    uint8_t headers;
    bool tcp;
    bool fit;  /* to be merged, as far as one can tell from it alone */
    bool push; /* it ends its run */
};

enum kind {
    ALONE,  /* no flow that we merge */
    HIDDEN, /* perhaps of such a flow, and one cannot tell which */
    FLOW,   /* `*piece` is filled */
};

static uint32_t memory32(const uint8_t *bytes)
{
    uint32_t word;

    memcpy(&word, bytes, 4);
    return word;
}

static uint64_t memory64(const uint8_t *bytes)
{
    uint64_t word;

    memcpy(&word, bytes, 8);
    return word;
}

static bool is_v4(const uint8_t *data)
{
    return data[0] >> 4 == 4;
}

static bool is_extension(uint8_t next)
{
    return next == HOP_BY_HOP || next == ROUTING || next == FRAGMENT || next == AUTHENTICATION ||
           next == DESTINATION_OPTIONS;
}

static enum kind read_tcp(struct piece *piece, bool fit)
{
    const uint8_t *header = piece->data + piece->transport;

    if (piece->length < (size_t)piece->transport + TCP_HEADER)
        return HIDDEN;

    const unsigned size = (unsigned)(header[TCP_OFFSET] >> 4) * 4;

    piece->tcp = true;
    piece->headers = (uint8_t)(piece->transport + size);
    piece->push = header[TCP_FLAGS] & PSH;
    piece->fit = fit && size >= TCP_HEADER && piece->length > piece->headers &&
                 (header[TCP_FLAGS] | PSH) == (ACK | PSH) && (header[TCP_OFFSET] & 15) == 0;
    piece->payload = piece->fit ? piece->length - piece->headers : 0;
    return FLOW;
}

static enum kind read_udp(struct piece *piece, bool fit)
{
    const uint8_t *header = piece->data + piece->transport;
    const size_t rest = piece->length - piece->transport;

    if (rest < UDP_HEADER)
        return HIDDEN;
    piece->tcp = false;
    piece->push = false;
    piece->headers = (uint8_t)(piece->transport + UDP_HEADER);
    piece->fit = fit && rest > UDP_HEADER && lf_load16(header + UDP_LENGTH) == rest && lf_word16(header + UDP_CHECKSUM);
    piece->payload = rest - UDP_HEADER;
    return FLOW;
}

static enum kind read_packet(const struct lf_coalescer *coalescer, const struct lf_packet *packet, struct piece *piece)
{
    const bool v4 = packet->family == 4;
    const uint8_t protocol = packet->data[v4 ? IPV4_PROTOCOL : IPV6_NEXT];
    bool fit = packet->length <= UINT16_MAX;

    if (!(protocol == LF_TCP && coalescer->tcp) && !(protocol == LF_UDP && coalescer->udp))
        return !v4 && is_extension(protocol) ? HIDDEN : ALONE;
    if (v4) {
        const uint16_t fragment = lf_load16(packet->data + IPV4_FRAGMENT);

        if (packet->header != LF_IPV4_HEADER || fragment & ~(IPV4_DF | IPV4_RESERVED))
            return HIDDEN;
        fit &= !(fragment & IPV4_RESERVED);
    }
    piece->data = packet->data;
    piece->length = packet->length;
    piece->transport = (uint8_t)packet->header;
    return protocol == LF_TCP ? read_tcp(piece, fit) : read_udp(piece, fit);
}

static unsigned flow_place(const struct piece *piece)
{
    const uint8_t *data = piece->data;
    uint64_t hash = memory32(data + piece->transport) ^ (uint64_t)piece->tcp << 32;

    if (is_v4(data)) {
        hash = hash * UINT64_C(0xd6e8feb86659fd93) ^ memory64(data + IPV4_SOURCE);
    } else {
        for (unsigned i = 0; i < 4; i++)
            hash = (hash ^ hash >> 32) * UINT64_C(0xd6e8feb86659fd93) ^ memory64(data + IPV6_SOURCE + i * 8);
    }
    hash = (hash ^ hash >> 32) * UINT64_C(0xd6e8feb86659fd93);
    return (unsigned)(hash >> 54) % LF_FLOW_PLACES;
}

/* The first packets of runs have neither IPv4 options nor extension headers, so ports are where they are in `piece`. */
static bool same_flow(const struct lf_delivery *delivery, const struct piece *piece)
{
    const uint8_t *a = delivery->parts[1].iov_base, *b = piece->data;

    if (delivery->tcp != piece->tcp || delivery->transport != piece->transport ||
        memory32(a + piece->transport) != memory32(b + piece->transport))
        return false;
    if (is_v4(b))
        return memory64(a + IPV4_SOURCE) == memory64(b + IPV4_SOURCE);
    return memcmp(a + IPV6_SOURCE, b + IPV6_SOURCE, 32) == 0;
}

static bool network_continues(const struct lf_delivery *delivery, const uint8_t *a, const uint8_t *b)
{
    if (!is_v4(b))
        return memory32(a) == memory32(b) && a[IPV6_HOP_LIMIT] == b[IPV6_HOP_LIMIT];
    if (lf_word16(a) != lf_word16(b) || lf_word16(a + IPV4_FRAGMENT) != lf_word16(b + IPV4_FRAGMENT) ||
        a[IPV4_TTL] != b[IPV4_TTL])
        return false;
    return lf_load16(b + IPV4_FRAGMENT) & IPV4_DF ||
           lf_load16(b + IPV4_IDENTIFICATION) == (uint16_t)(lf_load16(a + IPV4_IDENTIFICATION) + delivery->packets);
}

static bool tcp_continues(const struct lf_delivery *delivery, const uint8_t *a, const uint8_t *b)
{
    const uint32_t next = lf_load32(a + TCP_SEQUENCE) + delivery->length - delivery->headers;
    const size_t options = (size_t)delivery->headers - delivery->transport - TCP_HEADER;

    return lf_load32(b + TCP_SEQUENCE) == next && memory32(a + TCP_ACKNOWLEDGMENT) == memory32(b + TCP_ACKNOWLEDGMENT) &&
           lf_word16(a + TCP_WINDOW) == lf_word16(b + TCP_WINDOW) &&
           lf_word16(a + TCP_URGENT) == lf_word16(b + TCP_URGENT) && memcmp(a + TCP_HEADER, b + TCP_HEADER, options) == 0;
}

static bool continues(const struct lf_delivery *delivery, const struct piece *piece)
{
    const uint8_t *first = delivery->parts[1].iov_base;

    return piece->fit && piece->headers == delivery->headers && piece->payload <= delivery->size &&
           delivery->packets < LF_MERGE_MAX && delivery->length + piece->payload <= UINT16_MAX &&
           network_continues(delivery, first, piece->data) &&
           (!piece->tcp || tcp_continues(delivery, first + piece->transport, piece->data + piece->transport));
}

static uint64_t pseudo_sum(const struct lf_delivery *delivery)
{
    const uint8_t *data = delivery->parts[1].iov_base;
    const uint64_t protocol = lf_network16(delivery->tcp ? LF_TCP : LF_UDP);

    if (is_v4(data))
        return lf_checksum_add(protocol, data + IPV4_SOURCE, 8);
    return lf_checksum_add(protocol, data + IPV6_SOURCE, 32);
}

static bool checksum_ok(const struct lf_delivery *delivery, const uint8_t *data, size_t length)
{
    const size_t rest = length - delivery->transport;
    const uint64_t sum = lf_checksum_add(delivery->pseudo_sum + lf_network16(rest), data + delivery->transport, rest);

    return lf_checksum_fold(sum) == 0;
}

/* A packet alone needs no checksum of ours, so the first one is read only when a second wants to join it. */
static bool both_sound(struct lf_delivery *delivery, const struct piece *piece)
{
    if (!delivery->verified) {
        delivery->pseudo_sum = pseudo_sum(delivery);
        delivery->verified = checksum_ok(delivery, delivery->parts[1].iov_base, delivery->length);
    }
    return delivery->verified && checksum_ok(delivery, piece->data, piece->length);
}

static void join(struct lf_delivery *delivery, const struct piece *piece)
{
    delivery->parts[delivery->count++] =
        (struct iovec){.iov_base = piece->data + piece->headers, .iov_len = piece->payload};
    delivery->packets++;
    delivery->bytes += piece->length;
    delivery->length = (uint16_t)(delivery->length + piece->payload);
    delivery->push = piece->push;
}

static struct lf_delivery *append(struct lf_coalescer *coalescer, uint8_t *data, size_t length)
{
    struct lf_delivery *delivery = &coalescer->deliveries[coalescer->count++];

    delivery->count = 2;
    delivery->packets = 1;
    delivery->bytes = length;
    delivery->vnet = (struct lf_vnet){0};
    delivery->parts[0] = (struct iovec){.iov_base = &delivery->vnet, .iov_len = LF_VNET};
    delivery->parts[1] = (struct iovec){.iov_base = data, .iov_len = length};
    return delivery;
}

static void open_run(struct lf_delivery *delivery, const struct piece *piece)
{
    delivery->tcp = piece->tcp;
    delivery->verified = false;
    delivery->push = false;
    delivery->transport = piece->transport;
    delivery->headers = piece->headers;
    delivery->size = (uint16_t)piece->payload;
    delivery->length = (uint16_t)piece->length;
}

static bool add_to_flow(struct lf_coalescer *coalescer, const struct piece *piece)
{
    uint8_t *open = &coalescer->flows[flow_place(piece)];
    struct lf_delivery *delivery = *open > coalescer->closed ? &coalescer->deliveries[*open - 1] : NULL;

    if (delivery && same_flow(delivery, piece)) {
        if (continues(delivery, piece) && both_sound(delivery, piece)) {
            join(delivery, piece);
            if (piece->push || piece->payload < delivery->size)
                *open = 0;
            return true;
        }
        *open = 0;
    }
    if (coalescer->count == LF_DELIVERIES)
        return false;
    delivery = append(coalescer, piece->data, piece->length);
    if (piece->fit && !piece->push) {
        open_run(delivery, piece);
        *open = (uint8_t)coalescer->count;
    }
    return true;
}

void lf_coalesce_init(struct lf_coalescer *coalescer, bool tcp, bool udp)
{
    coalescer->tcp = tcp;
    coalescer->udp = udp;
    lf_coalesce_reset(coalescer);
}

bool lf_coalesce_add(struct lf_coalescer *coalescer, const struct lf_packet *packet)
{
    struct piece piece;
    const enum kind kind = read_packet(coalescer, packet, &piece);

    if (kind == FLOW)
        return add_to_flow(coalescer, &piece);
    if (coalescer->count == LF_DELIVERIES)
        return false;
    append(coalescer, packet->data, packet->length);
    if (kind == HIDDEN)
        coalescer->closed = coalescer->count;
    return true;
}

static void write_lengths(const struct lf_delivery *delivery, uint8_t *data)
{
    uint16_t checksum;

    if (!delivery->tcp)
        lf_store16(data + delivery->transport + UDP_LENGTH, (uint16_t)(delivery->length - delivery->transport));
    if (!is_v4(data)) {
        lf_store16(data + IPV6_LENGTH, (uint16_t)(delivery->length - LF_IPV6_HEADER));
        return;
    }
    lf_store16(data + IPV4_LENGTH, delivery->length);
    memset(data + IPV4_CHECKSUM, 0, 2);
    checksum = lf_checksum_fold(lf_checksum_add(0, data, LF_IPV4_HEADER));
    memcpy(data + IPV4_CHECKSUM, &checksum, 2);
}

static void finish(struct lf_delivery *delivery)
{
    uint8_t *data = delivery->parts[1].iov_base;
    const uint16_t offset = delivery->tcp ? TCP_CHECKSUM : UDP_CHECKSUM;
    const uint8_t tcp_type = is_v4(data) ? LF_VNET_TCPV4 : LF_VNET_TCPV6;
    /* Of the pseudo header alone: the kernel adds the rest to it, so it is not complemented. */
    const uint16_t sum =
        (uint16_t)~lf_checksum_fold(delivery->pseudo_sum + lf_network16((size_t)delivery->length - delivery->transport));

    delivery->vnet = (struct lf_vnet){
        .flags = LF_VNET_NEEDS_CSUM,
        .gso_type = delivery->tcp ? tcp_type : LF_VNET_UDP_L4,
        .hdr_len = delivery->headers,
        .gso_size = delivery->size,
        .csum_start = delivery->transport,
        .csum_offset = offset,
    };
    write_lengths(delivery, data);
    memcpy(data + delivery->transport + offset, &sum, 2);
    if (delivery->push)
        data[delivery->transport + TCP_FLAGS] |= PSH;
}

void lf_coalesce_finish(struct lf_coalescer *coalescer)
{
    for (unsigned i = 0; i < coalescer->count; i++)
        if (coalescer->deliveries[i].packets > 1)
            finish(&coalescer->deliveries[i]);
}

void lf_coalesce_reset(struct lf_coalescer *coalescer)
{
    coalescer->count = coalescer->closed = 0;
    memset(coalescer->flows, 0, sizeof coalescer->flows);
}
