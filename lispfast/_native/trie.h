/* Prefixes of one family to numbers: what the longest-prefix match of the table walks.
 *
 * A trie whose forks look at 1 to 11 bits at once and whose leaves are short lists of prefixes, compared in one go. Bits
 * that all prefixes under a fork share are skipped and checked once. A fork is as wide as what lies under it is many, so a
 * million prefixes are two forks and a list deep.
 *
 * A trie is a word, its root, and never changes: a change makes another root, which shares with the old one whatever lies
 * off the way. So readers need no locks and no versions inside; the old root's own pieces are freed when nobody looks any
 * more. An empty trie is LF_TRIE_EMPTY. */
#ifndef LF_TRIE_H
#define LF_TRIE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "blocks.h"

typedef uint64_t lf_trie;

#define LF_TRIE_EMPTY ((lf_trie)0)

/* Ours. A value is 1 to LF_VALUE_MAX, of one prefix of the trie alone; 0 says that nothing matched. */
enum { LF_VALUE_MAX = (1 << 24) - 1 };

/* A prefix as numbers, first bit highest, host bits zero: IPv4 in the top half of `high`. */
struct lf_bits {
    uint64_t high, low;
};

struct lf_trie_entry {
    struct lf_bits bits;
    uint32_t value;
    uint8_t length;
};

/* The value of the longest prefix that holds the address, 0 for none. For any thread. */
uint32_t lf_trie_find4(lf_trie trie, uint32_t address);
uint32_t lf_trie_find6(lf_trie trie, struct lf_bits address);

/* The same for many addresses: their ways through the trie are walked abreast, so that memory is waited for once for all. */
void lf_trie_batch4(lf_trie trie, const uint32_t *addresses, uint32_t *values, size_t count);
void lf_trie_batch6(lf_trie trie, const struct lf_bits *addresses, uint32_t *values, size_t count);

/* What a writer needs while it makes new roots out of old ones: what it made, which goes if it gives up, and what the new
 * roots no longer use, which goes when nobody looks at the old ones. */
struct lf_trie_piece {
    void *block;
    uint32_t size;
};

struct lf_pieces {
    struct lf_trie_piece *piece;
    size_t count, room;
};

struct lf_trie_edit {
    struct lf_blocks *blocks;
    uint8_t family;
    uint64_t number; /* of the change; never 0. A fork that carries it was made by this change and is changed in place */
    struct lf_pieces made, left;
};

/* `number` differs from that of every change that is not forgotten or whose roots still stand. */
void lf_trie_edit_begin(struct lf_trie_edit *edit, struct lf_blocks *blocks, uint8_t family, uint64_t number);

/* Gives up: what the change made is freed, and the roots it began with are as they were. */
void lf_trie_edit_abandon(struct lf_trie_edit *edit);

/* The change stands. What it no longer uses is the caller's, who frees it with lf_pieces_free when no reader can see the
 * old roots; the change itself needs no further word. */
struct lf_pieces lf_trie_edit_settle(struct lf_trie_edit *edit);
void lf_pieces_free(struct lf_pieces *pieces, struct lf_blocks *blocks);

/* Puts a prefix in that is not there, takes one out that is there. False where there is no memory: then abandon. */
bool lf_trie_put(struct lf_trie_edit *edit, lf_trie *trie, const struct lf_trie_entry *entry);
bool lf_trie_take(struct lf_trie_edit *edit, lf_trie *trie, struct lf_bits bits, unsigned length);

/* A trie of its own out of many entries, which it sorts; no prefix stands twice. For loads: many times faster than one by
 * one. False where there is no memory. The pieces of a trie that it is to replace are left with `lf_trie_drop`. */
bool lf_trie_build(struct lf_trie_edit *edit, lf_trie *trie, struct lf_trie_entry *entries, size_t count);
bool lf_trie_drop(struct lf_trie_edit *edit, lf_trie trie);

/* The value of exactly this prefix, 0 where it is not there. */
uint32_t lf_trie_exact(uint8_t family, lf_trie trie, struct lf_bits bits, unsigned length);

/* How many prefixes the trie holds, and every one of them, in no order. `visit` returns false to stop. */
size_t lf_trie_count(uint8_t family, lf_trie trie);
void lf_trie_walk(uint8_t family, lf_trie trie, bool (*visit)(void *context, const struct lf_trie_entry *entry),
                  void *context);

#endif
