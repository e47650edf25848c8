/* IPv4 and IPv6 addresses in one shape, and what kind of address they are. */
#ifndef LF_ADDRESS_H
#define LF_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* `family` is 4 or 6, 0 for none; network byte order; what an IPv4 address does not use is zero. */
struct lf_address {
    uint8_t bytes[16];
    uint8_t family;
};

static inline struct lf_address lf_address_make(uint8_t family, const uint8_t *bytes)
{
    struct lf_address address = {.family = family};

    memcpy(address.bytes, bytes, family == 4 ? 4 : 16);
    return address;
}

static inline bool lf_address_equal(const struct lf_address *a, const struct lf_address *b)
{
    uint64_t one[2], other[2];

    memcpy(one, a->bytes, 16);
    memcpy(other, b->bytes, 16);
    return a->family == b->family && one[0] == other[0] && one[1] == other[1];
}

/* A total order: by family, then by number. */
static inline int lf_address_compare(const struct lf_address *a, const struct lf_address *b)
{
    if (a->family != b->family)
        return a->family < b->family ? -1 : 1;
    return memcmp(a->bytes, b->bytes, sizeof a->bytes);
}

static inline uint64_t lf_address_number(const uint8_t *bytes)
{
    uint64_t value;

    memcpy(&value, bytes, 8);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    value = __builtin_bswap64(value);
#endif
    return value;
}

/* The address as two numbers, first bit highest; an IPv4 address is the top half of `high`. */
static inline uint64_t lf_address_high(const struct lf_address *a)
{
    return lf_address_number(a->bytes);
}

static inline uint64_t lf_address_low(const struct lf_address *a)
{
    return lf_address_number(a->bytes + 8);
}

/* Whether a packet to it may enter a tunnel, and one from it leave it: neither multicast, broadcast, unspecified,
 * loopback nor link-local. 240/4 may: LISP sites use it for EIDs. */
bool lf_address_tunnelled(const struct lf_address *address);

/* Whether a packet may come from it: neither multicast, broadcast, unspecified nor loopback. */
bool lf_address_may_send(const struct lf_address *address);

#endif
