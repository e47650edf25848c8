#include "trie.h"

#include <stdlib.h>
#include <string.h>

#include "bits.h"
#include "entries.h"
#include "list.h"
#include "pieces.h"

/* Ours. A fork that holds twice or a quarter of what it was made for is made anew with all below it, up to so many. */
enum { REMAKE_MAX = 16384 };

/* Ours: the stride over nested prefixes. */
enum { NESTED = 5 };

static uintptr_t region_of(const struct lf_trie_edit *edit)
{
    return (uintptr_t)edit->blocks->region;
}

/* A root says what its words leave out. */
static lf_trie root_of(const struct lf_trie_edit *edit, lf_word word)
{
    return word ? region_of(edit) | word : LF_TRIE_EMPTY;
}

/* So wide that the lists below are about half full. */
static unsigned choose_stride(uint8_t family, size_t count)
{
    const unsigned wanted = family == 4 ? 5 : 4;
    unsigned stride = 1;

    while (stride < LF_STRIDE_MAX && count >> stride > wanted)
        stride++;
    return stride;
}

static uint32_t word_count(uint8_t family, uintptr_t region, lf_word word)
{
    struct lf_trie_entry entries[LF_LIST4];

    if (word & LF_WORD_STRIDE)
        return lf_word_fork(region, word)->count;
    return word & LF_WORD_ADDRESS ? lf_list_read(family, lf_word_list(region, word), entries) : 0;
}

/* Where a prefix holds all the others and they share more bits than it has, one bit is enough to hang it up; but where the
 * next such prefix is near, one fork for several of them saves steps. */
static unsigned nested_stride(const struct lf_trie_entry *entries)
{
    return entries[1].length < entries[0].length + NESTED ? NESTED : 1;
}

/* Making, of entries in order; the scratch is theirs. */

static bool make(struct lf_trie_edit *edit, struct lf_trie_entry *entries, size_t count, unsigned base, lf_word *word)
{
    if (count <= lf_list_room(edit->family)) {
        *word = count ? lf_list_make(edit, entries, (unsigned)count) : 0;
        return !count || *word;
    }

    unsigned common = lf_bits_common(entries[0].bits, entries[count - 1].bits);
    unsigned depth = entries[0].length < common ? entries[0].length : common;
    unsigned stride = entries[0].length < common ? nested_stride(entries) : choose_stride(edit->family, count);
    size_t covers = 0, rest = 0;

    if (stride > lf_family_bits(edit->family) - depth)
        stride = lf_family_bits(edit->family) - depth;
    for (size_t i = 0; i < count; i++)
        covers += entries[i].length < depth + stride;

    struct lf_fork *fork = lf_fork_new(edit, entries[0].bits, depth, stride, (unsigned)covers);

    if (!fork)
        return false;
    fork->count = fork->built = (uint32_t)count;
    covers = 0;
    for (size_t i = 0; i < count; i++)
        if (entries[i].length < depth + stride)
            fork->cover[covers++] = entries[i];
        else
            entries[rest++] = entries[i];
    for (size_t first = 0, end; first < rest; first = end) {
        size_t slot = lf_bits_slot(entries[first].bits, depth, stride);

        for (end = first + 1; end < rest && lf_bits_slot(entries[end].bits, depth, stride) == slot;)
            end++;
        if (!make(edit, entries + first, end - first, depth + stride, &fork->word[slot]))
            return false;
    }
    lf_fork_paint(fork);
    *word = lf_fork_word(fork, base);
    return true;
}

/* Every entry under a word, in no order. */
static void gather(uint8_t family, uintptr_t region, lf_word word, struct lf_trie_entry **to)
{
    if (!(word & LF_WORD_STRIDE)) {
        if (word & LF_WORD_ADDRESS)
            *to += lf_list_read(family, lf_word_list(region, word), *to);
        return;
    }

    const struct lf_fork *fork = lf_word_fork(region, word);

    if (fork->covers)
        memcpy(*to, fork->cover, lf_cover_size(fork->covers));
    *to += fork->covers;
    for (size_t i = 0; i < (size_t)1 << fork->stride; i++)
        gather(family, region, fork->word[i], to);
}

static bool leave_all(struct lf_trie_edit *edit, lf_word word)
{
    if (!(word & LF_WORD_ADDRESS))
        return true;
    if (!(word & LF_WORD_STRIDE))
        return lf_edit_leave(edit, lf_word_list(region_of(edit), word), lf_list_size(edit->family));

    const struct lf_fork *fork = lf_word_fork(region_of(edit), word);

    for (size_t i = 0; i < (size_t)1 << fork->stride; i++)
        if (!leave_all(edit, fork->word[i]))
            return false;
    return lf_fork_leave(edit, fork);
}

/* The word's entries and, where there is one, `more`, made anew. */
static bool remake(struct lf_trie_edit *edit, lf_word *word, unsigned base, const struct lf_trie_entry *more)
{
    /* list_read looks one place further than it keeps. */
    size_t room = word_count(edit->family, region_of(edit), *word) + 1 + LF_LIST4;
    struct lf_trie_entry *entries = malloc(room * sizeof *entries), *end = entries;
    lf_word made = 0;

    if (!entries)
        return false;
    gather(edit->family, region_of(edit), *word, &end);
    if (more)
        *end++ = *more;

    size_t count = (size_t)(end - entries);
    bool done = lf_entries_sort(entries, count) && leave_all(edit, *word) && make(edit, entries, count, base, &made);

    free(entries);
    *word = made;
    return done;
}

bool lf_trie_build(struct lf_trie_edit *edit, lf_trie *trie, struct lf_trie_entry *entries, size_t count)
{
    lf_word word = 0;
    bool done = lf_entries_sort(entries, count) && make(edit, entries, count, 0, &word);

    *trie = root_of(edit, word);
    return done;
}

bool lf_trie_drop(struct lf_trie_edit *edit, lf_trie trie)
{
    return leave_all(edit, (lf_word)trie);
}

/* One prefix more. */

static bool put(struct lf_trie_edit *edit, lf_word *word, unsigned base, const struct lf_trie_entry *entry);

/* A fork of one bit over another fork and over what does not belong under that. */
static bool put_beside(struct lf_trie_edit *edit, lf_word *word, unsigned base, const struct lf_trie_entry *entry,
                       unsigned common)
{
    const struct lf_fork *below = lf_word_fork(region_of(edit), *word);
    bool covers = entry->length <= common;
    unsigned depth = covers ? entry->length : common;
    struct lf_fork *fork = lf_fork_new(edit, below->bits, depth, 1, covers);

    if (!fork)
        return false;
    fork->count = fork->built = below->count + 1;
    fork->word[lf_bits_slot(below->bits, depth, 1)] = lf_fork_word(below, depth + 1);
    if (covers)
        fork->cover[0] = *entry;
    else if (!put(edit, &fork->word[lf_bits_slot(entry->bits, depth, 1)], depth + 1, entry))
        return false;
    lf_fork_paint(fork);
    *word = lf_fork_word(fork, base);
    return true;
}

static bool put_cover(struct lf_trie_edit *edit, lf_word *word, unsigned base, const struct lf_trie_entry *entry)
{
    const struct lf_fork *old = lf_word_fork(region_of(edit), *word);
    const struct lf_trie_entry *covers = old->cover;
    uint32_t count = old->covers;
    struct lf_fork *fork = lf_fork_own(edit, old, count + 1);

    if (!fork)
        return false;
    if (count)
        memcpy(fork->cover, covers, lf_cover_size(count));
    fork->cover[count] = *entry;
    fork->count++;
    lf_fork_paint(fork);
    *word = lf_fork_word(fork, base);
    return true;
}

static bool put_fork(struct lf_trie_edit *edit, lf_word *word, unsigned base, const struct lf_trie_entry *entry)
{
    const struct lf_fork *old = lf_word_fork(region_of(edit), *word);
    unsigned common = lf_bits_common(entry->bits, old->bits);
    unsigned count = old->count + 1;

    if (common > old->depth)
        common = old->depth;
    if (common < old->depth || entry->length < old->depth)
        return put_beside(edit, word, base, entry, entry->length < common ? entry->length : common);
    if (count > 2 * old->built && count <= REMAKE_MAX && choose_stride(edit->family, count) > old->stride)
        return remake(edit, word, base, entry);
    if (entry->length < old->depth + old->stride)
        return put_cover(edit, word, base, entry);

    struct lf_fork *fork = lf_fork_own(edit, old, old->covers);

    if (!fork)
        return false;

    size_t slot = lf_bits_slot(entry->bits, fork->depth, fork->stride);
    lf_word child = fork->word[slot] & ~LF_WORD_COVERED;

    if (!put(edit, &child, fork->depth + fork->stride, entry))
        return false;
    lf_fork_set(fork, slot, child);
    fork->count++;
    *word = lf_fork_word(fork, base);
    return true;
}

static bool put(struct lf_trie_edit *edit, lf_word *word, unsigned base, const struct lf_trie_entry *entry)
{
    struct lf_trie_entry entries[LF_LIST4 + 1];
    lf_word old = *word;
    unsigned count;

    if (old & LF_WORD_STRIDE)
        return put_fork(edit, word, base, entry);
    count = old ? lf_list_read(edit->family, lf_word_list(region_of(edit), old), entries) : 0;
    entries[count++] = *entry;
    lf_entries_sort(entries, count);
    if (old && !lf_edit_leave(edit, lf_word_list(region_of(edit), old), lf_list_size(edit->family)))
        return false;
    return make(edit, entries, count, base, word);
}

bool lf_trie_put(struct lf_trie_edit *edit, lf_trie *trie, const struct lf_trie_entry *entry)
{
    lf_word word = (lf_word)*trie;
    bool done = put(edit, &word, 0, entry);

    *trie = root_of(edit, word);
    return done;
}

/* One prefix less. */

static bool take(struct lf_trie_edit *edit, lf_word *word, unsigned base, struct lf_bits bits, unsigned length);

static bool take_cover(struct lf_trie_edit *edit, struct lf_fork **fork, const struct lf_fork *old, struct lf_bits bits,
                       unsigned length)
{
    const struct lf_trie_entry *covers = old->cover;
    uint32_t count = old->covers, kept = 0;

    *fork = lf_fork_own(edit, old, count - 1);
    if (!*fork)
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (!lf_entry_is(&covers[i], bits, length))
            (*fork)->cover[kept++] = covers[i];
    lf_fork_paint(*fork);
    return true;
}

static bool take_fork(struct lf_trie_edit *edit, lf_word *word, unsigned base, struct lf_bits bits, unsigned length)
{
    const struct lf_fork *old = lf_word_fork(region_of(edit), *word);
    struct lf_fork *fork;
    lf_word child = 0;

    if (length < old->depth + old->stride) {
        if (!take_cover(edit, &fork, old, bits, length))
            return false;
    } else {
        size_t slot = lf_bits_slot(bits, old->depth, old->stride);

        fork = lf_fork_own(edit, old, old->covers);
        if (!fork)
            return false;
        child = fork->word[slot] & ~LF_WORD_COVERED;
        if (!take(edit, &child, fork->depth + fork->stride, bits, length))
            return false;
        lf_fork_set(fork, slot, child);
    }
    fork->count--;
    if (!fork->covers && (child & LF_WORD_STRIDE) && lf_word_fork(region_of(edit), child)->count == fork->count) {
        *word = lf_fork_word(lf_word_fork(region_of(edit), child), base);
        return lf_fork_leave(edit, fork);
    }
    *word = lf_fork_word(fork, base);
    if (fork->count <= lf_list_room(edit->family) / 2 ||
        (fork->count < fork->built / 4 && fork->count <= REMAKE_MAX &&
         choose_stride(edit->family, fork->count) < fork->stride))
        return remake(edit, word, base, NULL);
    return true;
}

static bool take(struct lf_trie_edit *edit, lf_word *word, unsigned base, struct lf_bits bits, unsigned length)
{
    struct lf_trie_entry entries[LF_LIST4 + 1];
    lf_word old = *word;
    unsigned count, kept = 0;

    if (old & LF_WORD_STRIDE)
        return take_fork(edit, word, base, bits, length);
    count = lf_list_read(edit->family, lf_word_list(region_of(edit), old), entries);
    for (unsigned i = 0; i < count; i++)
        if (!lf_entry_is(&entries[i], bits, length))
            entries[kept++] = entries[i];
    *word = kept ? lf_list_make(edit, entries, kept) : 0;
    return (!kept || *word) && lf_edit_leave(edit, lf_word_list(region_of(edit), old), lf_list_size(edit->family));
}

bool lf_trie_take(struct lf_trie_edit *edit, lf_trie *trie, struct lf_bits bits, unsigned length)
{
    lf_word word = (lf_word)*trie;
    bool done = take(edit, &word, 0, bits, length);

    *trie = root_of(edit, word);
    return done;
}

/* Looking at it. */

uint32_t lf_trie_exact(uint8_t family, lf_trie trie, struct lf_bits bits, unsigned length)
{
    struct lf_trie_entry entries[LF_LIST4];
    const uintptr_t region = lf_trie_base(trie);
    lf_word word = (lf_word)trie;

    while (word & LF_WORD_STRIDE) {
        const struct lf_fork *fork = lf_word_fork(region, word);

        if (length < fork->depth || lf_bits_common(bits, fork->bits) < fork->depth)
            return 0;
        if (length < (unsigned)fork->depth + fork->stride) {
            for (uint32_t i = 0; i < fork->covers; i++)
                if (lf_entry_is(&fork->cover[i], bits, length))
                    return fork->cover[i].value;
            return 0;
        }
        word = fork->word[lf_bits_slot(bits, fork->depth, fork->stride)];
    }
    if (word & LF_WORD_ADDRESS)
        for (unsigned i = 0, count = lf_list_read(family, lf_word_list(region, word), entries); i < count; i++)
            if (lf_entry_is(&entries[i], bits, length))
                return entries[i].value;
    return 0;
}

size_t lf_trie_count(uint8_t family, lf_trie trie)
{
    return word_count(family, lf_trie_base(trie), (lf_word)trie);
}

static bool walk(uint8_t family, uintptr_t region, lf_word word, bool (*visit)(void *, const struct lf_trie_entry *), void *context)
{
    if (!(word & LF_WORD_STRIDE)) {
        struct lf_trie_entry entries[LF_LIST4];
        unsigned count = word & LF_WORD_ADDRESS ? lf_list_read(family, lf_word_list(region, word), entries) : 0;

        for (unsigned i = 0; i < count; i++)
            if (!visit(context, &entries[i]))
                return false;
        return true;
    }

    const struct lf_fork *fork = lf_word_fork(region, word);

    for (uint32_t i = 0; i < fork->covers; i++)
        if (!visit(context, &fork->cover[i]))
            return false;
    for (size_t i = 0; i < (size_t)1 << fork->stride; i++)
        if (!walk(family, region, fork->word[i], visit, context))
            return false;
    return true;
}

void lf_trie_walk(uint8_t family, lf_trie trie, bool (*visit)(void *context, const struct lf_trie_entry *entry),
                  void *context)
{
    walk(family, lf_trie_base(trie), (lf_word)trie, visit, context);
}
