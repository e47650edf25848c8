#include "icmp.h"

#include <string.h>

#include "checksum.h"

/* From RFC 792, RFC 1812 and RFC 1191 (4), and RFC 4443 (6). */
enum { UNREACHABLE4 = 3, FRAGMENTATION_NEEDED = 4, ECHO_REPLY = 0, ECHO = 8, TIMESTAMP = 13, INFORMATION_REPLY = 16 };
enum { UNREACHABLE6 = 1, TOO_BIG6 = 2 };
enum { ICMPV6_INFORMATIONAL = 128, ANSWER4_MAX = 576, ICMP_HEADER = 8 };
static const uint8_t codes[LF_ICMP_CODES][2] = {[LF_ICMP_NO_ROUTE] = {0, 0}, [LF_ICMP_PROHIBITED] = {13, 1}};

/* Ours: Linux answers with at most 1,000 a second and a burst of 50; one application that retries needs far less. */
enum { BURST = 50, PER_SECOND = 100, ANSWER_TTL = 64 };

static bool answerable(const struct lf_packet *packet)
{
    const struct lf_transport transport = lf_packet_transport(packet);

    if (!transport.known || transport.later_fragment || !lf_address_may_send(&packet->source))
        return false;
    if (packet->family == 4 && transport.protocol == LF_ICMP) {
        if (transport.offset >= packet->length)
            return false;

        uint8_t type = packet->data[transport.offset];

        return type == ECHO_REPLY || type == ECHO || (type >= TIMESTAMP && type <= INFORMATION_REPLY);
    }
    if (packet->family == 6 && transport.protocol == LF_ICMPV6)
        return transport.offset < packet->length && packet->data[transport.offset] >= ICMPV6_INFORMATIONAL;
    return true;
}

static void store32(uint8_t *at, uint32_t value)
{
    lf_store16(at, (uint16_t)(value >> 16));
    lf_store16(at + 2, (uint16_t)value);
}

/* Destination unreachable with this code; `value` is what the header says after the checksum. */
static size_t error4(uint8_t *answer, const struct lf_packet *packet, uint8_t code, uint32_t value)
{
    size_t room = ANSWER4_MAX - LF_IPV4_HEADER - ICMP_HEADER;
    size_t quoted = packet->length < room ? packet->length : room;
    size_t length = LF_IPV4_HEADER + ICMP_HEADER + quoted;

    memset(answer, 0, LF_IPV4_HEADER + ICMP_HEADER);
    answer[0] = 0x45;
    lf_store16(answer + 2, (uint16_t)length);
    answer[8] = ANSWER_TTL;
    answer[9] = LF_ICMP;
    memcpy(answer + 12, packet->destination.bytes, 4);
    memcpy(answer + 16, packet->source.bytes, 4);
    lf_checksum_store(answer + 10, lf_checksum_add(0, answer, LF_IPV4_HEADER));

    uint8_t *icmp = answer + LF_IPV4_HEADER;

    icmp[0] = UNREACHABLE4;
    icmp[1] = code;
    store32(icmp + 4, value);
    memcpy(icmp + ICMP_HEADER, packet->data, quoted);
    lf_checksum_store(icmp + 2, lf_checksum_add(0, icmp, ICMP_HEADER + quoted));
    return length;
}

static size_t error6(uint8_t *answer, const struct lf_packet *packet, uint8_t type, uint8_t code, uint32_t value)
{
    size_t room = LF_ICMP_MAX - LF_IPV6_HEADER - ICMP_HEADER;
    size_t quoted = packet->length < room ? packet->length : room;
    uint16_t payload = (uint16_t)(ICMP_HEADER + quoted);

    memset(answer, 0, LF_IPV6_HEADER + ICMP_HEADER);
    answer[0] = 0x60;
    lf_store16(answer + 4, payload);
    answer[6] = LF_ICMPV6;
    answer[7] = ANSWER_TTL;
    memcpy(answer + 8, packet->destination.bytes, 16);
    memcpy(answer + 24, packet->source.bytes, 16);

    uint8_t *icmp = answer + LF_IPV6_HEADER;

    icmp[0] = type;
    icmp[1] = code;
    store32(icmp + 4, value);
    memcpy(icmp + ICMP_HEADER, packet->data, quoted);

    const uint8_t pseudo[8] = {0, 0, (uint8_t)(payload >> 8), (uint8_t)payload, 0, 0, 0, LF_ICMPV6};
    uint64_t sum = lf_checksum_add(0, answer + 8, 32);

    sum = lf_checksum_add(sum, pseudo, sizeof pseudo);
    lf_checksum_store(icmp + 2, lf_checksum_add(sum, icmp, payload));
    return LF_IPV6_HEADER + (size_t)payload;
}

size_t lf_icmp_unreachable(uint8_t *answer, const struct lf_packet *packet, enum lf_icmp_unreachable code)
{
    if (!answerable(packet) || code >= LF_ICMP_CODES)
        return 0;
    if (packet->family == 4)
        return error4(answer, packet, codes[code][0], 0);
    return error6(answer, packet, UNREACHABLE6, codes[code][1], 0);
}

size_t lf_icmp_too_big(uint8_t *answer, const struct lf_packet *packet, size_t mtu)
{
    if (!answerable(packet))
        return 0;
    if (packet->family == 4)
        return error4(answer, packet, FRAGMENTATION_NEEDED, mtu < UINT16_MAX ? (uint32_t)mtu : UINT16_MAX);
    return error6(answer, packet, TOO_BIG6, 0, (uint32_t)mtu);
}

bool lf_bucket_take(struct lf_bucket *bucket, uint64_t now_ms)
{
    uint64_t earned = (now_ms - bucket->filled_ms) * PER_SECOND / 1000;

    if (bucket->filled_ms == 0 || earned >= BURST) {
        bucket->tokens = BURST;
        bucket->filled_ms = now_ms;
    } else if (earned > 0) {
        bucket->tokens = bucket->tokens + (uint32_t)earned > BURST ? BURST : bucket->tokens + (uint32_t)earned;
        bucket->filled_ms += earned * 1000 / PER_SECOND;
    }
    if (bucket->tokens == 0)
        return false;
    bucket->tokens--;
    return true;
}
