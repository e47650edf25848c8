/* The leaves of a trie: a few prefixes, compared in one go. For the trie's own files alone. */
#ifndef LF_LIST_H
#define LF_LIST_H

#include "fork.h"

static inline unsigned lf_list_room(uint8_t family)
{
    return family == 4 ? LF_LIST4 : LF_LIST6;
}

static inline size_t lf_list_size(uint8_t family)
{
    return family == 4 ? sizeof(struct lf_list4) : sizeof(struct lf_list6);
}

/* A list of 1 to lf_list_room entries in any order; 0 where there is no memory. */
lf_word lf_list_make(struct lf_trie_edit *edit, const struct lf_trie_entry *entries, unsigned count);

/* The entries of a list into room for lf_list_room of them; returns how many. */
unsigned lf_list_read(uint8_t family, const void *list, struct lf_trie_entry *entries);

#endif
