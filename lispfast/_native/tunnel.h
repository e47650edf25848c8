/* A tunnel inside of another: IP, UDP and LISP header in front of the inner packet, which the outer tunnel carries. */
#ifndef LF_TUNNEL_H
#define LF_TUNNEL_H

#include "locators.h"
#include "packet.h"

/* What its headers come to: 20 or 40, 8 and 8 bytes. */
enum { LF_TUNNEL4 = 20 + 8 + 8, LF_TUNNEL6 = 40 + 8 + 8 };

static inline size_t lf_tunnel_size(const struct lf_locator *tunnel)
{
    return tunnel->address.family == 4 ? LF_TUNNEL4 : LF_TUNNEL6;
}

/* From where and how packets enter; the same for all of a flow. */
struct lf_entrance {
    const struct lf_locator *tunnel;
    const struct lf_address *source;
    uint16_t port;
    uint8_t tos;
    uint8_t ttl;
    bool checksum; /* of UDP; zero without it (RFC 9300 section 5.3) */
};

/* Fills the lf_tunnel_size bytes at `at`; the inner packet of `length` bytes and this family stands behind them. Traffic
 * class and TTL are copies; IPv4 has DF set and identification 0 (RFC 6864 section 4.1). */
void lf_tunnel_write(const struct lf_entrance *entrance, uint8_t *at, size_t length, uint8_t family);

#endif
