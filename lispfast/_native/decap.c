#include "decap.h"

#include "encap.h"

/* From RFC 9300 section 5.3, RFC 9305 section 3 (P) and RFC 8061 (KK). */
enum { FLAG_INSTANCE = 0x08, FLAG_PROTOCOL = 0x04, FLAGS_KEY = 0x03 };

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

static enum lf_reason parse(uint8_t *datagram, size_t length, struct lf_packet *packet)
{
    if (length < LF_HEADER + LF_IPV4_HEADER)
        return LF_OUTER_TRUNCATED;
    if (datagram[0] & (FLAG_PROTOCOL | FLAGS_KEY))
        return LF_HEADER_UNSUPPORTED;
    switch (lf_packet_parse(packet, datagram + LF_HEADER, length - LF_HEADER)) {
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
    enum lf_reason reason = parse(datagram, length, packet);

    if (reason != LF_PASS)
        return reason;

    (void)vxlan;
    *iid = instance(datagram);
    if (!lf_locals_has_instance(locals, *iid))
        return LF_INSTANCE_UNKNOWN;
    if (!lf_locals_holds(locals, &packet->destination, *iid))
        return LF_NOT_OUR_EID;
    if (!lf_address_tunnelled(&packet->source)) /* nor from link-local: router advertisements and redirects come so */
        return LF_NOT_UNICAST;
    if (lf_locals_holds(locals, &packet->source, *iid))
        return LF_OWN_SOURCE;

    unsigned mark = lf_ecn_combine(packet->tos, outer.tos);

    if (mark == LF_ECN_DROP_PACKET)
        return LF_ECN_DROP;
    lf_packet_set_tos_ttl(packet, (uint8_t)((outer.tos & 0xfc) | mark),
                          outer.ttl < packet->ttl ? outer.ttl : packet->ttl);
    return LF_PASS;
}
