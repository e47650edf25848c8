/* Prefixes in order, for the trie's own files and for who has to see which of many stand twice. */
#ifndef LF_ENTRIES_H
#define LF_ENTRIES_H

#include "trie.h"

static inline bool lf_entry_is(const struct lf_trie_entry *entry, struct lf_bits bits, unsigned length)
{
    return entry->bits.high == bits.high && entry->bits.low == bits.low && entry->length == length;
}

/* By bits, then by length, so that what holds others comes before them. False where there is no memory. */
bool lf_entries_sort(struct lf_trie_entry *entries, size_t count);

#endif
