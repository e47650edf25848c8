/* Random and mutated packets through every function that reads what others wrote. Run under ASan and UBSan: each packet
 * lies at the end of its own heap block, so that one byte too far is seen. Usage: packets SEED COUNT. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checksum.h"
#include "decap.h"
#include "encap.h"
#include "icmp.h"
#include "tunnel.h"
#include "change.h"

#define CHECK(condition) \
    do \
        if (!(condition)) { \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            abort(); \
        } \
    while (0)

static uint64_t state;

static uint64_t next_random(void)
{
    state += UINT64_C(0x9e3779b97f4a7c15);

    uint64_t z = state;

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static unsigned below(unsigned limit)
{
    return (unsigned)(next_random() % limit);
}

static const uint8_t ours4[] = {10, 9, 0, 1}, theirs4[] = {10, 9, 0, 2};
static const uint8_t ours6[16] = {0xfd, 9, [15] = 1}, theirs6[16] = {0xfd, 9, [15] = 2};

static struct lf_table *make_table(void)
{
    struct lf_table *table = lf_table_new(1, 1);
    const struct lf_address here = lf_address_make(4, ours4), there = lf_address_make(4, theirs4);
    const struct lf_address here6 = lf_address_make(6, ours6);
    const struct lf_address any4 = {.family = 4}, any6 = {.family = 6};
    const struct lf_locator locator = {.address = there, .port = 4341, .priority = 1, .weight = 1, .mtu = 1500};
    static struct change change;

    change_begin(&change);
    change_put(&change, 0, &any4, 0, &locator);
    change_put(&change, 0, &any6, 0, &locator);
    change_local(&change, &here, 0);
    change_local(&change, &here6, 0);
    change_local(&change, &here, 7);
    change_source(&change, 0, &here, 0);
    CHECK(change_commit(&change, table).error == LF_OK);
    return table;
}

/* A packet that is nearly right: some headers, then a few bytes changed. */
static size_t make_packet(uint8_t *packet, bool outbound)
{
    size_t length = 20 + below(200);

    for (size_t i = 0; i < length; i++)
        packet[i] = (uint8_t)next_random();
    if (below(16) == 0)
        return below(60);
    if (below(2)) {
        packet[0] = (uint8_t)(0x45 + (below(4) == 0 ? below(11) : 0));
        lf_store16(packet + 2, (uint16_t)length);
        packet[9] = (uint8_t[]){LF_ICMP, LF_TCP, LF_UDP, 99}[below(4)];
        memcpy(packet + 12, outbound ? ours4 : theirs4, 4);
        memcpy(packet + 16, outbound ? theirs4 : ours4, 4);
    } else {
        length += 20;
        memset(packet, 0, 8);
        packet[0] = 0x60;
        lf_store16(packet + 4, (uint16_t)(length - 40));
        packet[6] = (uint8_t[]){0, 43, 44, 51, 60, LF_ICMPV6, LF_TCP, LF_UDP}[below(8)];
        packet[7] = 64;
        memcpy(packet + 8, outbound ? ours6 : theirs6, 16);
        memcpy(packet + 24, outbound ? theirs6 : ours6, 16);
        packet[40] = (uint8_t[]){0, 43, 44, 51, 60, LF_ICMPV6, LF_TCP, LF_UDP}[below(8)];
    }
    for (unsigned i = below(3); i > 0; i--)
        packet[below((unsigned)length)] = (uint8_t)next_random();
    return length;
}

static void fix_checksum(uint8_t *packet, size_t length)
{
    struct lf_packet parsed;

    if (lf_packet_parse(&parsed, packet, length) == LF_PARSE_OK && below(8)) {
        uint8_t tos = parsed.tos;

        lf_packet_set_tos_ttl(&parsed, (uint8_t)(tos + 1), parsed.ttl);
        lf_packet_set_tos_ttl(&parsed, tos, parsed.ttl);
        CHECK(lf_packet_checksum_ok(&parsed));
    }
}

/* The headers of a tunnel inside fit the headroom with those of the outer one, and read as what they say. */
static void enter_tunnel(const struct lf_packet *packet)
{
    const uint8_t six = below(2) == 0, bytes[16] = {192, 0, 2, 1, 9};
    const struct lf_address from = lf_address_make(six ? 6 : 4, bytes), to = from;
    const struct lf_locator tunnel = {.address = to, .port = 4341, .header = {8, 0, 0, 0, 0, 0, 7, 0}};
    const struct lf_entrance entrance = {.tunnel = &tunnel,
                                         .source = &from,
                                         .port = (uint16_t)next_random(),
                                         .tos = packet->tos,
                                         .ttl = packet->ttl,
                                         .checksum = below(2) == 0};
    uint8_t *at = packet->data - lf_tunnel_size(&tunnel);
    struct lf_packet outer;

    CHECK(lf_tunnel_size(&tunnel) + LF_HEADER <= LF_HEADROOM);
    lf_tunnel_write(&entrance, at, packet->length, packet->family);
    CHECK(lf_packet_parse(&outer, at, lf_tunnel_size(&tunnel) + packet->length) == LF_PARSE_OK);
    CHECK(outer.length == lf_tunnel_size(&tunnel) + packet->length && lf_packet_checksum_ok(&outer));
    CHECK(outer.tos == packet->tos && outer.ttl == packet->ttl && !lf_packet_may_fragment(&outer));
    CHECK(lf_address_equal(&outer.source, &from) && lf_address_equal(&outer.destination, &to));

    const uint8_t *udp = at + outer.header;
    const size_t length = outer.length - outer.header;

    CHECK(lf_load16(udp) == entrance.port && lf_load16(udp + 2) == 4341 && lf_load16(udp + 4) == length);
    CHECK(memcmp(udp + 8, tunnel.header, LF_HEADER) == 0);
    if (!entrance.checksum) {
        CHECK(lf_load16(udp + 6) == 0);
        return;
    }

    const size_t addresses = six ? 32 : 8;
    const uint64_t pseudo = lf_checksum_add((uint64_t)lf_network16(LF_UDP) + lf_network16(length), udp - addresses,
                                            addresses);

    CHECK(lf_load16(udp + 6) && lf_checksum_fold(lf_checksum_add(pseudo, udp, length)) == 0);
}

static unsigned go_out(struct lf_view view, uint8_t *block, size_t length)
{
    struct lf_packet packet;
    uint8_t answer[LF_ICMP_MAX], again[LF_ICMP_MAX], header[LF_HEADER];
    uint32_t iid;

    if (lf_encap_check(view, block + LF_HEADROOM, length, &packet, &iid) != LF_PASS)
        return 0;
    CHECK(packet.length <= length);

    const struct lf_route route = lf_forward(view, iid, &packet);

    CHECK(route.kind == LF_ENCAPSULATE && route.locator);
    lf_encap_header(header, route.locator, packet.family);
    CHECK(memcmp(header, route.locator->header, LF_HEADER) == 0); /* this locator's form says no protocol */
    CHECK(lf_flow_hash(&packet) == lf_flow_hash(&packet));
    enter_tunnel(&packet);
    for (unsigned code = 0; code < LF_ICMP_CODES; code++) {
        size_t size = lf_icmp_unreachable(answer, &packet, code);

        CHECK(size <= sizeof answer);
        if (size) {
            struct lf_packet reply;

            CHECK(lf_packet_parse(&reply, answer, size) == LF_PARSE_OK && reply.length == size);
            CHECK(lf_packet_checksum_ok(&reply) && lf_address_equal(&reply.destination, &packet.source));
            CHECK(lf_icmp_unreachable(again, &reply, code) == 0); /* never an error about an error */
        }
    }
    return 1;
}

static unsigned come_in(struct lf_view view, uint8_t *datagram, size_t length)
{
    const struct lf_outer outer = {.tos = (uint8_t)next_random(), .ttl = (uint8_t)next_random()};
    const bool vxlan = below(16) == 0;
    struct lf_packet packet;
    uint32_t iid;

    if (lf_decap(view, vxlan, datagram, length, outer, &packet, &iid) != LF_PASS)
        return 0;
    CHECK(packet.data == datagram + LF_HEADER && packet.length <= length - LF_HEADER);
    CHECK(packet.ttl <= outer.ttl && lf_packet_checksum_ok(&packet));
    CHECK((iid == 0 || iid == 7) && lf_locals_find(lf_table_locals(view), &packet.destination, iid));
    return 1;
}

int main(int argc, char **argv)
{
    struct lf_table *table = make_table();
    uint8_t scratch[512];
    unsigned long count = argc > 2 ? strtoul(argv[2], NULL, 0) : 1000, out = 0, in = 0;

    state = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
    for (unsigned long i = 0; i < count; i++) {
        const struct lf_view view = {.table = table, .pin = lf_epoch_pin(&table->epoch, 0)};
        bool outbound = i % 2;
        size_t front = outbound ? LF_HEADROOM : LF_HEADER, length = make_packet(scratch, outbound);

        fix_checksum(scratch, length);
        if (!outbound && length && below(16) == 0)
            length -= below((unsigned)length);

        uint8_t *start = malloc(front + length);

        memset(start, 0, front);
        memcpy(start + front, scratch, length);
        if (!outbound && below(4) == 0)
            start[0] = (uint8_t)next_random();
        if (!outbound && below(4) == 0)
            start[6] = 7;
        if (outbound)
            out += go_out(view, start, length);
        else
            in += come_in(view, start, front + length);
        free(start);
        lf_epoch_sleep(&table->epoch, 0);
    }
    lf_table_free(table);
    printf("%lu out, %lu in\n", out, in);
    /* A harness whose packets are all refused tests nothing. */
    return out > count / 20 && in > count / 20 ? 0 : 1;
}
