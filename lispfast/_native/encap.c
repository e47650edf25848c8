#include "encap.h"

#include <string.h>

/* From RFC 9305 section 3. */
enum { NEXT_IPV4 = 1, NEXT_IPV6 = 2 };

enum lf_reason lf_encap_check(struct lf_view view, uint8_t *data, size_t length, struct lf_packet *packet,
                              uint32_t *iid)
{
    const struct lf_locals *locals = lf_table_locals(view);
    const struct lf_local *own;

    if (lf_packet_parse(packet, data, length) != LF_PARSE_OK || packet->ttl == 0)
        return LF_INNER_MALFORMED;
    if (!lf_address_tunnelled(&packet->destination))
        return LF_NOT_UNICAST;
    own = lf_locals_source(locals, &packet->source);
    if (!own)
        return LF_INNER_SOURCE;
    *iid = own->iid;
    if (lf_locals_find(locals, &packet->destination, *iid))
        return LF_NOT_UNICAST;
    return LF_PASS;
}

void lf_encap_header(uint8_t *header, const struct lf_locator *locator, uint8_t family)
{
    memcpy(header, locator->header, LF_HEADER);
    if (locator->form != LF_FORM_LISP)
        header[3] = family == 4 ? NEXT_IPV4 : NEXT_IPV6;
}
