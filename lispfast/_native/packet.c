#include "packet.h"

#include "checksum.h"

/* Ours. */
enum { EXTENSIONS_MAX = 8 }; /* IPv6 extension headers walked: more than any stack sends, and a bound on the work */

/* From the IANA protocol number registry. */
enum { HOP_BY_HOP = 0, ROUTING = 43, FRAGMENT = 44, AUTHENTICATION = 51, DESTINATION_OPTIONS = 60 };

static enum lf_parse parse4(struct lf_packet *packet, uint8_t *data, size_t length)
{
    if (length < LF_IPV4_HEADER)
        return LF_PARSE_SHORT;

    size_t header = (size_t)(data[0] & 15) * 4;
    size_t total = lf_load16(data + 2);

    if (header < LF_IPV4_HEADER || total < header || total > length)
        return LF_PARSE_LENGTH;
    *packet = (struct lf_packet){.data = data,
                                 .length = total,
                                 .family = 4,
                                 .tos = data[1],
                                 .ttl = data[8],
                                 .header = header,
                                 .source = lf_address_make(4, data + 12),
                                 .destination = lf_address_make(4, data + 16)};
    return LF_PARSE_OK;
}

static enum lf_parse parse6(struct lf_packet *packet, uint8_t *data, size_t length)
{
    if (length < LF_IPV6_HEADER)
        return LF_PARSE_SHORT;

    size_t total = (size_t)lf_load16(data + 4) + LF_IPV6_HEADER;

    if (total > length)
        return LF_PARSE_LENGTH;
    *packet = (struct lf_packet){.data = data,
                                 .length = total,
                                 .family = 6,
                                 .tos = (uint8_t)((data[0] & 15) << 4 | data[1] >> 4),
                                 .ttl = data[7],
                                 .header = LF_IPV6_HEADER,
                                 .source = lf_address_make(6, data + 8),
                                 .destination = lf_address_make(6, data + 24)};
    return LF_PARSE_OK;
}

enum lf_parse lf_packet_parse(struct lf_packet *packet, uint8_t *data, size_t length)
{
    if (length == 0)
        return LF_PARSE_VERSION;
    switch (data[0] >> 4) {
    case 4:
        return parse4(packet, data, length);
    case 6:
        return parse6(packet, data, length);
    default:
        return LF_PARSE_VERSION;
    }
}

static struct lf_transport transport4(const struct lf_packet *packet)
{
    uint16_t fragment = lf_load16(packet->data + 6);

    return (struct lf_transport){.protocol = packet->data[9],
                                 .offset = packet->header,
                                 .fragment = (fragment & 0x3fff) != 0,
                                 .later_fragment = (fragment & 0x1fff) != 0,
                                 .known = true};
}

static struct lf_transport transport6(const struct lf_packet *packet)
{
    struct lf_transport found = {.protocol = packet->data[6], .offset = packet->header};

    for (int i = 0; i <= EXTENSIONS_MAX; i++) {
        const uint8_t *header = packet->data + found.offset;
        size_t left = packet->length - found.offset;
        size_t size;

        switch (found.protocol) {
        case HOP_BY_HOP:
        case ROUTING:
        case DESTINATION_OPTIONS:
            size = left < 8 ? 8 : ((size_t)header[1] + 1) * 8;
            break;
        case AUTHENTICATION:
            size = left < 8 ? 8 : ((size_t)header[1] + 2) * 4;
            break;
        case FRAGMENT:
            size = 8;
            break;
        default:
            found.known = true;
            return found;
        }
        if (size > left)
            return found;
        if (found.protocol == FRAGMENT) {
            uint16_t fragment = lf_load16(header + 2);

            found.fragment = (fragment & 0xfff9) != 0; /* an atomic fragment is whole */
            found.later_fragment = (fragment & 0xfff8) != 0;
        }
        found.protocol = header[0];
        found.offset += size;
        if (found.later_fragment) {
            found.known = true;
            return found;
        }
    }
    return found;
}

struct lf_transport lf_packet_transport(const struct lf_packet *packet)
{
    return packet->family == 4 ? transport4(packet) : transport6(packet);
}

bool lf_packet_checksum_ok(const struct lf_packet *packet)
{
    return packet->family == 6 || lf_checksum_fold(lf_checksum_add(0, packet->data, packet->header)) == 0;
}

void lf_packet_set_tos_ttl(struct lf_packet *packet, uint8_t tos, uint8_t ttl)
{
    uint8_t *data = packet->data;

    packet->tos = tos;
    packet->ttl = ttl;
    if (packet->family == 6) {
        data[0] = (uint8_t)(0x60 | tos >> 4);
        data[1] = (uint8_t)((tos & 15) << 4 | (data[1] & 15));
        data[7] = ttl;
        return;
    }
    if (data[1] == tos && data[8] == ttl)
        return;
    data[1] = tos;
    data[8] = ttl;
    memset(data + 10, 0, 2);

    uint16_t checksum = lf_checksum_fold(lf_checksum_add(0, data, packet->header));

    memcpy(data + 10, &checksum, 2);
}
