/* What a change of a trie made and what it leaves behind. For the trie's own files alone; see trie.h. */
#ifndef LF_PIECES_H
#define LF_PIECES_H

#include "trie.h"

/* A block of the change's own, uninitialised; NULL where there is no memory. */
void *lf_edit_take(struct lf_trie_edit *edit, size_t size);

/* The new roots do without this block, which may be one of the change's own. False where there is no memory. */
bool lf_edit_leave(struct lf_trie_edit *edit, const void *block, size_t size);

#endif
