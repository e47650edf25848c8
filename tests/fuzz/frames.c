/* Two engines back to back on loopback, with virtio-net headers, under TSan and ASan: frames of many segments and
 * packets alone go into one TUN, and the same bytes come out of the other in the same order, whatever was cut, gathered
 * into runs, received as runs and merged on the way; while the control thread leaves the punt ring full, then withdraws
 * and sets mappings in two forms, moves the source RLOC within batches, stores our EIDs again and reads every counter.
 * Usage: frames PORT BYTES (uses PORT and PORT + 1). */
#define _GNU_SOURCE
#include "engine.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "change.h"
#include "checksum.h"
#include "frame.h"
#include "packet.h"

enum { FLOWS = 4, QUEUES = 2, AHEAD = 90000, LARGEST = 20000, PATIENCE_MS = 10000, STRANGERS = 1500, FRAME = 66000 };

#define CHECK(condition) \
    do \
        if (!(condition)) { \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            abort(); \
        } \
    while (0)

/* A flow is a stream of bytes: what stands at an offset follows from flow and offset. */
static const struct flow {
    uint8_t version, protocol;
    bool many; /* segments a frame */
} flows[FLOWS] = {{4, LF_TCP, true}, {4, LF_UDP, true}, {6, LF_TCP, true}, {6, LF_UDP, false}};

static uint64_t sent[FLOWS], received[FLOWS], merged;
static uint16_t identification; /* without DF it has to rise for packets to be merged */
static uint64_t state = 1;

static unsigned chance(unsigned below)
{
    state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (unsigned)(state >> 33) % below;
}

static uint8_t byte_at(unsigned flow, uint64_t offset)
{
    return (uint8_t)((offset * 7 ^ offset >> 8 ^ offset >> 16) + flow);
}

struct node {
    struct lf_engine *engine;
    unsigned queues; /* one at the receiver: after a move the kernel may pick another of its sockets, and reorder */
    int outside[QUEUES];
    int inside[QUEUES];
    uint16_t port;
};

static struct lf_address eid(unsigned version, unsigned node, unsigned host)
{
    const uint8_t v4[4] = {10, (uint8_t)node, (uint8_t)(host >> 8), (uint8_t)host};
    const uint8_t v6[16] = {0xfd, [1] = (uint8_t)node, [14] = (uint8_t)(host >> 8), [15] = (uint8_t)host};

    return lf_address_make((uint8_t)version, version == 4 ? v4 : v6);
}

static void commit(struct node *node, struct change *change)
{
    CHECK(lf_engine_commit_packed(node->engine, change->buffer, change_end(change)).error == LF_OK);
}

static void set_locals(struct node *node, unsigned number)
{
    const struct lf_address v4 = eid(4, number, 1), v6 = eid(6, number, 1);
    struct change change;

    change_begin(&change);
    change_local(&change, &v4, 0);
    change_local(&change, &v6, 0);
    commit(node, &change);
}

static void move(struct node *node, unsigned step)
{
    const uint8_t loopback[4] = {127, 0, 0, (uint8_t)(1 + step % 4)}, loopback6[16] = {[15] = 1};
    const struct lf_address v4 = lf_address_make(4, loopback), v6 = lf_address_make(6, loopback6);
    struct change change;

    change_begin(&change);
    change_source(&change, 0, &v4, 0);
    change_source(&change, 1, &v6, 0);
    commit(node, &change);
}

/* IPv4 goes over IPv4 and IPv6 over IPv6, so that each flow is on one socket of the receiver. */
static void map(struct node *node, unsigned version, uint16_t port, bool there)
{
    const struct lf_address destination = eid(version, 2, 1);
    const uint8_t loopback[4] = {127, 0, 0, 1}, loopback6[16] = {[15] = 1};
    const bool gpe = chance(2);
    const struct lf_locator locator = {
        .address = lf_address_make((uint8_t)version, version == 4 ? loopback : loopback6),
        .slot = version == 6,
        .port = port,
        .mtu = 1500,
        .form = gpe ? LF_FORM_LISP_GPE : LF_FORM_LISP,
        .header = {gpe ? 0x04 : 0},
        .priority = 1,
        .weight = 1,
    };
    struct change change;

    change_begin(&change);
    if (there)
        change_put(&change, 0, &destination, version == 4 ? 32 : 128, &locator);
    else
        change_withdraw(&change, 0, &destination, version == 4 ? 32 : 128);
    commit(node, &change);
}

static void start(struct node *node, unsigned number, unsigned queues, uint16_t port)
{
    const struct lf_options options = {
        .port = port, .source_ports = 16, .checksum = LF_CHECKSUM_AUTO, .offload = true, .framed = true};
    const int room = 1 << 20;

    node->port = port;
    node->queues = queues;
    for (unsigned i = 0; i < queues; i++) {
        int pair[2];

        CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0);
        for (unsigned end = 0; end < 2; end++)
            CHECK(setsockopt(pair[end], SOL_SOCKET, SO_SNDBUF, &room, sizeof room) == 0);
        node->outside[i] = pair[0];
        node->inside[i] = pair[1];
    }
    node->engine = lf_engine_new(node->inside, queues, &options);
    CHECK(node->engine);
    set_locals(node, number);
    CHECK(lf_engine_start(node->engine) == 0);
}

/* Header, pseudo header's sum in the checksum, then payload. Returns the length. */
static size_t make_packet(uint8_t *packet, unsigned version, uint8_t protocol, unsigned host, uint32_t sequence,
                          size_t payload)
{
    const struct lf_address source = eid(version, 1, 1), destination = eid(version, 2, host);
    const size_t network = version == 4 ? 20 : 40, transport = protocol == LF_TCP ? 20 : 8;
    uint8_t *header = packet + network;
    uint64_t sum = lf_checksum_add(0, source.bytes, 16) + lf_checksum_add(0, destination.bytes, 16);
    const uint8_t rest[4] = {0, protocol, (uint8_t)((transport + payload) >> 8), (uint8_t)(transport + payload)};
    uint16_t partial = (uint16_t)~lf_checksum_fold(lf_checksum_add(sum, rest, 4)), checksum;

    memset(packet, 0, network + transport);
    if (version == 4) {
        packet[0] = 0x45;
        lf_store16(packet + 2, (uint16_t)(network + transport + payload));
        lf_store16(packet + 4, identification);
        packet[8] = 64;
        packet[9] = protocol;
        memcpy(packet + 12, source.bytes, 4);
        memcpy(packet + 16, destination.bytes, 4);
        checksum = lf_checksum_fold(lf_checksum_add(0, packet, 20));
        memcpy(packet + 10, &checksum, 2);
    } else {
        packet[0] = 0x60;
        lf_store16(packet + 4, (uint16_t)(transport + payload));
        packet[6] = protocol;
        packet[7] = 64;
        memcpy(packet + 8, source.bytes, 16);
        memcpy(packet + 24, destination.bytes, 16);
    }
    lf_store16(header, 1000);
    lf_store16(header + 2, 2000);
    if (protocol == LF_TCP) {
        lf_store16(header + 4, (uint16_t)(sequence >> 16));
        lf_store16(header + 6, (uint16_t)sequence);
        header[12] = 0x50;
        header[13] = 0x10;
    } else {
        lf_store16(header + 4, (uint16_t)(transport + payload));
    }
    memcpy(header + (protocol == LF_TCP ? 16 : 6), &partial, 2);
    return network + transport + payload;
}

static void send_frame(struct node *from, unsigned number)
{
    const struct flow *flow = &flows[number];
    const size_t each = 200 + chance(1150), network = flow->version == 4 ? 20 : 40;
    const size_t payload = flow->many ? 1 + chance(LARGEST) : each;
    uint8_t frame[LF_VNET + 60 + LARGEST];
    struct lf_vnet vnet = {.flags = LF_VNET_NEEDS_CSUM,
                           .csum_start = (uint16_t)network,
                           .csum_offset = flow->protocol == LF_TCP ? 16 : 6};
    const size_t length =
        make_packet(frame + LF_VNET, flow->version, flow->protocol, 1, (uint32_t)sent[number], payload);

    if (payload > each) {
        vnet.gso_size = (uint16_t)each;
        vnet.gso_type = flow->protocol == LF_UDP ? LF_VNET_UDP_L4 : flow->version == 4 ? LF_VNET_TCPV4 : LF_VNET_TCPV6;
    }
    identification = (uint16_t)(identification + (payload + each - 1) / each);
    memcpy(frame, &vnet, LF_VNET);
    for (size_t i = 0; i < payload; i++)
        frame[LF_VNET + length - payload + i] = byte_at(number, sent[number]++);
    CHECK(write(from->outside[number % from->queues], frame, LF_VNET + length) == (ssize_t)(LF_VNET + length));
}

/* More EIDs without a mapping than the ring holds. */
static void fill_ring(struct node *node)
{
    for (unsigned i = 0; i < STRANGERS; i++) {
        uint8_t frame[LF_VNET + 28] = {0};
        const size_t length = make_packet(frame + LF_VNET, 4, LF_UDP, 2 + i, 0, 0);

        CHECK(write(node->outside[0], frame, LF_VNET + length) == (ssize_t)(LF_VNET + length));
    }
    for (unsigned i = 0; lf_engine_totals(node->engine).staged < STRANGERS; i++) {
        CHECK(i < PATIENCE_MS);
        CHECK(poll(NULL, 0, 1) == 0);
    }
}

static void check_frame(const uint8_t *frame, size_t length)
{
    const uint8_t *packet = frame + LF_VNET;
    const bool v4 = packet[0] >> 4 == 4;
    const size_t network = v4 ? 20 : 40;
    const uint8_t protocol = packet[v4 ? 9 : 6];
    const size_t headers = network + (protocol == LF_TCP ? 20 : 8);
    unsigned number = 0;
    struct lf_vnet vnet;
    uint64_t sum;

    CHECK(length > LF_VNET + headers);
    length -= LF_VNET;
    while (number < FLOWS && (flows[number].version != (v4 ? 4 : 6) || flows[number].protocol != protocol))
        number++;
    CHECK(number < FLOWS);
    CHECK(lf_load16(packet + (v4 ? 2 : 4)) == length - (v4 ? 0 : 40));
    memcpy(&vnet, frame, LF_VNET);
    sum = lf_checksum_add(0, packet + (v4 ? 12 : 8), v4 ? 8 : 32);
    sum = lf_checksum_add(sum, (const uint8_t[]){0, protocol}, 2);
    sum = lf_checksum_add(sum, (const uint8_t[]){(uint8_t)((length - network) >> 8), (uint8_t)(length - network)}, 2);
    if (vnet.gso_type == LF_VNET_NONE) {
        CHECK(lf_checksum_fold(lf_checksum_add(sum, packet + network, length - network)) == 0);
    } else {
        uint16_t partial;

        memcpy(&partial, packet + network + vnet.csum_offset, 2);
        CHECK(vnet.flags == LF_VNET_NEEDS_CSUM && vnet.csum_start == network && vnet.gso_size < length - headers);
        CHECK((partial ^ lf_checksum_fold(sum)) == UINT16_MAX);
        merged++;
    }
    if (protocol == LF_UDP)
        CHECK(lf_load16(packet + network + 4) == length - network);
    else
        CHECK(((uint32_t)lf_load16(packet + network + 4) << 16 | lf_load16(packet + network + 6)) ==
              (uint32_t)received[number]);
    for (size_t i = headers; i < length; i++)
        CHECK(packet[i] == byte_at(number, received[number]++));
}

static void receive(struct node *to)
{
    static uint8_t frame[FRAME];
    ssize_t got;

    while ((got = recv(to->outside[0], frame, sizeof frame, MSG_DONTWAIT)) > 0)
        check_frame(frame, (size_t)got);
}

static void read_counters(struct node *node, bool punts)
{
    struct lf_address address;
    struct lf_punt punt;
    uint64_t last;
    uint32_t place = 0;
    uint32_t from = 0;
    struct lf_usage_row row;

    (void)lf_engine_totals(node->engine);
    while (lf_engine_peer(node->engine, &place, &address, &last))
        CHECK(address.family == 4 || address.family == 6);
    while (lf_table_usage(lf_engine_table(node->engine), 0, &from, &row, 1))
        CHECK(row.use.drops == 0 && row.use.used_ms >= row.use.last_ms);
    if (!punts)
        return;
    lf_engine_punt_rearm(node->engine);
    while (lf_engine_punt_take(node->engine, &punt))
        CHECK(punt.kind == LF_PUNT_MISS);
}

static uint64_t sum_of(const uint64_t *values)
{
    return values[0] + values[1] + values[2] + values[3];
}

/* The ring stays full for the first half. */
static void run(struct node *a, struct node *b, uint64_t bytes)
{
    bool mapped[2] = {false, false};

    for (unsigned step = 0, idle = 0; sum_of(received) < bytes; step++) {
        const uint64_t before = sum_of(received);
        struct pollfd wait = {.fd = b->outside[0], .events = POLLIN};

        while (sum_of(sent) < bytes && sum_of(sent) - sum_of(received) < AHEAD)
            send_frame(a, chance(FLOWS));
        for (unsigned i = 0; i < 2; i++)
            if (!mapped[i] || chance(4) == 0) {
                mapped[i] = !mapped[i];
                map(a, i ? 6 : 4, b->port, mapped[i]);
            }
        CHECK(poll(&wait, 1, 1) >= 0);
        receive(b);
        idle = sum_of(received) == before ? idle + 1 : 0;
        CHECK(idle < PATIENCE_MS);
        move(a, step);
        set_locals(step % 2 ? a : b, step % 2 ? 1 : 2);
        read_counters(a, before > bytes / 2);
        read_counters(b, true);
    }
}

static void finish(struct node *node)
{
    lf_engine_free(node->engine);
    for (unsigned i = 0; i < node->queues; i++) {
        close(node->outside[i]);
        close(node->inside[i]);
    }
}

int main(int argc, char **argv)
{
    uint16_t port = (uint16_t)(argc > 1 ? strtoul(argv[1], NULL, 0) : 24343);
    uint64_t bytes = argc > 2 ? strtoull(argv[2], NULL, 0) : 20000000;
    struct node a, b;

    start(&a, 1, QUEUES, port);
    start(&b, 2, 1, (uint16_t)(port + 1));
    move(&a, 0);
    fill_ring(&a);
    run(&a, &b, bytes);

    struct lf_totals out = lf_engine_totals(a.engine), in = lf_engine_totals(b.engine);

    lf_engine_stop(a.engine);
    lf_engine_stop(b.engine);
    CHECK(in.packets_in == out.packets_out && in.bytes_in == out.bytes_out);
    for (unsigned i = 0; i < LF_REASONS; i++)
        CHECK(in.drops[i] == 0 && (out.drops[i] == 0 || i == LF_STAGE_FULL || i == LF_STAGE_AGED));
    CHECK(out.drops[LF_STAGE_FULL] + out.drops[LF_STAGE_AGED] <= STRANGERS);
    CHECK(merged > 0);
    printf("%llu packets, %llu merged frames\n", (unsigned long long)out.packets_out, (unsigned long long)merged);
    finish(&a);
    finish(&b);
    return 0;
}
