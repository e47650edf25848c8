/* What a trie is made of: words, forks and lists. For the trie's own files alone.
 *
 * A word is 0 for nothing, or the address of a fork or a list (both start on a cache line, and addresses of user space
 * have 48 bits) and what a reader wants to know before it looks there. */
#ifndef LF_FORK_H
#define LF_FORK_H

#include "trie.h"

typedef uint64_t lf_word;

#define LF_WORD_STRIDE UINT64_C(0x3f)               /* bits that the fork looks at; 0 is a list */
#define LF_WORD_ADDRESS UINT64_C(0x0000ffffffffffc0)
#define LF_WORD_SKIPS (UINT64_C(1) << 56)   /* bits were skipped before the fork: compare its own with the address */
#define LF_WORD_COVERED (UINT64_C(1) << 57) /* a prefix shorter than the way to this word holds it: see the fork's covers */
enum { LF_WORD_DEPTH = 48 };                /* 8 bits: where the fork's bits begin */

/* Ours. Eight prefixes of IPv4 are a line, six of IPv6 two. A fork is at most 1,024 words wide, since it is copied whole. */
enum { LF_LIST4 = 8, LF_LIST6 = 6, LF_STRIDE_MAX = 10 };

/* The longest prefix first; places that are left repeat the last one. meta: value << 6 | 32 - length. */
struct lf_list4 {
    uint32_t key[LF_LIST4];
    uint32_t meta[LF_LIST4];
};

/* The same; meta: value << 8 | length. */
struct lf_list6 {
    uint64_t high[LF_LIST6];
    uint64_t low[LF_LIST6];
    uint32_t meta[LF_LIST6];
    uint32_t filling[2]; /* to whole lines, for who reads eight metas at once */
};

struct lf_fork {
    _Alignas(LF_LINE) struct lf_bits bits; /* what all under it share: the first `depth` bits */
    uint64_t number;                       /* of the change that made it */
    struct lf_trie_entry *cover;           /* prefixes of depth to depth + stride - 1 bits */
    uint32_t covers;
    uint32_t count; /* prefixes under it, covers included */
    uint32_t built; /* the count when its stride was chosen */
    uint8_t depth;
    uint8_t stride;
    _Alignas(LF_LINE) lf_word word[];
    /* Where it has covers, behind the words for each of them: the value of the longest cover that holds it. */
};

static inline const struct lf_fork *lf_word_fork(lf_word word)
{
    return (const struct lf_fork *)(uintptr_t)(word & LF_WORD_ADDRESS);
}

static inline const void *lf_word_list(lf_word word)
{
    return (const void *)(uintptr_t)(word & LF_WORD_ADDRESS);
}

static inline uint32_t *lf_fork_values(const struct lf_fork *fork, unsigned stride)
{
    return (uint32_t *)(uintptr_t)&fork->word[(size_t)1 << stride];
}

static inline size_t lf_cover_size(size_t covers)
{
    return covers * sizeof(struct lf_trie_entry);
}

/* How a fork is called by a word to which `base` bits lead. */
static inline lf_word lf_fork_word(const struct lf_fork *fork, unsigned base)
{
    return (lf_word)(uintptr_t)fork | fork->stride | (lf_word)fork->depth << LF_WORD_DEPTH |
           (fork->depth > base ? LF_WORD_SKIPS : 0);
}

/* Puts a word in and leaves what the fork's covers say of it. */
static inline void lf_fork_set(struct lf_fork *fork, size_t slot, lf_word word)
{
    fork->word[slot] = (word & ~LF_WORD_COVERED) | (fork->word[slot] & LF_WORD_COVERED);
}

/* An empty fork over the first `depth` of these bits, with room for so many covers. NULL where there is no memory. */
struct lf_fork *lf_fork_new(struct lf_trie_edit *edit, struct lf_bits bits, unsigned depth, unsigned stride,
                            uint32_t covers);

/* A fork of this change with the old one's words, which the change is to use in its place; the old one itself where it is
 * of this change. Where the number of covers differs they are not copied but the caller's to fill. NULL where there is no
 * memory. */
struct lf_fork *lf_fork_own(struct lf_trie_edit *edit, const struct lf_fork *old, uint32_t covers);

/* The change does without the fork and its covers. False where there is no memory. */
bool lf_fork_leave(struct lf_trie_edit *edit, const struct lf_fork *fork);

/* Once its covers have changed: sorts them and tells each word which of them is its longest. */
void lf_fork_paint(struct lf_fork *fork);

#endif
