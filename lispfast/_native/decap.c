#include "decap.h"

#include "encap.h"

/* From RFC 9300 section 5.3, RFC 9305 section 3 (P) and RFC 8061 (KK). */
enum { FLAG_INSTANCE = 0x08, FLAG_PROTOCOL = 0x04, FLAGS_KEY = 0x03 };
enum { NEXT_IPV4 = 1, NEXT_IPV6 = 2, SHIM_FIRST = 0x80, SHIM_LAST = 0xfd, SHIM_FIXED = 4 };

/* From draft-ietf-nvo3-vxlan-gpe section 3; I and P are as above. */
enum { VXLAN_VERSION = 0x30, VXLAN_OAM = 0x01 };

/* Ours. */
enum { SHIMS_MAX = 8 }; /* no shim header has been assigned yet, so it only bounds the work */

/* Where the inner packet begins, and its family where the outside tells, else 0. */
struct content {
    size_t offset;
    unsigned family;
};

/* From RFC 6040 figure 4: rows inner, columns outer, each in the order of the code points Not-ECT, ECT(1), ECT(0), CE. */
static const uint8_t ecn[4][4] = {
    {0, 0, 0, LF_ECN_DROP_PACKET},
    {1, 1, 1, 3},
    {2, 1, 2, 3},
    {3, 3, 3, 3},
};

unsigned lf_ecn_combine(unsigned inner, unsigned outer)
{
    return ecn[inner & 3][outer & 3];
}

/* Past the shim headers (RFC 9305 section 3.1, figure 4) to what they stand in front of. */
static enum lf_reason walk(const uint8_t *datagram, size_t length, struct content *content)
{
    uint8_t next = datagram[3];

    for (unsigned i = 0; next >= SHIM_FIRST && next <= SHIM_LAST; i++) {
        const uint8_t *shim = datagram + content->offset;
        const size_t left = length - content->offset;

        if (i == SHIMS_MAX)
            return LF_NEXT_PROTOCOL;
        if (left < SHIM_FIXED || left < ((size_t)shim[1] + 1) * 4)
            return LF_OUTER_TRUNCATED;
        content->offset += ((size_t)shim[1] + 1) * 4;
        next = shim[3];
    }
    if (next != NEXT_IPV4 && next != NEXT_IPV6)
        return LF_NEXT_PROTOCOL;
    content->family = next == NEXT_IPV4 ? 4 : 6;
    return LF_PASS;
}

static enum lf_reason read_lisp(const uint8_t *datagram, size_t length, struct content *content)
{
    if (datagram[0] & FLAGS_KEY)
        return LF_HEADER_UNSUPPORTED;
    return datagram[0] & FLAG_PROTOCOL ? walk(datagram, length, content) : LF_PASS;
}

static enum lf_reason read_vxlan(const uint8_t *datagram, size_t length, struct content *content)
{
    if (datagram[0] & VXLAN_VERSION)
        return LF_HEADER_UNSUPPORTED;
    if (datagram[0] & VXLAN_OAM || !(datagram[0] & FLAG_PROTOCOL)) /* without P it is Ethernet, as in VXLAN */
        return LF_NEXT_PROTOCOL;
    return walk(datagram, length, content);
}

static enum lf_reason parse(bool vxlan, uint8_t *datagram, size_t length, struct lf_packet *packet)
{
    struct content content = {.offset = LF_HEADER};
    enum lf_reason reason;

    if (length < LF_HEADER + LF_IPV4_HEADER)
        return LF_OUTER_TRUNCATED;
    reason = vxlan ? read_vxlan(datagram, length, &content) : read_lisp(datagram, length, &content);
    if (reason != LF_PASS)
        return reason;
    if (length - content.offset < LF_IPV4_HEADER)
        return LF_OUTER_TRUNCATED;
    if (content.family && datagram[content.offset] >> 4 != content.family)
        return LF_INNER_VERSION;
    switch (lf_packet_parse(packet, datagram + content.offset, length - content.offset)) {
    case LF_PARSE_VERSION:
        return LF_INNER_VERSION;
    case LF_PARSE_SHORT:
        return LF_OUTER_TRUNCATED;
    case LF_PARSE_LENGTH:
        return LF_INNER_LENGTH;
    case LF_PARSE_OK:
        break;
    }
    return lf_packet_checksum_ok(packet) ? LF_PASS : LF_INNER_MALFORMED;
}

static uint32_t instance(const uint8_t *header)
{
    if (!(header[0] & FLAG_INSTANCE))
        return 0;
    return (uint32_t)header[4] << 16 | (uint32_t)header[5] << 8 | header[6];
}

enum lf_reason lf_decap(struct lf_view view, bool vxlan, uint8_t *datagram, size_t length, struct lf_outer outer,
                        struct lf_packet *packet, uint32_t *iid)
{
    const struct lf_locals *locals = lf_table_locals(view);
    enum lf_reason reason = parse(vxlan, datagram, length, packet);

    if (reason != LF_PASS)
        return reason;

    *iid = instance(datagram);
    if (!lf_locals_find(locals, &packet->destination, *iid))
        return lf_locals_has_instance(locals, *iid) ? LF_NOT_OUR_EID : LF_INSTANCE_UNKNOWN;
    if (!lf_address_tunnelled(&packet->source)) /* nor from link-local: router advertisements and redirects come so */
        return LF_NOT_UNICAST;
    if (lf_locals_find(locals, &packet->source, *iid))
        return LF_OWN_SOURCE;

    unsigned mark = lf_ecn_combine(packet->tos, outer.tos);

    if (mark == LF_ECN_DROP_PACKET)
        return LF_ECN_DROP;
    lf_packet_set_tos_ttl(packet, (uint8_t)((outer.tos & 0xfc) | mark),
                          outer.ttl < packet->ttl ? outer.ttl : packet->ttl);
    return LF_PASS;
}
