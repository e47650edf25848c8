/* One engine whose packets enter a tunnel inside of another, or leave natively, under TSan and ASan: frames of all shapes, some
 * of which lie about themselves, while the control thread changes the way. What arrives is taken apart. A datagram socket
 * pair stands in for the TUN. Usage: nested PORT FRAMES [native] (uses PORT and PORT + 1 on loopback). */
#define _GNU_SOURCE
#include "engine.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "checksum.h"
#include "frame.h"
#include "packet.h"
#include "tunnel.h"

enum { PAYLOAD_MAX = 40000, ROUND = 16, PATIENCE_MS = 10000, SLOTS = 4, LISP_HEADER = 8 };

#define CHECK(condition) \
    do \
        if (!(condition)) { \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            abort(); \
        } \
    while (0)

static const uint8_t here[2][16] = {{10, 9, 0, 1}, {0xfd, 9, [15] = 1}};
static const uint8_t there[2][16] = {{10, 9, 0, 2}, {0xfd, 9, [15] = 2}};
static const uint8_t near[2][16] = {{127, 0, 0, 1}, {[15] = 1}};
static const uint8_t inner_from[2][16] = {{203, 0, 113, 5}, {0x20, 1, 0x0d, 0xb8, [15] = 5}};
static const uint8_t inner_to[2][16] = {{198, 51, 100, 7}, {0x20, 1, 0x0d, 0xb8, [15] = 7}};
static uint64_t state = 1;
static uint16_t port;
static int outside, far_end[2];
static struct lf_engine *engine;
static unsigned long taken_apart;

static unsigned chance(unsigned limit)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)(state >> 16) % limit;
}

static uint8_t family(unsigned six)
{
    return six ? 6 : 4;
}

/* Everything goes this way from now on. */
static void change_way(bool native)
{
    const unsigned six = chance(2), inside = chance(2);
    struct {
        struct lf_packed_header count;
        struct lf_packed_set set;
        struct lf_packed_locator locator;
        struct lf_packed_tunnel tunnel;
        struct lf_packed_put puts[2];
        struct lf_packed_source sources[SLOTS];
        struct lf_packed_local own[2];
    } change = {
        .count = {.magic = {'L', 'F', 'T', 'X'},
                  .version = LF_PACKED_VERSION,
                  .flags = LF_PACKED_LOCAL,
                  .sets = 1,
                  .puts = 2,
                  .sources = SLOTS,
                  .locals = 2},
        .set = {.count = 1, .tunnels = 1},
        .locator = {.family = family(six),
                    .slot = (uint8_t)six,
                    .priority = 1,
                    .port = (uint16_t)(port + 1),
                    .mtu = (uint16_t)(chance(4) ? 1500 : 500 + chance(1500))},
        .tunnel = {.family = family(inside), .slot = (uint8_t)(2 + inside), .port = 4341, .header = {8, [6] = 7}},
    };

    memcpy(change.locator.address, near[six], 16);
    memcpy(change.tunnel.address, inner_to[inside], 16);
    for (unsigned i = 0; i < 2; i++) {
        change.puts[i] = (struct lf_packed_put){.family = family(i), .set = LF_PACKED_OWN};
        if (native)
            change.puts[i] = (struct lf_packed_put){.family = family(i), .kind = LF_NATIVE};
        change.own[i] = (struct lf_packed_local){.family = family(i), .length = i ? 128 : 32};
        memcpy(change.own[i].network, here[i], 16);
    }
    for (unsigned i = 0; i < SLOTS; i++) {
        change.sources[i] = (struct lf_packed_source){.family = family(i % 2), .slot = (uint8_t)i};
        change.sources[i].ifindex = i < 2 ? if_nametoindex("lo") : 0;
        memcpy(change.sources[i].address, i < 2 ? near[i] : inner_from[i % 2], 16);
    }
    CHECK(lf_engine_commit_packed(engine, &change, sizeof change).error == LF_OK);
}

/* A frame with its virtio-net header; the checksums are nobody's business here. */
static size_t make_frame(uint8_t *frame)
{
    const unsigned six = chance(2);
    const bool tcp = chance(2), gso = chance(2);
    const size_t start = six ? LF_IPV6_HEADER : LF_IPV4_HEADER, transport = tcp ? 20 : 8;
    const size_t payload = 1 + chance(gso ? PAYLOAD_MAX : 2500), length = start + transport + payload;
    uint8_t *packet = frame + LF_VNET;
    struct lf_vnet vnet = {.gso_type = LF_VNET_NONE};

    memset(frame, 0, LF_VNET + start + transport);
    packet[0] = six ? 0x60 : 0x45;
    lf_store16(packet + (six ? 4 : 2), (uint16_t)(six ? length - LF_IPV6_HEADER : length));
    packet[six ? 6 : 9] = tcp ? LF_TCP : LF_UDP;
    packet[six ? 7 : 8] = (uint8_t)(1 + chance(255));
    if (!six && chance(2))
        packet[6] = 0x40;
    memcpy(packet + (six ? 8 : 12), here[six], six ? 16 : 4);
    memcpy(packet + (six ? 24 : 16), there[six], six ? 16 : 4);
    lf_store16(packet + start, (uint16_t)chance(64));
    if (tcp)
        packet[start + 12] = 0x50;
    memset(packet + start + transport, (int)chance(256), payload);
    if (gso) {
        vnet.flags = LF_VNET_NEEDS_CSUM;
        vnet.gso_type = tcp ? (six ? LF_VNET_TCPV6 : LF_VNET_TCPV4) : LF_VNET_UDP_L4;
        vnet.gso_size = (uint16_t)(chance(16) ? 500 + chance(1000) : 1 + chance(3000));
        vnet.csum_start = (uint16_t)start;
        vnet.csum_offset = tcp ? 16 : 6;
    }
    memcpy(frame, &vnet, sizeof vnet);
    if (chance(16) == 0)
        frame[chance(LF_VNET + (unsigned)start + 20)] ^= (uint8_t)(1u << chance(8));
    return LF_VNET + length;
}

static void take_apart(uint8_t *data, size_t length)
{
    struct lf_packet packet, inner;

    CHECK(length > LISP_HEADER && lf_packet_parse(&packet, data + LISP_HEADER, length - LISP_HEADER) == LF_PARSE_OK);
    CHECK(packet.length == length - LISP_HEADER && lf_packet_checksum_ok(&packet));

    const unsigned six = packet.family == 6;
    uint8_t *udp = packet.data + packet.header;

    CHECK(memcmp(packet.source.bytes, inner_from[six], 16) == 0);
    CHECK(memcmp(packet.destination.bytes, inner_to[six], 16) == 0);
    CHECK(lf_load16(udp + 2) == 4341 && lf_load16(udp + 4) == packet.length - packet.header);
    CHECK(udp[8] == 8 && udp[14] == 7);
    CHECK(lf_packet_parse(&inner, udp + 16, packet.length - packet.header - 16) == LF_PARSE_OK);
    CHECK(inner.length == packet.length - packet.header - 16 && inner.tos == packet.tos && inner.ttl == packet.ttl);
    CHECK(memcmp(inner.source.bytes, here[inner.family == 6], 16) == 0);
    taken_apart++;
}

static void drain(void)
{
    static uint8_t data[65536];

    for (unsigned i = 0; i < 2; i++)
        for (ssize_t got; (got = recv(far_end[i], data, sizeof data, MSG_DONTWAIT)) >= 0;)
            take_apart(data, (size_t)got);
    while (recv(outside, data, sizeof data, MSG_DONTWAIT) >= 0) /* ICMP answers */
        continue;
}

static int open_far(unsigned six)
{
    const int fd = socket(six ? AF_INET6 : AF_INET, SOCK_DGRAM, 0), room = 8 << 20, on = 1;
    const struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)(port + 1))};
    const struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)(port + 1))};

    CHECK(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room) >= -1);
    if (six) {
        CHECK(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) == 0);
        CHECK(setsockopt(fd, IPPROTO_UDP, 102, &on, sizeof on) == 0); /* UDP_NO_CHECK6_RX */
        CHECK(bind(fd, (const struct sockaddr *)&v6, sizeof v6) == 0);
    } else {
        CHECK(bind(fd, (const struct sockaddr *)&v4, sizeof v4) == 0);
    }
    return fd;
}

/* So many frames, the way changed after each few. */
static void play(unsigned long frames, bool native)
{
    static uint8_t frame[LF_VNET + 60 + PAYLOAD_MAX + 64];

    for (unsigned long i = 0; i < frames; i++) {
        struct pollfd room = {.fd = outside, .events = POLLOUT};
        const size_t length = make_frame(frame);

        if (i % ROUND == 0)
            change_way(native && chance(3) == 0);
        CHECK(poll(&room, 1, PATIENCE_MS) == 1);
        CHECK(send(outside, frame, length, 0) == (ssize_t)length);
        drain();
    }
}

int main(int argc, char **argv)
{
    struct lf_options options = {.source_ports = 16, .offload = true, .framed = true};
    const unsigned long frames = argc > 2 ? strtoul(argv[2], NULL, 0) : 2000;
    int pair[2];

    port = (uint16_t)(argc > 1 ? strtoul(argv[1], NULL, 0) : 24341);
    options.port = port;
    options.native = argc > 3;
    options.checksum = (enum lf_checksum_policy)(port % 3);
    for (unsigned i = 0; i < 2; i++)
        far_end[i] = open_far(i);
    CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0);
    outside = pair[0];
    engine = lf_engine_new(&pair[1], 1, &options);
    CHECK(engine && lf_engine_start(engine) == 0);
    play(frames, options.native);
    lf_engine_stop(engine);
    drain();
    printf("%lu taken apart of %llu that left\n", taken_apart,
           (unsigned long long)lf_engine_totals(engine).packets_out);
    CHECK(taken_apart > frames && lf_engine_totals(engine).packets_out >= taken_apart);
    lf_engine_free(engine);
    return 0;
}
