/* Our own EID-prefixes: one immutable set, replaced as a whole. */
#ifndef LF_LOCALS_H
#define LF_LOCALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "address.h"

struct lf_local {
    struct lf_address network; /* no bits beyond `length` */
    uint8_t length;
    uint16_t version; /* its Map-Version, 0 for none (RFC 9302 section 5) */
    uint32_t iid;
    uint32_t around; /* locals.c's own: the place from 1 on of the next shorter prefix that holds this one, 0 for none */
};

/* Ours: up to so many prefixes a scan costs less than halving, and most nodes have few. */
enum { LF_LOCALS_FEW = 8 };

/* A prefix as the scan compares it. */
struct lf_local_few {
    uint64_t high, low, mask_high, mask_low;
    uint32_t iid;
    uint8_t family;
    uint8_t place;
};

struct lf_locals {
    size_t count;
    size_t distinct;
    size_t instances;
    uint32_t *iids;         /* every instance-ID with a prefix, ascending, each once */
    struct lf_local *plain; /* `distinct` of them: whatever the instance-ID, the lowest where there are several */
    struct lf_local_few few[LF_LOCALS_FEW]; /* longest first, then by instance-ID; where `count` allows */
    struct lf_local local[];                /* by instance-ID, then by family, network, length */
};

/* A sorted copy; a prefix that stands twice stands once, with the higher version. NULL where there is no memory. Freed
 * with lf_locals_free. */
struct lf_locals *lf_locals_new(const struct lf_local *locals, size_t count);
void lf_locals_free(struct lf_locals *locals);

/* NULL is the empty set for all three. */

/* The longest prefix of this instance-ID that holds the address, NULL for none. */
const struct lf_local *lf_locals_find(const struct lf_locals *locals, const struct lf_address *address, uint32_t iid);
bool lf_locals_has_instance(const struct lf_locals *locals, uint32_t iid);

/* The longest prefix of all that holds the address; one TUN cannot tell instance-IDs apart, so where two are alike it is
 * that of the lower one. NULL where it is no EID of ours. */
const struct lf_local *lf_locals_source(const struct lf_locals *locals, const struct lf_address *address);

#endif
