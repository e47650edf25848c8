/* Where an outbound packet goes: longest match, then a locator by priority and weight. */
#ifndef LF_FORWARD_H
#define LF_FORWARD_H

#include "packet.h"
#include "table.h"

struct lf_route {
    enum lf_kind kind;        /* LF_RESOLVE also where nothing matched */
    struct lf_prefix *prefix; /* NULL where nothing matched */
    unsigned reject_code;
    /* For LF_ENCAPSULATE; both NULL where no locator is usable: each has priority 255 or lacks a source RLOC, for itself or
     * for the tunnel inside. */
    const struct lf_locator *locator;
    const struct lf_source *source;
};

/* All packets of a flow have the same hash: addresses, protocol and, where every packet of the flow shows them, ports
 * (RFC 9300 sections 5.3 and 12). Fragments of a packet hash by address alone. */
uint32_t lf_flow_hash(const struct lf_packet *packet);

/* Among the usable locators of the lowest priority (RFC 9301 section 5.4) the flow's own. A locator's share of the flows
 * is its weight, all shares equal where every weight is 0. When locators come and go, a flow moves only from one that
 * left or to one that came. */
struct lf_route lf_forward(struct lf_view view, uint32_t iid, const struct lf_packet *packet);

/* The same for a match that was looked up at this view. */
struct lf_route lf_forward_matched(struct lf_view view, const struct lf_match *match, const struct lf_packet *packet);

/* The last lookup, for packets that come in a row to one destination. It needs no invalidation: at one pin a lookup has one
 * answer, and what is visible at a number is freed only under a higher one. Zero is empty, as no view has pin 0. */
struct lf_recent {
    uint64_t pin;
    uint32_t iid;
    struct lf_address destination;
    struct lf_match match;
};
struct lf_route lf_forward_again(struct lf_view view, struct lf_recent *recent, uint32_t iid,
                                 const struct lf_packet *packet);

#endif
