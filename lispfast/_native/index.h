/* A hash table of pointers by key, read without locks beside one writer that inserts, removes and grows. */
#ifndef LF_INDEX_H
#define LF_INDEX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "epoch.h"

/* Prefix bits as numbers (see address.h), host bits zero. `length` above 128 names other things than prefixes. */
struct lf_key {
    uint64_t high;
    uint64_t low;
    uint32_t iid;
    uint8_t family;
    uint8_t length;
    uint16_t zero;
};

/* Stands first in whatever an index holds. */
struct lf_entry {
    struct lf_retired retired;
    struct lf_key key;
    uint64_t hash;
};

struct lf_cells;

struct lf_index {
    _Atomic(struct lf_cells *) cells;
    uint64_t seed;
    size_t live; /* entries; the writer's alone, as below */
    size_t used; /* entries and removed ones that still stop a probe */
};

/* False where there is no memory. The seed keeps strangers from choosing EIDs that collide. */
bool lf_index_init(struct lf_index *index, uint64_t seed);

/* No reader may be left, and nothing of the index retired; the entries are the caller's to free first. */
void lf_index_free(struct lf_index *index);

/* For readers with a pin and for the writer. */
struct lf_entry *lf_index_find(const struct lf_index *index, const struct lf_key *key);

/* For the writer. `reserve` makes room for `more` insertions, which then cannot fail; false where there is no memory.
 * `remove` takes the entry out; readers may hold it until they pass. */
bool lf_index_reserve(struct lf_index *index, struct lf_epoch *epoch, size_t more);
void lf_index_insert(struct lf_index *index, struct lf_entry *entry);
void lf_index_remove(struct lf_index *index, struct lf_entry *entry);

/* For the writer: the next entry from a cell on, which starts at 0 and moves past it; NULL at the end. */
struct lf_entry *lf_index_next(const struct lf_index *index, size_t *cell);

#endif
