/* Two engines back to back on loopback, every offload off, under TSan and ASan: what goes into one TUN comes out of the
 * other, all of it and in order, while the control thread withdraws and sets the mapping, moves the source RLOC and reads
 * every counter. Datagram socket pairs stand in for the TUN queues. Usage: engine PORT PACKETS (uses PORT and PORT + 1). */
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
#include "packet.h"

enum { FLOWS = 2, AHEAD = 32, LENGTH = 100, PATIENCE_MS = 10000 };

#define CHECK(condition) \
    do \
        if (!(condition)) { \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            abort(); \
        } \
    while (0)

struct node {
    struct lf_engine *engine;
    unsigned queues; /* one at the receiver: after a move the kernel may pick another of its sockets, and reorder */
    int outside[FLOWS]; /* our ends of the TUN queues */
    int inside[FLOWS];
    uint16_t port;
};

static struct lf_address address4(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
    const uint8_t bytes[4] = {a, b, c, d};

    return lf_address_make(4, bytes);
}

static struct lf_address eid(unsigned node, unsigned flow)
{
    return address4(10, (uint8_t)node, 0, (uint8_t)(flow + 1));
}

static struct lf_problem commit(struct node *node, struct change *change)
{
    return lf_engine_commit_packed(node->engine, change->buffer, change_end(change));
}

static void start(struct node *node, unsigned number, unsigned queues, uint16_t port)
{
    const struct lf_options options = {.port = port, .source_ports = 16};
    struct change change;

    node->port = port;
    node->queues = queues;
    for (unsigned i = 0; i < queues; i++) {
        int pair[2];

        CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0);
        node->outside[i] = pair[0];
        node->inside[i] = pair[1];
    }
    node->engine = lf_engine_new(node->inside, queues, &options);
    change_begin(&change);
    for (unsigned i = 0; i < FLOWS; i++) {
        const struct lf_address address = eid(number, i);

        change_local(&change, &address, 0);
    }
    CHECK(commit(node, &change).error == LF_OK);
    CHECK(lf_engine_start(node->engine) == 0);
}

static void move(struct node *node, unsigned step)
{
    const struct lf_address source = address4(127, 0, 0, (uint8_t)(1 + step % 4));
    struct change change;

    change_begin(&change);
    change_source(&change, 0, &source, 0);
    CHECK(commit(node, &change).error == LF_OK);
}

/* False where the mapping is, or is not, there already. */
static bool map(struct node *node, const struct lf_address *destination, uint16_t port, bool there)
{
    const struct lf_locator locator = {
        .address = address4(127, 0, 0, 1), .port = port, .mtu = 1500, .priority = 1, .weight = 1};
    struct change change;

    change_begin(&change);
    if (there)
        change_put(&change, 0, destination, 32, &locator);
    else
        change_withdraw(&change, 0, destination, 32);
    return commit(node, &change).error == LF_OK;
}

static void send_packet(struct node *from, unsigned flow, uint32_t number)
{
    const struct lf_address source = eid(1, flow), destination = eid(2, flow);
    uint8_t packet[LENGTH] = {0x45, [8] = 64, [9] = LF_UDP};
    uint16_t checksum;

    lf_store16(packet + 2, LENGTH);
    memcpy(packet + 12, source.bytes, 4);
    memcpy(packet + 16, destination.bytes, 4);
    checksum = lf_checksum_fold(lf_checksum_add(0, packet, 20));
    memcpy(packet + 10, &checksum, 2);
    memcpy(packet + 40, &number, sizeof number);
    CHECK(write(from->outside[flow], packet, sizeof packet) == LENGTH);
}

static uint32_t expected[FLOWS];
static bool mapped[FLOWS];
static uint32_t mapped_at[FLOWS]; /* what was expected then: AHEAD more, and the worker has seen the mapping */

static unsigned receive(struct node *to)
{
    unsigned count = 0;

    for (unsigned i = 0; i < to->queues; i++) {
        uint8_t packet[LENGTH + 1];

        while (recv(to->outside[i], packet, sizeof packet, MSG_DONTWAIT) == LENGTH) {
            unsigned flow = packet[19] - 1u;
            uint32_t number;

            memcpy(&number, packet + 40, sizeof number);
            CHECK(flow < FLOWS && number == expected[flow]); /* nothing lost, nothing overtaken */
            expected[flow]++;
            count++;
        }
    }
    return count;
}

static unsigned answer_punts(struct node *node, uint16_t port)
{
    struct lf_punt punt;
    unsigned count = 0;

    lf_engine_punt_rearm(node->engine);
    while (lf_engine_punt_take(node->engine, &punt)) {
        unsigned flow = punt.destination.bytes[3] - 1u;

        CHECK(map(node, &punt.destination, port, true));
        mapped[flow] = true;
        mapped_at[flow] = expected[flow];
        count++;
    }
    return count;
}

static void read_counters(struct node *node)
{
    struct lf_address address;
    uint64_t last;
    uint32_t place = 0;
    uint32_t from = 0;
    struct lf_usage_row row;

    (void)lf_engine_totals(node->engine);
    while (lf_engine_peer(node->engine, &place, &address, &last))
        CHECK(address.family == 4);
    while (lf_table_usage(lf_engine_table(node->engine), 0, &from, &row, 1))
        CHECK(row.use.drops == 0 && row.use.used_ms >= row.use.last_ms);
}

static void run(struct node *a, struct node *b, unsigned packets)
{
    unsigned sent = 0, received = 0, punts = 0;

    while (received < packets) {
        struct pollfd waits[2] = {{.fd = lf_engine_punt_fd(a->engine), .events = POLLIN}};

        for (; sent < packets && sent - received < AHEAD; sent++)
            send_packet(a, sent % FLOWS, sent / FLOWS);
        waits[1] = (struct pollfd){.fd = b->outside[0], .events = POLLIN};
        CHECK(poll(waits, 2, PATIENCE_MS) > 0);
        received += receive(b);
        punts += answer_punts(a, b->port);
        move(a, received);
        for (unsigned flow = 0; flow < FLOWS; flow++) {
            const struct lf_address destination = eid(2, flow);

            if (mapped[flow] && expected[flow] - mapped_at[flow] > AHEAD) {
                CHECK(map(a, &destination, b->port, false));
                mapped[flow] = false;
            }
        }
        read_counters(a);
        read_counters(b);
    }
    printf("%u packets, %u punts\n", received, punts);
    CHECK(punts > packets / 1000);
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
    uint16_t port = (uint16_t)(argc > 1 ? strtoul(argv[1], NULL, 0) : 24341);
    unsigned packets = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 0) : 20000;
    struct node a, b;

    start(&a, 1, FLOWS, port);
    start(&b, 2, 1, (uint16_t)(port + 1));
    move(&a, 0);
    run(&a, &b, packets);

    struct lf_totals out = lf_engine_totals(a.engine), in = lf_engine_totals(b.engine);

    lf_engine_stop(a.engine);
    lf_engine_stop(b.engine);
    CHECK(in.packets_in == packets);
    for (unsigned i = 0; i < LF_REASONS; i++)
        CHECK(out.drops[i] == 0 && in.drops[i] == 0);
    finish(&a);
    finish(&b);
    return 0;
}
