#include "tunnel.h"

#include "checksum.h"
#include "encap.h"

/* From RFC 791 section 3.1 and RFC 768. */
enum { DONT_FRAGMENT = 0x40, UDP_HEADER = 8, UDP_CHECKSUM = 6 };

static void write_ipv4(const struct lf_entrance *entrance, uint8_t *at, size_t payload)
{
    memset(at, 0, LF_IPV4_HEADER);
    at[0] = 0x45;
    at[1] = entrance->tos;
    lf_store16(at + 2, (uint16_t)(LF_IPV4_HEADER + payload));
    at[6] = DONT_FRAGMENT;
    at[8] = entrance->ttl;
    at[9] = LF_UDP;
    memcpy(at + 12, entrance->source->bytes, 4);
    memcpy(at + 16, entrance->tunnel->address.bytes, 4);
    lf_checksum_store(at + 10, lf_checksum_add(0, at, LF_IPV4_HEADER));
}

static void write_ipv6(const struct lf_entrance *entrance, uint8_t *at, size_t payload)
{
    memset(at, 0, 8);
    at[0] = (uint8_t)(0x60 | entrance->tos >> 4);
    at[1] = (uint8_t)(entrance->tos << 4);
    lf_store16(at + 4, (uint16_t)payload);
    at[6] = LF_UDP;
    at[7] = entrance->ttl;
    memcpy(at + 8, entrance->source->bytes, 16);
    memcpy(at + 24, entrance->tunnel->address.bytes, 16);
}

/* Over the pseudo header, whose addresses end where the UDP header begins, and everything behind. */
static void complete(const struct lf_entrance *entrance, uint8_t *udp, size_t payload)
{
    const size_t addresses = entrance->tunnel->address.family == 4 ? 8 : 32;
    uint64_t sum = (uint64_t)lf_network16(LF_UDP) + lf_network16(payload);

    sum = lf_checksum_add(sum, udp - addresses, addresses);
    lf_checksum_store(udp + UDP_CHECKSUM, lf_checksum_add(sum, udp, payload));
    if (lf_word16(udp + UDP_CHECKSUM) == 0) /* zero would say that there is none */
        memset(udp + UDP_CHECKSUM, 0xff, 2);
}

void lf_tunnel_write(const struct lf_entrance *entrance, uint8_t *at, size_t length, uint8_t family)
{
    const struct lf_locator *tunnel = entrance->tunnel;
    const size_t payload = UDP_HEADER + LF_HEADER + length;
    uint8_t *udp = at + (tunnel->address.family == 4 ? LF_IPV4_HEADER : LF_IPV6_HEADER);

    if (tunnel->address.family == 4)
        write_ipv4(entrance, at, payload);
    else
        write_ipv6(entrance, at, payload);
    lf_store16(udp, entrance->port);
    lf_store16(udp + 2, tunnel->port);
    lf_store16(udp + 4, (uint16_t)payload);
    memset(udp + UDP_CHECKSUM, 0, 2);
    lf_encap_header(udp + UDP_HEADER, tunnel, family);
    if (entrance->checksum)
        complete(entrance, udp, payload);
}
