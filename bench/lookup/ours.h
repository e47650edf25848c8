/* Our table with a cell in it. */
#ifndef LF_LOOKUP_OURS_H
#define LF_LOOKUP_OURS_H

#include "cell.h"
#include "table.h"

enum { LF_OURS_WORKERS = 2, LF_OURS_READER = 0, LF_OURS_SEED = 1 };

struct lf_ours {
    struct lf_cell cell;
    struct lf_table *table;
    const void *keys; /* of the pass */
    size_t count;
};

/* The keys of the passes that follow. */
void lf_ours_use(struct lf_ours *ours, const void *keys, size_t count);

/* Passes of lf_measure: in batches with one pin each, as a worker does, or one key a call. */
uint64_t lf_ours_batched(void *ours);
uint64_t lf_ours_single(void *ours);

/* Looks the keys up and holds every answer against what it has to be, `expected` NULL for misses. Returns the sum of the
 * values. Ends the program where one is wrong. */
uint64_t lf_ours_check(struct lf_ours *ours, const void *keys, size_t count, const uint32_t *expected);

/* One packed transaction into the table; ends the program where it is refused. */
void lf_ours_commit(struct lf_ours *ours, const void *buffer, size_t length);

#endif
