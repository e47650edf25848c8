/* Random prefixes and addresses, as the tables of a cell are made of them; a seed gives the same ones for ever.
 *
 * IPv4: addresses uniform over all there are. IPv6: 1,000 sites, a /48 each, of 16 LANs, a /64 each. Hosts are in the LANs,
 * half with interface identifiers in sequence, half with random ones; prefixes of 65 to 127 bits are in the LANs too, those
 * of 49 to 64 in the sites, and shorter ones elsewhere, so that they do not hold every site. */
#ifndef LF_LOOKUP_DRAW_H
#define LF_LOOKUP_DRAW_H

#include <stdbool.h>
#include <stdint.h>

#include "trie.h"

enum { LF_DRAW_SITES = 1000, LF_DRAW_LANS = 16 };

struct lf_draw {
    uint64_t state;
    uint8_t family;
    bool hosts;
    unsigned bits;                               /* of an address */
    uint64_t lan[LF_DRAW_SITES][LF_DRAW_LANS];   /* first 64 bits */
    uint64_t last[LF_DRAW_SITES][LF_DRAW_LANS];  /* interface identifier in sequence */
};

void lf_draw_begin(struct lf_draw *draw, uint8_t family, bool hosts, uint64_t seed);

/* Uniform over 0 to below - 1. */
uint64_t lf_draw_below(struct lf_draw *draw, uint64_t below);

/* Mixed: 7 of 10 are host routes, 2 are /24 (IPv6: /64), 1 is uniform over 16 to 31 (33 to 127). */
unsigned lf_draw_length(struct lf_draw *draw);

/* How many of a length a table may have: half of what there is, so that something stays outside. */
uint64_t lf_draw_most(const struct lf_draw *draw, unsigned length);

struct lf_bits lf_draw_prefix(struct lf_draw *draw, unsigned length);

/* An address within a prefix. */
struct lf_bits lf_draw_within(struct lf_draw *draw, struct lf_bits prefix, unsigned length);

/* An address that may be a miss; for IPv6 inside a site, half of them in a LAN, or outside all sites. */
struct lf_bits lf_draw_miss(struct lf_draw *draw, bool inside);

/* The first `length` bits, the rest zero. */
struct lf_bits lf_draw_first(struct lf_bits bits, unsigned length);

#endif
