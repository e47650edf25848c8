/* Our own EIDs: one immutable set, replaced as a whole. */
#ifndef LF_LOCALS_H
#define LF_LOCALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "address.h"

struct lf_eid {
    struct lf_address address;
    uint32_t iid;
};

struct lf_locals {
    size_t count;
    size_t instances;
    uint32_t *iids;      /* every instance-ID with an EID, ascending, each once */
    struct lf_eid eids[]; /* by address, then by instance-ID */
};

/* A sorted copy; an EID that stands twice stands once. NULL where there is no memory. Freed with lf_locals_free. */
struct lf_locals *lf_locals_new(const struct lf_eid *eids, size_t count);
void lf_locals_free(struct lf_locals *locals);

/* NULL is the empty set for all three. */
bool lf_locals_holds(const struct lf_locals *locals, const struct lf_address *address, uint32_t iid);
bool lf_locals_has_instance(const struct lf_locals *locals, uint32_t iid);

/* The instance-ID that packets from this address belong to, the lowest where it is an EID in several: one TUN cannot
 * tell them apart. False where it is not our EID. */
bool lf_locals_instance(const struct lf_locals *locals, const struct lf_address *address, uint32_t *iid);

#endif
