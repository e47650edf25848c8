/* Packets that are answered, fragmented or clamped on their way out. Input: an MTU, packet. */
#include "fuzz.h"

#include "checksum.h"
#include "clamp.h"
#include "fragment.h"
#include "icmp.h"

enum { PACKET_MAX = 65535 };

/* An error that was answered would go round for ever. */
static void check_answer(const uint8_t *answer, size_t length, const struct lf_packet *packet)
{
    uint8_t *copy, again[LF_ICMP_MAX];
    struct lf_packet reply;

    CHECK(length <= LF_ICMP_MAX);
    if (length == 0)
        return;
    copy = malloc(length);
    CHECK(copy);
    memcpy(copy, answer, length);
    CHECK(lf_packet_parse(&reply, copy, length) == LF_PARSE_OK && reply.length == length);
    CHECK(lf_packet_checksum_ok(&reply) && lf_address_equal(&reply.destination, &packet->source));
    CHECK(lf_icmp_unreachable(again, &reply, LF_ICMP_NO_ROUTE) == 0 && lf_icmp_too_big(again, &reply, 1280) == 0);
    free(copy);
}

static void answer(const struct lf_packet *packet, size_t mtu)
{
    uint8_t answer[LF_ICMP_MAX];

    for (unsigned code = 0; code < LF_ICMP_CODES; code++)
        check_answer(answer, lf_icmp_unreachable(answer, packet, (enum lf_icmp_unreachable)code), packet);
    check_answer(answer, lf_icmp_too_big(answer, packet, mtu), packet);
}

static void fragment(const struct lf_packet *packet, size_t room)
{
    struct lf_fragments fragments;
    size_t payload = 0, largest = room < PACKET_MAX ? room : PACKET_MAX;
    uint8_t *out;

    if (!lf_fragments_begin(&fragments, packet, room))
        return;
    CHECK(packet->family == 4 && fragments.count > 0 && largest > 0);
    out = malloc(largest);
    CHECK(out);
    for (size_t i = 0; i < fragments.count; i++) {
        struct lf_packet piece;
        const size_t length = lf_fragments_next(&fragments, out);

        CHECK(length <= largest && lf_packet_parse(&piece, out, length) == LF_PARSE_OK && piece.length == length);
        CHECK(fragments.count == 1 || lf_packet_checksum_ok(&piece));
        CHECK(piece.length - piece.header == fragments.each || i + 1 == fragments.count);
        CHECK(memcmp(out + piece.header, packet->data + packet->header + payload, length - piece.header) == 0);
        payload += length - piece.header;
    }
    CHECK(packet->header + payload == packet->length);
    free(out);
}

static uint16_t tcp_sum(const struct lf_packet *packet)
{
    const size_t offset = lf_packet_transport(packet).offset;

    return lf_checksum_fold(lf_checksum_add(0, packet->data + offset, packet->length - offset));
}

/* Whatever the checksum said before, it says after. */
static void clamp(struct lf_packet *packet, size_t mtu)
{
    const uint16_t before = tcp_sum(packet);

    if (!lf_clamp_mss(packet, mtu))
        return;

    const uint16_t after = tcp_sum(packet);

    CHECK(before == after || (before ^ after) == 0xffff); /* there are two zeros */
    CHECK(!lf_clamp_mss(packet, mtu));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {.data = data, .length = size};
    const size_t mtu = fuzz_take16(&input);
    struct lf_packet packet;
    uint8_t *block;
    size_t length;
    uint8_t *start = fuzz_take_rest(&input, 0, PACKET_MAX, &block, &length);

    if (lf_packet_parse(&packet, start, length) == LF_PARSE_OK) {
        answer(&packet, mtu);
        fragment(&packet, mtu);
        clamp(&packet, mtu);
    }
    free(block);
    return 0;
}
