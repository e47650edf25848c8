/* The prefixes of one instance-ID and family: a chain of roots of their trie. */
#ifndef LF_SPACE_H
#define LF_SPACE_H

#include "index.h"
#include "trie.h"
#include "version.h"

struct lf_space;

struct lf_root {
    struct lf_version version;
    lf_trie trie;
    struct lf_space *space;
};

struct lf_space {
    struct lf_entry entry;
    uint8_t family;
    lf_chain roots; /* of struct lf_root; none before the first transaction */
    size_t prefixes; /* of the newest root; the writer's alone, as below */
    /* What the transaction in hand does here: its prefixes that come and go (a list of changes by their place from 1
     * on, see changes.h), and the root that it makes. */
    uint32_t first, coming, going;
    struct lf_root *made;
    struct lf_space *next;
};

/* NULL where no prefix stands in it. */
struct lf_space *lf_space_find(const struct lf_index *index, uint32_t iid, uint8_t family);

/* For the writer: an empty space that is not there yet, in the index, which has room; NULL where there is no memory. */
struct lf_space *lf_space_make(struct lf_index *index, uint32_t iid, uint8_t family);

static inline lf_trie lf_space_trie(const struct lf_space *space, uint64_t pin)
{
    const struct lf_version *version = space ? lf_chain_at(&space->roots, pin) : NULL;

    return version ? ((const struct lf_root *)version)->trie : LF_TRIE_EMPTY;
}

/* For the writer: the newest. */
static inline lf_trie lf_space_newest(const struct lf_space *space)
{
    return lf_space_trie(space, UINT64_MAX);
}

#endif
