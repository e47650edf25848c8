#include "encap.h"

#include <string.h>

/* From RFC 768 and RFC 791: what fits one UDP datagram over IPv4. Over IPv6 20 bytes more would fit. */
enum { DATAGRAM_MAX = 65507 };

enum lf_reason lf_encap_check(struct lf_view view, uint8_t *data, size_t length, struct lf_packet *packet,
                              uint32_t *iid)
{
    const struct lf_locals *locals = lf_table_locals(view);

    if (lf_packet_parse(packet, data, length) != LF_PARSE_OK || packet->ttl == 0)
        return LF_INNER_MALFORMED;
    if (!lf_address_tunnelled(&packet->destination))
        return LF_NOT_UNICAST;
    if (!lf_locals_instance(locals, &packet->source, iid))
        return LF_INNER_SOURCE;
    if (lf_locals_holds(locals, &packet->destination, *iid))
        return LF_NOT_UNICAST;
    if (packet->length + LF_HEADER > DATAGRAM_MAX)
        return LF_TOO_BIG;
    return LF_PASS;
}

uint8_t *lf_encap(const struct lf_packet *packet, const struct lf_locator *locator)
{
    uint8_t *datagram = packet->data - LF_HEADER;

    memcpy(datagram, locator->header, LF_HEADER);
    return datagram;
}
