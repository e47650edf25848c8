#include "clamp.h"

#include "checksum.h"

/* From RFC 9293 sections 3.1 and 3.2; offsets are from the TCP header's first byte. */
enum { TCP_HEADER = 20, TCP_OFFSET = 12, TCP_FLAGS = 13, TCP_CHECKSUM = 16, SYN = 0x02 };
enum { OPTION_END = 0, OPTION_NONE = 1, OPTION_MSS = 2, OPTION_MSS_LENGTH = 4 };

/* Stores a 16-bit value that the checksum covers. At an odd offset its bytes stand in two words of the sum, and in each
 * of them on the other side: the sum changes as if the value's bytes were swapped (RFC 1071 section 2(B)). */
static void replace(uint8_t *header, size_t at, uint16_t value)
{
    const size_t first = at % 2, second = 1 - first;
    const uint8_t before[2] = {header[at + first], header[at + second]};
    uint16_t words[2], checksum;

    lf_store16(header + at, value);

    const uint8_t after[2] = {header[at + first], header[at + second]};

    memcpy(&words[0], before, 2);
    memcpy(&words[1], after, 2);
    memcpy(&checksum, header + TCP_CHECKSUM, 2);
    checksum = lf_checksum_replace(checksum, words[0], words[1]);
    memcpy(header + TCP_CHECKSUM, &checksum, 2);
}

/* Every MSS option of a TCP header of `size` bytes, as receivers differ in which they take; up to the first option that
 * has no end within the header. */
static bool lower(uint8_t *header, size_t size, uint16_t most)
{
    bool lowered = false;

    for (size_t at = TCP_HEADER; at < size && header[at] != OPTION_END;) {
        if (header[at] == OPTION_NONE) {
            at++;
            continue;
        }
        if (size - at < 2 || header[at + 1] < 2 || header[at + 1] > size - at)
            break;
        if (header[at] == OPTION_MSS && header[at + 1] == OPTION_MSS_LENGTH && lf_load16(header + at + 2) > most) {
            replace(header, at + 2, most);
            lowered = true;
        }
        at += header[at + 1];
    }
    return lowered;
}

bool lf_clamp_mss(struct lf_packet *packet, size_t mtu)
{
    const struct lf_transport transport = lf_packet_transport(packet);
    /* The MSS counts the fixed headers only, no options of IP or TCP (RFC 6691 section 2). */
    const size_t fixed = (packet->family == 4 ? LF_IPV4_HEADER : LF_IPV6_HEADER) + TCP_HEADER;

    if (!transport.known || transport.fragment || transport.protocol != LF_TCP ||
        packet->length - transport.offset < TCP_HEADER || mtu <= fixed || mtu - fixed >= UINT16_MAX)
        return false;

    uint8_t *header = packet->data + transport.offset;
    const size_t size = (size_t)(header[TCP_OFFSET] >> 4) * 4;

    if (!(header[TCP_FLAGS] & SYN) || size < TCP_HEADER || size > packet->length - transport.offset)
        return false;
    return lower(header, size, (uint16_t)(mtu - fixed));
}
