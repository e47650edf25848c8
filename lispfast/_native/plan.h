/* A transaction on its way: checked and with all the memory that it needs, before a reader can see any of it. For
 * transaction.c and the files that make the plan. */
#ifndef LF_PLAN_H
#define LF_PLAN_H

#include "transaction.h"

/* What happens to a prefix: with a version of its verdict where it is replaced. */
struct lf_change {
    struct lf_verdict_version *version;
    uint32_t value;
    uint32_t next; /* of the changes of its space, by place from 1 on */
};

/* A set of the transaction: new, or a version for one that is there. */
struct lf_set_change {
    struct lf_set *set;
    struct lf_locators *version; /* NULL for a new set */
};

struct lf_plan {
    struct lf_table *table;
    const struct lf_packed *packed;
    struct lf_set_change *sets;
    size_t set_count;
    struct lf_change *changes; /* puts, then withdrawals */
    size_t count;
    struct lf_space *spaces; /* whose tries change or that were made, linked by `next` */
    uint32_t twice; /* the number of a new prefix that came twice */
    struct lf_trie_edit edits[2]; /* IPv4, IPv6; number 0: not begun */
    struct lf_pieces *pieces[2];  /* takes what an edit leaves */
    struct lf_set **going;
    size_t going_count;
    struct lf_source *sources[LF_SLOTS];
    struct lf_locals_version *locals;
    size_t retiring; /* places in the queue, at most */
};

/* The parts of a plan; each is done or says why not, and `lf_plan_undo` knows how far it came.
 *
 * changes.c: prefixes found or made, each named once. roots.c: the new tries. plan.c: everything. */
struct lf_problem lf_plan_changes(struct lf_plan *plan);
struct lf_problem lf_plan_roots(struct lf_plan *plan);
struct lf_problem lf_plan_make(struct lf_plan *plan, struct lf_table *table, const struct lf_packed *packed);

/* Whether its fields are within their bounds, with no bits beyond its length: an IPv4 one uses the first 32. */
bool lf_key_sound(const struct lf_key *key);

/* Everything as it was. Spaces that were made for nothing are retired: a number has to be published. */
void lf_plan_undo(struct lf_plan *plan);

/* The memory of the plan itself. */
void lf_plan_free(struct lf_plan *plan);

/* The last change, by its place from 1 on, that makes this prefix anew; 0 for none. Looks at all: for errors. */
size_t lf_plan_newest(const struct lf_plan *plan, const struct lf_key *key);

/* Adds a space to the plan's. */
void lf_plan_touch(struct lf_plan *plan, struct lf_space *space);

void lf_release_space(void *owner, void *space);

#endif
