#include "index.h"

#include <stdlib.h>

/* Ours. */
enum { CELLS_MIN = 64 };

struct lf_cells {
    size_t mask;
    _Atomic(struct lf_entry *) cell[];
};

static struct lf_entry removed; /* where an entry was: a probe goes on past it */

static struct lf_cells *load_cells(const struct lf_index *index)
{
    return atomic_load_explicit(&index->cells, memory_order_acquire);
}

static size_t hash(const struct lf_index *index, uint32_t key)
{
    uint64_t mixed = (index->seed ^ key) * UINT64_C(0x9e3779b97f4a7c15);

    return (size_t)((mixed ^ mixed >> 29) * UINT64_C(0xd6e8feb86659fd93) >> 32);
}

static size_t cells_size(size_t count)
{
    return sizeof(struct lf_cells) + count * sizeof(_Atomic(struct lf_entry *));
}

static struct lf_cells *cells_new(size_t count)
{
    struct lf_cells *cells = calloc(1, cells_size(count));

    if (cells)
        cells->mask = count - 1;
    return cells;
}

static void free_cells(void *owner, void *cells)
{
    (void)owner;
    free(cells);
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

struct lf_entry *lf_index_find(const struct lf_index *index, uint32_t key)
{
    const struct lf_cells *cells = load_cells(index);

    for (size_t at = hash(index, key) & cells->mask;; at = (at + 1) & cells->mask) {
        struct lf_entry *entry = atomic_load_explicit(&cells->cell[at], memory_order_acquire);

        if (!entry || (entry != &removed && entry->key == key))
            return entry;
    }
}

static void place(const struct lf_index *index, struct lf_cells *cells, struct lf_entry *entry)
{
    size_t at = hash(index, entry->key) & cells->mask;

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

    struct lf_cells *cells = lf_epoch_reserve(epoch, 1) ? cells_new(count) : NULL;

    if (!cells)
        return false;
    for (size_t at = 0; at <= old->mask; at++) {
        struct lf_entry *entry = atomic_load_explicit(&old->cell[at], memory_order_relaxed);

        if (entry && entry != &removed)
            place(index, cells, entry);
    }
    index->used = index->live;
    atomic_store_explicit(&index->cells, cells, memory_order_release);
    lf_epoch_retire(epoch, old, cells_size(old->mask + 1), free_cells);
    return true;
}

void lf_index_insert(struct lf_index *index, struct lf_entry *entry)
{
    place(index, load_cells(index), entry);
    index->live++;
    index->used++;
}

void lf_index_remove(struct lf_index *index, struct lf_entry *entry)
{
    struct lf_cells *cells = load_cells(index);
    size_t at = hash(index, entry->key) & cells->mask;

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
