/* The way in of one datagram: is it sound and for us, and the inner packet as it is to be delivered. */
#ifndef LF_DECAP_H
#define LF_DECAP_H

#include "packet.h"
#include "reasons.h"
#include "table.h"

/* Of the outer header, what the inner one inherits. */
struct lf_outer {
    uint8_t tos;
    uint8_t ttl;
};

/* The inner ECN field after decapsulation (RFC 6040 section 4.2), LF_ECN_DROP_PACKET where the packet is to go. */
enum { LF_ECN_DROP_PACKET = 4 };
unsigned lf_ecn_combine(unsigned inner, unsigned outer);

/* Checks a datagram received on 4341 (LISP, and LISP-GPE where its P-bit says so: RFC 9300 section 5.3, RFC 9305 section 3)
 * or, where `vxlan`, on 4790 (VXLAN-GPE), and readies the packet inside: DSCP from outside, ECN combined, the lower TTL.
 * LF_PASS with `*packet`, which lies within the datagram, and its instance-ID, or the reason to drop it. N, L, E and V are
 * ignored here, as the profile for the public Internet wants (RFC 9300 section 4.1); see hints.h. A source that nobody can have is
 * LF_NOT_UNICAST, a wrong IPv4 header checksum LF_INNER_MALFORMED. */
enum lf_reason lf_decap(struct lf_view view, bool vxlan, uint8_t *datagram, size_t length, struct lf_outer outer,
                        struct lf_packet *packet, uint32_t *iid);

#endif
