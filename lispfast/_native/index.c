#include "index.h"

#include <stdlib.h>
#include <string.h>

/* Ours. */
enum { CELLS_MIN = 64 };

struct lf_cells {
    struct lf_retired retired;
    size_t mask;
    _Atomic(struct lf_entry *) cell[];
};

static struct lf_entry removed; /* where an entry was: a probe goes on past it */

static struct lf_cells *load_cells(const struct lf_index *index)
{
    return atomic_load_explicit(&index->cells, memory_order_acquire);
}

static uint64_t mix(uint64_t a, uint64_t b)
{
    a = (a ^ b) * UINT64_C(0x9e3779b97f4a7c15);
    return a ^ a >> 32;
}

static uint64_t key_hash(const struct lf_index *index, const struct lf_key *key)
{
    uint64_t hash = mix(index->seed, (uint64_t)key->iid << 16 | (uint64_t)key->family << 8 | key->length);

    hash = mix(hash, key->high);
    hash = mix(hash, key->low);
    return mix(hash, index->seed >> 7);
}

static bool key_equal(const struct lf_key *a, const struct lf_key *b)
{
    return a->high == b->high && a->low == b->low && a->iid == b->iid && a->family == b->family &&
           a->length == b->length;
}

static struct lf_cells *cells_new(size_t count)
{
    struct lf_cells *cells = calloc(1, sizeof *cells + count * sizeof cells->cell[0]);

    if (cells)
        cells->mask = count - 1;
    return cells;
}

static void cells_release(struct lf_epoch *epoch, struct lf_retired *retired)
{
    (void)epoch;
    free(retired);
}

bool lf_index_init(struct lf_index *index, uint64_t seed)
{
    struct lf_cells *cells = cells_new(CELLS_MIN);

    atomic_init(&index->cells, cells);
    index->seed = seed;
    index->live = index->used = 0;
    return cells != NULL;
}

void lf_index_free(struct lf_index *index)
{
    free(load_cells(index));
}

struct lf_entry *lf_index_find(const struct lf_index *index, const struct lf_key *key)
{
    const struct lf_cells *cells = load_cells(index);
    uint64_t hash = key_hash(index, key);

    for (size_t at = hash & cells->mask;; at = (at + 1) & cells->mask) {
        struct lf_entry *entry = atomic_load_explicit(&cells->cell[at], memory_order_acquire);

        if (!entry)
            return NULL;
        if (entry != &removed && entry->hash == hash && key_equal(&entry->key, key))
            return entry;
    }
}

static void place(struct lf_cells *cells, struct lf_entry *entry)
{
    size_t at = entry->hash & cells->mask;

    while (atomic_load_explicit(&cells->cell[at], memory_order_relaxed))
        at = (at + 1) & cells->mask;
    atomic_store_explicit(&cells->cell[at], entry, memory_order_release);
}

/* At most half the cells are used, so a probe always meets an empty one. */
bool lf_index_reserve(struct lf_index *index, struct lf_epoch *epoch, size_t more)
{
    struct lf_cells *old = load_cells(index);
    size_t count = CELLS_MIN;

    if ((index->used + more) * 2 <= old->mask + 1)
        return true;
    while (count < (index->live + more) * 4)
        count *= 2;

    struct lf_cells *cells = cells_new(count);

    if (!cells)
        return false;
    for (size_t at = 0; at <= old->mask; at++) {
        struct lf_entry *entry = atomic_load_explicit(&old->cell[at], memory_order_relaxed);

        if (entry && entry != &removed)
            place(cells, entry);
    }
    index->used = index->live;
    atomic_store_explicit(&index->cells, cells, memory_order_release);
    lf_epoch_retire(epoch, &old->retired, lf_epoch_next(epoch), cells_release);
    return true;
}

void lf_index_insert(struct lf_index *index, struct lf_entry *entry)
{
    entry->hash = key_hash(index, &entry->key);
    place(load_cells(index), entry);
    index->live++;
    index->used++;
}

void lf_index_remove(struct lf_index *index, struct lf_entry *entry)
{
    struct lf_cells *cells = load_cells(index);
    size_t at = entry->hash & cells->mask;

    while (atomic_load_explicit(&cells->cell[at], memory_order_relaxed) != entry)
        at = (at + 1) & cells->mask;
    atomic_store_explicit(&cells->cell[at], &removed, memory_order_release);
    index->live--;
}

struct lf_entry *lf_index_next(const struct lf_index *index, size_t *cell)
{
    const struct lf_cells *cells = load_cells(index);

    while (*cell <= cells->mask) {
        struct lf_entry *entry = atomic_load_explicit(&cells->cell[(*cell)++], memory_order_relaxed);

        if (entry && entry != &removed)
            return entry;
    }
    return NULL;
}
