#include "fork.h"

#include <stdlib.h>
#include <string.h>

#include "bits.h"
#include "pieces.h"

static size_t fork_size(unsigned stride, size_t covers)
{
    return sizeof(struct lf_fork) + ((size_t)4 << stride) * (covers ? 2 : 1);
}

struct lf_fork *lf_fork_new(struct lf_trie_edit *edit, struct lf_bits bits, unsigned depth, unsigned stride,
                            uint32_t covers)
{
    struct lf_fork *fork = lf_edit_take(edit, fork_size(stride, covers));

    if (!fork)
        return NULL;
    memset(fork, 0, fork_size(stride, covers));
    fork->bits = lf_bits_first(bits, depth);
    fork->number = edit->number;
    fork->depth = (uint8_t)depth;
    fork->stride = (uint8_t)stride;
    fork->covers = (uint16_t)covers;
    if (covers && !(fork->cover = lf_edit_take(edit, lf_cover_size(covers))))
        return NULL;
    return fork;
}

bool lf_fork_leave(struct lf_trie_edit *edit, const struct lf_fork *fork)
{
    return (!fork->covers || lf_edit_leave(edit, fork->cover, lf_cover_size(fork->covers))) &&
           lf_edit_leave(edit, fork, fork_size(fork->stride, fork->covers));
}

static int compare_lengths(const void *one, const void *other)
{
    return ((const struct lf_trie_entry *)one)->length - ((const struct lf_trie_entry *)other)->length;
}

void lf_fork_paint(struct lf_fork *fork)
{
    size_t words = (size_t)1 << fork->stride;
    uint32_t *values = lf_fork_values(fork, fork->stride);

    for (size_t i = 0; i < words; i++)
        fork->word[i] &= ~LF_WORD_COVERED;
    if (!fork->covers)
        return;
    memset(values, 0, words * sizeof *values);
    qsort(fork->cover, fork->covers, sizeof *fork->cover, compare_lengths);
    for (uint32_t i = 0; i < fork->covers; i++) {
        const struct lf_trie_entry *cover = &fork->cover[i];
        size_t first = lf_bits_slot(cover->bits, fork->depth, fork->stride);

        for (size_t at = first; at < first + (words >> (cover->length - fork->depth)); at++) {
            values[at] = cover->value;
            fork->word[at] |= LF_WORD_COVERED;
        }
    }
}

struct lf_fork *lf_fork_own(struct lf_trie_edit *edit, const struct lf_fork *old, uint32_t covers)
{
    struct lf_fork *fork;

    if (old->number == edit->number && old->covers == covers)
        return (struct lf_fork *)(uintptr_t)old;
    fork = lf_edit_take(edit, fork_size(old->stride, covers));
    if (!fork)
        return NULL;
    memcpy(fork, old, fork_size(old->stride, covers && old->covers ? covers : 0));
    fork->number = edit->number;
    fork->covers = (uint16_t)covers;
    if (covers != old->covers) {
        fork->cover = NULL;
        if (covers && !(fork->cover = lf_edit_take(edit, lf_cover_size(covers))))
            return NULL;
        return lf_fork_leave(edit, old) ? fork : NULL;
    }
    return lf_edit_leave(edit, old, fork_size(old->stride, old->covers)) ? fork : NULL;
}
