/* Locator-sets: what verdicts refer to, many prefixes to one, so that a set is replaced by one store. */
#ifndef LF_LOCATORS_H
#define LF_LOCATORS_H

#include <stdbool.h>
#include <stdint.h>

#include "address.h"
#include "index.h"
#include "version.h"

/* Ours. */
enum { LF_SLOTS = 64 }; /* model/forwarding.py: SOURCE_SLOTS */

/* From RFC 9301 section 5.4: Locator Count has 8 bits. */
enum { LF_LOCATORS_MAX = 255 };

/* model/encapsulation.py: Encapsulation. */
enum lf_form { LF_FORM_LISP, LF_FORM_LISP_GPE, LF_FORM_VXLAN_GPE, LF_FORMS };

struct lf_locator {
    struct lf_address address;
    uint8_t slot; /* of the source RLOC, below LF_SLOTS */
    uint8_t priority;
    uint8_t weight;
    uint8_t header[8]; /* what stands in front of the inner packet; of the GPE forms without the next protocol */
    uint8_t form;      /* enum lf_form */
    uint8_t tunnel;    /* how far behind it in the set the tunnel lies that packets enter first; 0: none */
    uint16_t port;
    uint16_t mtu; /* of the path, outer headers included */
};

/* A version of a set. */
struct lf_locators {
    struct lf_version version;
    uint16_t count; /* 1 to LF_LOCATORS_MAX */
    bool inside;    /* the set's first: it lies in the set's own memory */
    struct lf_locator locator[]; /* and then those that are a tunnel inside of one */
};

/* A named set lives until it is withdrawn, a set that puts brought along as long as a prefix refers to it. */
struct lf_set {
    struct lf_entry entry; /* its id, 1 to 2^31 - 1; 0 for one without a name */
    /* The writer's alone: verdicts that refer to it; whether the transaction in hand names it or it is about to go. */
    uint32_t references : 31, marked : 1;
    lf_chain versions; /* of struct lf_locators */
};

/* A set with its first version, born when it is published, or a further version; NULL where there is no memory. The
 * caller fills the locators and the tunnels inside of some. */
struct lf_set *lf_set_new(uint32_t id, unsigned count, unsigned tunnels);
struct lf_locators *lf_locators_new(unsigned count, unsigned tunnels);

/* A set whose chain has one version left, with it; a version that is not the first one of a set. */
void lf_set_free(struct lf_set *set);
void lf_locators_free(struct lf_locators *locators);

/* The tunnel inside: its address, slot, header and port count. NULL for none. Its source RLOC is that of its slot. */
static inline const struct lf_locator *lf_locator_inside(const struct lf_locator *locator)
{
    return locator->tunnel ? locator + locator->tunnel : NULL;
}

static inline struct lf_locators *lf_set_newest(const struct lf_set *set)
{
    return (struct lf_locators *)lf_chain_newest(&set->versions);
}

static inline const struct lf_locators *lf_set_at(const struct lf_set *set, uint64_t pin)
{
    return (const struct lf_locators *)lf_chain_at(&set->versions, pin);
}

#endif
