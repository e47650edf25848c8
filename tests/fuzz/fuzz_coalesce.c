/* Streams of packets into a coalescer; what it merged is cut up again by segment.c and must be what came. Input: which of
 * TCP and UDP may be merged, then steps: each makes the next packet of one of two flows, or a new one from raw bytes. */
#include "fuzz.h"

#include "checksum.h"
#include "coalesce.h"
#include "segment.h"

/* Ours: an input is to be done in some tens of microseconds; enough packets to fill every delivery. */
enum { PACKETS_MAX = 70, ADDS_MAX = 90, PACKET_MAX = 3000 };
enum { STEP = 7, WRONG_CHECKSUM = 0x80 };
enum { REPEAT, REPEAT_LONG, CHANGE, SHORTEN, SWITCH, RAW };

/* A packet in a block of its own, and as it came. */
struct original {
    uint8_t *block, *copy;
    size_t length;
};

/* One for all inputs, as it is large; what an input leaves in it, the next one must not mind. */
struct run {
    struct lf_coalescer coalescer;
    struct original originals[PACKETS_MAX];
    unsigned count;
    unsigned added; /* since the last reset */
    uint8_t flows[2][PACKET_MAX];
    size_t lengths[2];
    unsigned adds; /* left for this input */
    uint8_t joined[65536], cut[65536];
};

static size_t transport_of(const struct lf_packet *packet)
{
    const struct lf_transport transport = lf_packet_transport(packet);
    const size_t least = transport.protocol == LF_TCP ? 20 : 8;

    if (!transport.known || transport.later_fragment || packet->length - transport.offset < least)
        return 0;
    return transport.protocol == LF_TCP || transport.protocol == LF_UDP ? transport.offset : 0;
}

static bool is_tcp(const struct lf_packet *packet)
{
    return lf_packet_transport(packet).protocol == LF_TCP;
}

static uint16_t transport_checksum(const struct lf_packet *packet, size_t transport)
{
    const size_t rest = packet->length - transport;
    const uint8_t numbers[4] = {0, is_tcp(packet) ? LF_TCP : LF_UDP, (uint8_t)(rest >> 8), (uint8_t)rest};
    uint64_t sum = lf_checksum_add(0, numbers, 4);

    sum = packet->family == 4 ? lf_checksum_add(sum, packet->data + 12, 8) : lf_checksum_add(sum, packet->data + 8, 32);
    return lf_checksum_fold(lf_checksum_add(sum, packet->data + transport, rest));
}

static void store_checksum(uint8_t *at, uint16_t checksum)
{
    memcpy(at, &checksum, 2);
}

static void make_checksums_right(struct lf_packet *packet)
{
    const size_t transport = transport_of(packet);

    if (packet->family == 4) {
        store_checksum(packet->data + 10, 0);
        store_checksum(packet->data + 10, lf_checksum_fold(lf_checksum_add(0, packet->data, packet->header)));
    }
    if (transport) {
        uint8_t *at = packet->data + transport + (is_tcp(packet) ? 16 : 6);

        store_checksum(at, 0);
        store_checksum(at, transport_checksum(packet, transport));
    }
}

static void add_number(uint8_t *at, unsigned bytes, size_t value)
{
    for (unsigned i = bytes; i-- > 0; value >>= 8) {
        value += at[i];
        at[i] = (uint8_t)value;
    }
}

/* What a sender counts up from one packet to the next. */
static void advance(struct run *run, unsigned flow)
{
    struct lf_packet packet;

    if (lf_packet_parse(&packet, run->flows[flow], run->lengths[flow]) != LF_PARSE_OK)
        return;

    const size_t transport = transport_of(&packet);

    if (packet.family == 4)
        add_number(packet.data + 4, 2, 1);
    if (transport && is_tcp(&packet)) {
        const size_t headers = transport + (size_t)(packet.data[transport + 12] >> 4) * 4;

        add_number(packet.data + transport + 4, 4, packet.length > headers ? packet.length - headers : 0);
    }
}

/* Every part lies in a packet that was added; one looks from `*from` on, since they come in order. */
static const struct original *original_at(const struct run *run, unsigned *from, const uint8_t *data)
{
    unsigned at = *from;

    while (at < run->count &&
           !(data >= run->originals[at].block && data < run->originals[at].block + run->originals[at].length))
        at++;
    CHECK(at < run->count);
    *from = at + 1;
    return &run->originals[at];
}

/* `cut` is one packet of the cut-up delivery. A TCP checksum has two ways to say zero. */
static void check_same(const struct original *original, uint8_t *cut, size_t length)
{
    struct lf_packet packet;

    CHECK(length == original->length);
    CHECK(lf_packet_parse(&packet, original->copy, length) == LF_PARSE_OK);

    const size_t transport = transport_of(&packet);

    CHECK(transport && transport_checksum(&packet, transport) == 0);
    if (packet.family == 4 && packet.data[6] & 0x40) { /* DF: the identification means nothing */
        memcpy(cut + 4, packet.data + 4, 2);
        memcpy(cut + 10, packet.data + 10, 2);
    }
    if (is_tcp(&packet))
        memcpy(cut + transport + 16, packet.data + transport + 16, 2);
    CHECK(memcmp(cut, original->copy, length) == 0);
}

static void check_merged(struct run *run, const struct lf_delivery *delivery)
{
    struct lf_frame frame = {.partial = true,
                             .gso_size = delivery->vnet.gso_size,
                             .csum_start = delivery->vnet.csum_start,
                             .csum_offset = delivery->vnet.csum_offset};
    struct lf_packet packet;
    struct lf_segments segments;
    unsigned from = 0;

    CHECK(delivery->vnet.flags == LF_VNET_NEEDS_CSUM);
    for (unsigned i = 1; i < delivery->count; i++) {
        CHECK(frame.length + delivery->parts[i].iov_len <= UINT16_MAX);
        memcpy(run->joined + frame.length, delivery->parts[i].iov_base, delivery->parts[i].iov_len);
        frame.length += delivery->parts[i].iov_len;
    }
    frame.data = run->joined;
    frame.gso = delivery->vnet.gso_type == LF_VNET_UDP_L4 ? LF_GSO_UDP : LF_GSO_TCP;
    CHECK(lf_packet_parse(&packet, frame.data, frame.length) == LF_PARSE_OK && packet.length == frame.length);
    CHECK(lf_packet_checksum_ok(&packet) && lf_segments_begin(&segments, &frame, &packet));
    CHECK(segments.count == delivery->packets && segments.headers == delivery->vnet.hdr_len);
    for (unsigned i = 1; i < delivery->count; i++) {
        const size_t length = lf_segments_next(&segments, run->cut);

        check_same(original_at(run, &from, delivery->parts[i].iov_base), run->cut, length);
    }
}

static void check_and_reset(struct run *run)
{
    struct lf_coalescer *coalescer = &run->coalescer;
    unsigned packets = 0;

    lf_coalesce_finish(coalescer);
    for (unsigned i = 0; i < coalescer->count; i++) {
        const struct lf_delivery *delivery = &coalescer->deliveries[i];

        packets += delivery->packets;
        CHECK(delivery->parts[0].iov_base == &delivery->vnet && delivery->parts[0].iov_len == LF_VNET);
        CHECK(delivery->count == delivery->packets + 1);
        if (delivery->packets > 1) {
            check_merged(run, delivery);
            continue;
        }

        unsigned from = 0;
        const struct original *original = original_at(run, &from, delivery->parts[1].iov_base);
        const struct lf_vnet none = {0};

        CHECK(memcmp(&delivery->vnet, &none, LF_VNET) == 0 && delivery->bytes == delivery->parts[1].iov_len);
        CHECK(memcmp(original->block, original->copy, original->length) == 0);
    }
    CHECK(packets == run->added);
    run->added = 0;
    lf_coalesce_reset(coalescer);
    for (unsigned i = 0; i < run->count; i++) {
        free(run->originals[i].block);
        free(run->originals[i].copy);
    }
    run->count = 0;
}

/* The packet as it is now, in memory that ends with it. */
static void add(struct run *run, unsigned flow, bool right)
{
    struct lf_packet packet;

    if (run->adds == 0 || lf_packet_parse(&packet, run->flows[flow], run->lengths[flow]) != LF_PARSE_OK)
        return;
    run->adds--;
    if (right)
        make_checksums_right(&packet);
    else if (!lf_packet_checksum_ok(&packet)) /* decapsulation drops those */
        return;
    if (run->count == PACKETS_MAX)
        check_and_reset(run);

    struct original *original = &run->originals[run->count];

    *original = (struct original){malloc(packet.length), malloc(packet.length), packet.length};
    CHECK(original->block && original->copy);
    memcpy(original->block, packet.data, packet.length);
    memcpy(original->copy, packet.data, packet.length);
    packet.data = original->block;
    if (!lf_coalesce_add(&run->coalescer, &packet)) {
        const struct original kept = *original;

        check_and_reset(run);
        run->originals[0] = kept;
        CHECK(lf_coalesce_add(&run->coalescer, &packet));
    }
    run->count++;
    run->added++;
}

static void shorten(struct run *run, unsigned flow, size_t less)
{
    struct lf_packet packet;

    if (lf_packet_parse(&packet, run->flows[flow], run->lengths[flow]) != LF_PARSE_OK)
        return;

    const size_t transport = transport_of(&packet);

    if (transport == 0 || packet.length - transport < less + 8)
        return;
    lf_store16(packet.data + (packet.family == 4 ? 2 : 4),
               (uint16_t)(packet.length - less - (packet.family == 4 ? 0 : LF_IPV6_HEADER)));
    if (!is_tcp(&packet))
        lf_store16(packet.data + transport + 4, (uint16_t)(packet.length - less - transport));
}

static void take_raw(struct run *run, unsigned flow, struct fuzz_input *input)
{
    size_t length = fuzz_take16(input) % PACKET_MAX;

    length = length < input->length ? length : input->length;
    if (length)
        memcpy(run->flows[flow], input->data, length);
    run->lengths[flow] = length;
    input->data += length;
    input->length -= length;
}

static void step(struct run *run, unsigned *flow, struct fuzz_input *input)
{
    const uint8_t choice = fuzz_take8(input);
    const unsigned times = 1 + (choice >> 3 & 15);
    const bool right = !(choice & WRONG_CHECKSUM);
    size_t at;

    switch (choice & STEP) {
    case SWITCH:
        *flow = !*flow;
        break;
    case RAW:
        take_raw(run, *flow, input);
        add(run, *flow, right);
        advance(run, *flow);
        break;
    case CHANGE:
        at = fuzz_take8(input);
        if (at < run->lengths[*flow])
            run->flows[*flow][at] ^= fuzz_take8(input);
        break;
    case SHORTEN:
        shorten(run, *flow, fuzz_take8(input));
        break;
    default:
        for (unsigned i = 0; i < times * ((choice & STEP) == REPEAT_LONG ? 10 : 1); i++) {
            add(run, *flow, right);
            advance(run, *flow);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct run run;
    struct fuzz_input input = {.data = data, .length = size};
    const uint8_t allowed = fuzz_take8(&input);
    unsigned flow = 0;

    lf_coalesce_init(&run.coalescer, allowed & 1, allowed & 2);
    run.lengths[0] = run.lengths[1] = 0;
    run.adds = ADDS_MAX;
    while (input.length && run.adds)
        step(&run, &flow, &input);
    check_and_reset(&run);
    return 0;
}
