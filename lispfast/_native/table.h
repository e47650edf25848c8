/* The shared table: EID-prefix -> verdict by instance-ID, locator-sets, our own EIDs, source-RLOC slots.
 *
 * One writer (transaction.h), readers without locks. Each thing that changes is a chain of versions, newest first; a
 * reader takes the newest version that is not newer than its pin, so it sees all of a transaction or none of it. From
 * an address to where its packets go:
 *
 *   instance-ID and family -> space -> root of its trie -> number -> prefix -> verdict -> locator-set -> locators
 *                                    \ chain                        \ chain              \ chain
 */
#ifndef LF_TABLE_H
#define LF_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "address.h"
#include "blocks.h"
#include "epoch.h"
#include "index.h"
#include "locals.h"
#include "locators.h"
#include "prefixes.h"
#include "space.h"
#include "trie.h"
#include "version.h"

/* What a source slot holds: family 0 is empty, ifindex 0 leaves the interface to the kernel. */
struct lf_source {
    struct lf_version version;
    struct lf_address address;
    uint32_t ifindex;
};

struct lf_locals_version {
    struct lf_version version;
    struct lf_locals *locals;
};

struct lf_table {
    struct lf_epoch epoch;
    struct lf_index spaces; /* of struct lf_space */
    struct lf_prefixes prefixes;
    lf_chain slots[LF_SLOTS]; /* of struct lf_source */
    lf_chain locals;          /* of struct lf_locals_version */
    struct lf_index sets;     /* of struct lf_set; the writer's alone, as below */
    struct lf_blocks blocks; /* of the tries */
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

/* For the writer, which needs no pin: the table as it is until the next transaction. */
static inline struct lf_view lf_table_view(const struct lf_table *table)
{
    return (struct lf_view){.table = table, .pin = lf_epoch_newest(&table->epoch)};
}

struct lf_match {
    struct lf_prefix *prefix; /* all three NULL where nothing matched */
    const struct lf_verdict *verdict;
    const struct lf_locators *locators; /* NULL unless the verdict encapsulates */
};

/* Longest-prefix match within the instance-ID. */
struct lf_match lf_table_lookup(struct lf_view view, uint32_t iid, const struct lf_address *address);

/* The same for many addresses of a family, IPv4 as numbers: `values` are the numbers of the prefixes, 0 for no
 * match. */
void lf_table_find4(struct lf_view view, uint32_t iid, const uint32_t *addresses, uint32_t *values, size_t count);
void lf_table_find6(struct lf_view view, uint32_t iid, const struct lf_bits *addresses, uint32_t *values, size_t count);

/* The prefix with a number from above, NULL for 0; and what stands there for a view that matched it. */
struct lf_prefix *lf_table_prefix(const struct lf_table *table, uint32_t value);
struct lf_match lf_table_match(struct lf_view view, uint32_t value);

/* NULL for the empty set. */
const struct lf_locals *lf_table_locals(struct lf_view view);

/* NULL for an empty slot. */
const struct lf_source *lf_table_source(struct lf_view view, unsigned slot);

/* Where a worker counts the use of a prefix. */
static inline struct lf_usage *lf_table_usage_of(const struct lf_table *table, const struct lf_prefix *prefix,
                                                 unsigned worker)
{
    return lf_prefix_usage(&table->prefixes, lf_prefix_value(prefix), worker);
}

/* For the writer, in slices: up to `room` of the prefixes that stand, with what the newest number shows, by rising
 * number. `*from` starts at 0 and is where to go on. Fewer than `room`: that was all. A prefix that stands all the
 * while comes up once, whatever is committed between the slices. */
struct lf_row {
    uint32_t value;
    struct lf_match match;
};
size_t lf_table_walk(const struct lf_table *table, uint32_t *from, struct lf_row *rows, size_t room);

/* For the writer, in the same way: the prefixes whose counters changed at `since_ms` or later, all that were ever used
 * for 0. A worker's clock is that of its batch, so a reading asks from some batches before the one before it. */
struct lf_usage_row {
    uint32_t value;
    struct lf_key key;
    struct lf_use use;
};
size_t lf_table_usage(const struct lf_table *table, uint64_t since_ms, uint32_t *from, struct lf_usage_row *rows,
                      size_t room);

/* For the writer: how one prefix was used, and all that are gone together. */
struct lf_use lf_table_use(const struct lf_table *table, const struct lf_prefix *prefix);
struct lf_use lf_table_left(const struct lf_table *table);

#endif
