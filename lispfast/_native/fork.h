/* What a trie is made of: words, forks and lists. For the trie's own files alone.
 *
 * A word is 0 for nothing, or tells a fork or a list by the low half of its address, whose last six bits are free for what
 * a reader wants to know before it looks there. The high half is the same for all and stands in the root (see blocks.h):
 * words of 32 bits make forks half as large, and more of them stay in the cache. */
#ifndef LF_FORK_H
#define LF_FORK_H

#include "trie.h"

typedef uint32_t lf_word;

#define LF_WORD_STRIDE 15u  /* bits that the fork looks at; 0 is a list */
#define LF_WORD_SKIPS 16u   /* bits were skipped before the fork: compare its own with the address */
#define LF_WORD_COVERED 32u /* a prefix shorter than the way to this word holds it: see the fork's covers */
#define LF_WORD_ADDRESS (~63u)

/* Ours. Eight prefixes of IPv4 are a line, six of IPv6 two. A fork is at most 2,048 words wide, since it is copied whole. */
enum { LF_LIST4 = 8, LF_LIST6 = 6, LF_STRIDE_MAX = 11 };

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
    uint32_t count;                        /* prefixes under it, covers included */
    uint32_t built;                        /* the count when its stride was chosen */
    uint16_t covers;
    uint8_t depth;
    uint8_t stride;
    lf_word word[]; /* four of them in the first line */
    /* Where it has covers, behind the words for each of them: the value of the longest cover that holds it. */
};

/* What the words of a trie leave out of an address. */
static inline uintptr_t lf_trie_base(lf_trie trie)
{
    return (uintptr_t)(trie & ~(LF_REGION - 1));
}

static inline const struct lf_fork *lf_word_fork(uintptr_t base, lf_word word)
{
    return (const struct lf_fork *)(base | (word & LF_WORD_ADDRESS));
}

static inline const void *lf_word_list(uintptr_t base, lf_word word)
{
    return (const void *)(base | (word & LF_WORD_ADDRESS));
}

static inline uint32_t *lf_fork_values(const struct lf_fork *fork, unsigned stride)
{
    return (uint32_t *)(uintptr_t)&fork->word[(size_t)1 << stride];
}

static inline size_t lf_cover_size(size_t covers)
{
    return covers * sizeof(struct lf_trie_entry);
}

/* How a fork is called by a word to which so many bits lead. */
static inline lf_word lf_fork_word(const struct lf_fork *fork, unsigned bits)
{
    return (lf_word)(uintptr_t)fork | fork->stride | (fork->depth > bits ? LF_WORD_SKIPS : 0);
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
