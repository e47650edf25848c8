/* A bounds-checked view of one IP packet. */
#ifndef LF_PACKET_H
#define LF_PACKET_H

#include <stddef.h>
#include <stdint.h>

#include "address.h"

enum { LF_IPV4_HEADER = 20, LF_IPV6_HEADER = 40 };

/* Protocol numbers that the data plane looks at. */
enum { LF_ICMP = 1, LF_TCP = 6, LF_UDP = 17, LF_ICMPV6 = 58, LF_SCTP = 132 };

struct lf_packet {
    uint8_t *data;
    size_t length; /* as the IP header says; what the buffer holds beyond is not of the packet */
    uint8_t family;
    uint8_t tos; /* traffic class: DSCP and ECN */
    uint8_t ttl; /* hop limit */
    size_t header; /* bytes of the IPv4 header with options, or of the fixed IPv6 header */
    struct lf_address source;
    struct lf_address destination;
};

/* What follows the IP headers. */
struct lf_transport {
    uint8_t protocol;
    size_t offset;       /* from the packet's first byte, at most its length */
    bool fragment;       /* a part of a larger packet */
    bool later_fragment; /* not its first part: no transport header here */
    bool known;          /* false where a header was cut off or nested too deep */
};

enum lf_parse {
    LF_PARSE_OK,
    LF_PARSE_VERSION, /* the first nibble is neither 4 nor 6, or there is none */
    LF_PARSE_SHORT,   /* shorter than the fixed header */
    LF_PARSE_LENGTH,  /* the header's lengths disagree with each other or with what is there */
};

/* Reads an IP packet at `data`; `*packet` is filled only for LF_PARSE_OK. The packet stays where it is. */
enum lf_parse lf_packet_parse(struct lf_packet *packet, uint8_t *data, size_t length);

/* Finds the transport header, past IPv6 extension headers. */
struct lf_transport lf_packet_transport(const struct lf_packet *packet);

/* Whether the checksum of an IPv4 header is right; IPv6 has none, so it always is. */
bool lf_packet_checksum_ok(const struct lf_packet *packet);

/* Sets traffic class and hop limit in the header, the IPv4 header checksum with them. */
void lf_packet_set_tos_ttl(struct lf_packet *packet, uint8_t tos, uint8_t ttl);

/* Whether a router may fragment it: IPv4 without DF. */
static inline bool lf_packet_may_fragment(const struct lf_packet *packet)
{
    return packet->family == 4 && !(packet->data[6] & 0x40);
}

static inline uint16_t lf_load16(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static inline uint32_t lf_load32(const uint8_t *bytes)
{
    return (uint32_t)lf_load16(bytes) << 16 | lf_load16(bytes + 2);
}

static inline void lf_store16(uint8_t *bytes, uint16_t value)
{
    bytes[0] = (uint8_t)(value >> 8);
    bytes[1] = (uint8_t)value;
}

#endif
