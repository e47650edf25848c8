#include "space.h"

#include <stdlib.h>

static struct lf_key space_key(uint32_t iid, uint8_t family)
{
    return (struct lf_key){.iid = iid, .family = family, .length = LF_SPACE_LENGTH};
}

struct lf_space *lf_space_find(const struct lf_index *index, uint32_t iid, uint8_t family)
{
    const struct lf_key key = space_key(iid, family);

    return (struct lf_space *)lf_index_find(index, &key);
}

/* The bits are stored before the transaction that needs them is published, so a relaxed load sees them; one bit too
 * many costs a probe. */
int lf_space_longest(const struct lf_space *space, int length)
{
    for (int word = length >> 6; word >= 0; word--) {
        uint64_t bits = atomic_load_explicit(&space->lengths[word], memory_order_relaxed);

        if (word == length >> 6 && (length & 63) != 63)
            bits &= (UINT64_C(1) << ((length & 63) + 1)) - 1;
        if (bits)
            return word * 64 + 63 - __builtin_clzll(bits);
    }
    return -1;
}

struct lf_space *lf_space_make(struct lf_index *index, uint32_t iid, uint8_t family)
{
    struct lf_space *space = lf_space_find(index, iid, family);

    if (space)
        return space;
    space = calloc(1, sizeof *space);
    if (!space)
        return NULL;
    space->entry.key = space_key(iid, family);
    lf_index_insert(index, &space->entry);
    return space;
}

static void set_bit(struct lf_space *space, unsigned length, bool present)
{
    _Atomic(uint64_t) *word = &space->lengths[length >> 6];
    uint64_t bit = UINT64_C(1) << (length & 63);
    uint64_t bits = atomic_load_explicit(word, memory_order_relaxed);

    atomic_store_explicit(word, present ? bits | bit : bits & ~bit, memory_order_relaxed);
}

void lf_space_add(struct lf_space *space, unsigned length)
{
    space->prefixes++;
    if (space->count[length]++ == 0)
        set_bit(space, length, true);
}

void lf_space_drop(struct lf_space *space, unsigned length)
{
    space->prefixes--;
    if (--space->count[length] == 0)
        set_bit(space, length, false);
}
