/* A hash table of pointers by number, read without locks beside one writer that inserts, removes and grows. */
#ifndef LF_INDEX_H
#define LF_INDEX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "epoch.h"

/* Stands first in whatever an index holds. */
struct lf_entry {
    uint32_t key;
};

struct lf_cells;

struct lf_index {
    _Atomic(struct lf_cells *) cells;
    uint64_t seed;
    size_t live; /* entries; the writer's alone, as below */
    size_t used; /* entries and removed ones that still stop a probe */
};

/* False where there is no memory. The seed keeps strangers from choosing numbers that collide. */
bool lf_index_init(struct lf_index *index, uint64_t seed);

/* No reader may be left, and nothing of the index retired; the entries are the caller's to free first. */
void lf_index_free(struct lf_index *index);

/* For readers with a pin and for the writer. NULL where there is none. */
struct lf_entry *lf_index_find(const struct lf_index *index, uint32_t key);

/* For the writer. `reserve` makes room for `more` insertions, which then cannot fail; false where there is no memory.
 * `remove` takes the entry out; readers may hold it until they pass. */
bool lf_index_reserve(struct lf_index *index, struct lf_epoch *epoch, size_t more);
void lf_index_insert(struct lf_index *index, struct lf_entry *entry);
void lf_index_remove(struct lf_index *index, struct lf_entry *entry);

/* For the writer: the next entry from a cell on, which starts at 0 and moves past it; NULL at the end. */
struct lf_entry *lf_index_next(const struct lf_index *index, size_t *cell);

#endif
