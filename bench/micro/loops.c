#include "loops.h"

#include <stdio.h>
#include <stdlib.h>

#include "checksum.h"
#include "coalesce.h"
#include "decap.h"
#include "encap.h"
#include "forward.h"
#include "packets.h"
#include "segment.h"
#include "transaction.h"

/* Ours: 1,400 bytes of payload as on the Internet; 44 of them are what one read of the TUN brings. */
enum { PACKETS = 64, PAYLOAD = 1400, SMALL = 64, TRAIN = 44, BIG = TRAIN * PAYLOAD };

static struct lf_view view;
static struct lf_coalescer coalescer;
static uint8_t outgoing[2][PACKETS][SLOT], incoming[2][PACKETS][SLOT]; /* by family; in front of the latter LISP */
static uint8_t trains[3][TRAIN][SLOT], flows[PACKETS][SLOT], frames[3][BIG + SLOT];
static size_t small_length[2], train_length[3], frame_length[3];
static uint8_t scratch[SLOT];
static volatile uint64_t sink; /* so that no result is unused */

/* What trains and frames are, by index. */
static const struct {
    uint8_t family, protocol;
} kinds[3] = {{4, LF_TCP}, {6, LF_TCP}, {4, LF_UDP}};

static void parse(unsigned family, size_t operations)
{
    struct lf_packet packet;

    for (size_t i = 0; i < operations; i++) {
        lf_packet_parse(&packet, outgoing[family == 6][i % PACKETS], small_length[family == 6]);
        sink = lf_packet_transport(&packet).offset;
    }
}

static bool encapsulate_one(unsigned family, size_t number)
{
    struct lf_packet packet;
    uint32_t iid;

    if (lf_encap_check(view, outgoing[family == 6][number], small_length[family == 6], &packet, &iid) != LF_PASS)
        return false;

    const struct lf_route route = lf_forward(view, iid, &packet);

    if (route.kind != LF_ENCAPSULATE || !route.locator)
        return false;
    lf_encap_header(scratch, route.locator, packet.family);
    return true;
}

static void encapsulate(unsigned family, size_t operations)
{
    for (size_t i = 0; i < operations; i++)
        sink = encapsulate_one(family, i % PACKETS);
}

static bool decapsulate_one(unsigned family, size_t number)
{
    const struct lf_outer outer = {.ttl = 64};
    struct lf_packet packet;
    uint32_t iid;

    return lf_decap(view, false, incoming[family == 6][number], LF_HEADER + small_length[family == 6], outer, &packet,
                    &iid) == LF_PASS;
}

static void decapsulate(unsigned family, size_t operations)
{
    for (size_t i = 0; i < operations; i++)
        sink = decapsulate_one(family, i % PACKETS);
}

static size_t segment_frame(unsigned kind, size_t most)
{
    struct lf_frame frame = {
        .data = frames[kind],
        .length = frame_length[kind],
        .gso = kinds[kind].protocol == LF_TCP ? LF_GSO_TCP : LF_GSO_UDP,
        .gso_size = PAYLOAD,
    };
    struct lf_segments segments;
    struct lf_packet packet;

    if (lf_packet_parse(&packet, frame.data, frame.length) != LF_PARSE_OK ||
        !lf_segments_begin(&segments, &frame, &packet))
        return 0;
    if (most > segments.count)
        most = segments.count;
    for (size_t i = 0; i < most; i++)
        sink = lf_segments_next(&segments, scratch);
    return most;
}

static void segment(unsigned kind, size_t operations)
{
    while (operations > 0)
        operations -= segment_frame(kind, operations);
}

/* Merging writes into the first packet, which is therefore put back. */
static bool coalesce_train(unsigned kind, size_t count)
{
    uint8_t first[128];
    struct lf_packet packet;

    memcpy(first, trains[kind][0], sizeof first);
    for (size_t i = 0; i < count; i++) {
        lf_packet_parse(&packet, trains[kind][i], train_length[kind]);
        lf_coalesce_add(&coalescer, &packet);
    }
    lf_coalesce_finish(&coalescer);

    const bool merged = coalescer.count == 1 && coalescer.deliveries[0].packets == count;

    lf_coalesce_reset(&coalescer);
    memcpy(trains[kind][0], first, sizeof first);
    return merged;
}

static void coalesce(unsigned kind, size_t operations)
{
    for (; operations > TRAIN; operations -= TRAIN)
        sink = coalesce_train(kind, TRAIN);
    sink = coalesce_train(kind, operations);
}

static bool coalesce_flows(size_t count)
{
    struct lf_packet packet;

    for (size_t i = 0; i < count; i++) {
        lf_packet_parse(&packet, flows[i], small_length[0]);
        lf_coalesce_add(&coalescer, &packet);
    }
    lf_coalesce_finish(&coalescer);

    const bool apart = coalescer.count == count;

    lf_coalesce_reset(&coalescer);
    return apart;
}

static void coalesce_alone(unsigned kind, size_t operations)
{
    (void)kind;
    for (; operations > PACKETS; operations -= PACKETS)
        sink = coalesce_flows(PACKETS);
    sink = coalesce_flows(operations);
}

static void checksum(unsigned length, size_t operations)
{
    for (size_t i = 0; i < operations; i++)
        sink = lf_checksum_fold(lf_checksum_add(0, trains[0][i % TRAIN], length));
}

static const struct {
    const char *name;
    const char *operation;
    void (*run)(unsigned argument, size_t operations);
    unsigned argument;
} loops[] = {
    {"parse/ipv4", "a packet: IP header, transport header found", parse, 4},
    {"parse/ipv6", "a packet: IP header, transport header found", parse, 6},
    {"encapsulate/ipv4", "a packet: checked, looked up, LISP header written", encapsulate, 4},
    {"encapsulate/ipv6", "a packet: checked, looked up, LISP header written", encapsulate, 6},
    {"decapsulate/ipv4", "a datagram: checked, TTL, DSCP and ECN set", decapsulate, 4},
    {"decapsulate/ipv6", "a datagram: checked, TTL, DSCP and ECN set", decapsulate, 6},
    {"segment/tcp-ipv4", "one of 44 segments of 1,400 bytes, checksum and all", segment, 0},
    {"segment/tcp-ipv6", "one of 44 segments of 1,400 bytes, checksum and all", segment, 1},
    {"segment/udp-ipv4", "one of 44 segments of 1,400 bytes, checksum and all", segment, 2},
    {"coalesce/tcp-ipv4", "one of 44 packets of 1,400 bytes that become one", coalesce, 0},
    {"coalesce/tcp-ipv6", "one of 44 packets of 1,400 bytes that become one", coalesce, 1},
    {"coalesce/udp-ipv4", "one of 44 packets of 1,400 bytes that become one", coalesce, 2},
    {"coalesce/alone", "one of 64 packets of as many flows", coalesce_alone, 0},
    {"checksum/20", "20 bytes", checksum, 20},
    {"checksum/60", "60 bytes", checksum, 60},
    {"checksum/1400", "1,400 bytes", checksum, 1400},
};

static bool make_table(void)
{
    struct lf_table *table = lf_table_new(1, 1);
    struct {
        struct lf_packed_header count;
        struct lf_packed_set set;
        struct lf_packed_locator locator;
        struct lf_packed_put puts[2];
        struct lf_packed_source source;
        struct lf_packed_local own[2];
    } change = {
        .count = {.magic = {'L', 'F', 'T', 'X'},
                  .version = LF_PACKED_VERSION,
                  .flags = LF_PACKED_LOCAL,
                  .sets = 1,
                  .puts = 2,
                  .sources = 1,
                  .locals = 2},
        .set = {.count = 1},
        .locator = {.address = {192, 0, 2, 2}, .family = 4, .priority = 1, .weight = 100, .port = 4341, .mtu = 1500},
        .source = {.address = {192, 0, 2, 1}, .family = 4},
    };

    for (unsigned i = 0; i < 2; i++) {
        const uint8_t family = i ? 6 : 4;

        change.puts[i] = (struct lf_packed_put){.family = family, .length = i ? 128 : 32, .set = LF_PACKED_OWN};
        memcpy(change.puts[i].network, eids[i][1], i ? 16 : 4);
        change.own[i].family = family;
        change.own[i].length = i ? 128 : 32;
        memcpy(change.own[i].network, eids[i][0], i ? 16 : 4);
    }
    if (!table || lf_table_commit_packed(table, &change, sizeof change).error != LF_OK)
        return false;
    view = (struct lf_view){.table = table, .pin = lf_epoch_pin(&table->epoch, 0)};
    return true;
}

static void make_packets(void)
{
    for (unsigned i = 0; i < PACKETS; i++) {
        const uint16_t port = (uint16_t)(10000 + i);

        for (unsigned six = 0; six < 2; six++) {
            const uint8_t family = six ? 6 : 4;

            small_length[six] = put_packet(outgoing[six][i], family, LF_UDP, true, port, 0, SMALL);
            put_packet(incoming[six][i] + LF_HEADER, family, LF_UDP, false, port, 0, SMALL);
        }
        put_packet(flows[i], 4, LF_UDP, false, port, 0, SMALL);
    }
    for (unsigned kind = 0; kind < 3; kind++) {
        const uint8_t family = kinds[kind].family, protocol = kinds[kind].protocol;

        for (unsigned i = 0; i < TRAIN; i++)
            train_length[kind] = put_packet(trains[kind][i], family, protocol, false, 1, i * PAYLOAD, PAYLOAD);
        frame_length[kind] = put_packet(frames[kind], family, protocol, true, 1, 0, BIG);
    }
}

bool lf_loops_setup(void)
{
    if (!make_table())
        return false;
    make_packets();
    lf_coalesce_init(&coalescer, true, true);
    for (unsigned kind = 0; kind < 3; kind++)
        if (segment_frame(kind, TRAIN + 1) != TRAIN || !coalesce_train(kind, TRAIN))
            return false;
    return encapsulate_one(4, 0) && encapsulate_one(6, 0) && decapsulate_one(4, 0) && decapsulate_one(6, 0) &&
           coalesce_flows(PACKETS);
}

size_t lf_loops_count(void)
{
    return sizeof loops / sizeof loops[0];
}

const char *lf_loops_name(size_t loop)
{
    return loops[loop].name;
}

const char *lf_loops_operation(size_t loop)
{
    return loops[loop].operation;
}

void lf_loops_run(size_t loop, size_t operations)
{
    loops[loop].run(loops[loop].argument, operations);
}

#ifdef LF_LOOPS_MAIN

/* loops NUMBER OPERATIONS: for callgrind. */
int main(int argc, char **argv)
{
    if (argc != 3 || strtoul(argv[1], NULL, 10) >= lf_loops_count()) {
        fputs("usage: loops NUMBER OPERATIONS\n", stderr);
        return 2;
    }
    if (!lf_loops_setup()) {
        fputs("loops: a part does not do what its loop is about\n", stderr);
        return 1;
    }
    lf_loops_run(strtoul(argv[1], NULL, 10), strtoul(argv[2], NULL, 10));
    return 0;
}

#endif
