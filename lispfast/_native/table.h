/* The shared table: EID-prefix -> verdict by instance-ID, our own EIDs, source-RLOC slots.
 *
 * One writer (transaction.h), readers without locks. Each thing that changes is a chain of versions, newest first; a
 * reader takes the newest version that is not newer than its pin, so it sees all of a transaction or none of it.
 */
#ifndef LF_TABLE_H
#define LF_TABLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "address.h"
#include "epoch.h"
#include "index.h"
#include "locals.h"

/* Ours. */
enum { LF_SLOTS = 64 }; /* model/forwarding.py: SOURCE_SLOTS */

enum lf_kind { LF_ENCAPSULATE, LF_NATIVE, LF_REJECT, LF_DROP, LF_RESOLVE, LF_ABSENT };

/* model/encapsulation.py: Encapsulation. */
enum lf_form { LF_FORM_LISP, LF_FORM_LISP_GPE, LF_FORM_VXLAN_GPE, LF_FORMS };

struct lf_locator {
    struct lf_address address;
    uint8_t slot;
    uint8_t priority;
    uint8_t weight;
    uint8_t header[8]; /* what stands in front of the inner packet; of the GPE forms without the next protocol */
    uint8_t form;      /* enum lf_form */
    uint16_t port;
    uint16_t mtu; /* of the path, outer headers included */
};

struct lf_verdict {
    enum lf_kind kind;
    unsigned reject_code; /* lf_icmp_unreachable */
    unsigned count;
    struct lf_locator locators[];
};

struct lf_version {
    struct lf_retired retired;
    uint64_t born;
    struct lf_version *older;
};

typedef _Atomic(struct lf_version *) lf_chain;

/* What a source slot holds: family 0 is empty, ifindex 0 leaves the interface to the kernel. */
struct lf_source {
    struct lf_version version;
    struct lf_address address;
    uint32_t ifindex;
};

/* The use of a prefix as one worker counts it: only that worker writes. */
struct lf_usage {
    _Atomic(uint64_t) packets, bytes; /* out */
    _Atomic(uint64_t) packets_in, bytes_in;
    _Atomic(uint64_t) drops;
    _Atomic(uint64_t) last_ms; /* of the last packet out; monotonic clock, 0 for never */
};

struct lf_space;

/* A prefix keeps this, and its counters with it, while it lives, whatever replaces its verdict. */
struct lf_prefix {
    struct lf_entry entry;
    lf_chain verdicts;
    struct lf_space *space;
    uint64_t touched; /* the transaction that named it last; the writer's alone */
    struct lf_usage usage[];
};

struct lf_table {
    struct lf_epoch epoch;
    struct lf_index index;
    lf_chain slots[LF_SLOTS];
    lf_chain locals;
    unsigned workers;
    uint64_t transactions;
};

/* A table for this many workers (readers 0 to workers - 1), at most LF_READERS_MAX; NULL where there is no memory. */
struct lf_table *lf_table_new(unsigned workers, uint64_t seed);

/* No reader may be left. */
void lf_table_free(struct lf_table *table);

/* What a reader sees: valid while its pin holds. */
struct lf_view {
    const struct lf_table *table;
    uint64_t pin;
};

struct lf_match {
    struct lf_prefix *prefix; /* NULL where nothing matched */
    const struct lf_verdict *verdict;
};

/* Longest-prefix match within the instance-ID. */
struct lf_match lf_table_lookup(struct lf_view view, uint32_t iid, const struct lf_address *address);

/* NULL for the empty set. */
const struct lf_locals *lf_table_locals(struct lf_view view);

/* NULL for an empty slot. */
const struct lf_source *lf_table_source(struct lf_view view, unsigned slot);

/* For the writer: the prefixes that are there, one call each; `cell` starts at 0, NULL ends. `use` sums the workers. */
struct lf_use {
    uint64_t packets, bytes, packets_in, bytes_in, drops, last_ms;
};
const struct lf_prefix *lf_table_next(const struct lf_table *table, size_t *cell);
struct lf_use lf_prefix_use(const struct lf_prefix *prefix, unsigned workers);

#endif
