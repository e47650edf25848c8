/* ICMP destination unreachable for packets that the table rejects, and how often. */
#ifndef LF_ICMP_H
#define LF_ICMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "packet.h"

/* model/forwarding.py: RejectCode, by meaning for both families. */
enum lf_icmp_unreachable { LF_ICMP_NO_ROUTE, LF_ICMP_PROHIBITED, LF_ICMP_CODES };

/* From RFC 1812 section 4.3.2.3 and RFC 4443 section 2.4(c): the whole answer is no longer than this. */
enum { LF_ICMP_MAX = 1280 };

/* Writes the answer to `packet` into `answer` (LF_ICMP_MAX bytes); returns its length, 0 where none may be sent: an ICMP
 * error is never answered, nor a fragment after the first (RFC 1122 section 3.2.2, RFC 4443 section 2.4(e)). It comes
 * from the address that the packet was for: no router that could have sent it has an address here. */
size_t lf_icmp_unreachable(uint8_t *answer, const struct lf_packet *packet, enum lf_icmp_unreachable code);

/* The same with fragmentation needed (RFC 1191 section 4) or packet too big (RFC 4443 section 3.2): `mtu` bytes would pass. */
size_t lf_icmp_too_big(uint8_t *answer, const struct lf_packet *packet, size_t mtu);

/* A token bucket. */
struct lf_bucket {
    uint32_t tokens;
    uint64_t filled_ms;
};

/* Whether one more may be sent now; takes a token. */
bool lf_bucket_take(struct lf_bucket *bucket, uint64_t now_ms);

#endif
