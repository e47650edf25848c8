#include "entries.h"

#include <stdlib.h>
#include <string.h>

/* Ours: fewer are not worth a radix sort's passes. */
enum { RADIX_MIN = 4096, DIGITS = 17 };

static int compare(const void *one, const void *other)
{
    const struct lf_trie_entry *a = one, *b = other;

    if (a->bits.high != b->bits.high)
        return a->bits.high < b->bits.high ? -1 : 1;
    if (a->bits.low != b->bits.low)
        return a->bits.low < b->bits.low ? -1 : 1;
    return a->length - b->length;
}

static bool in_order(const struct lf_trie_entry *entries, size_t count)
{
    for (size_t i = 1; i < count; i++)
        if (compare(&entries[i - 1], &entries[i]) > 0)
            return false;
    return true;
}

/* A byte of what is compared, 0 the least. */
static unsigned digit_of(const struct lf_trie_entry *entry, unsigned digit)
{
    if (digit == 0)
        return entry->length;
    return (unsigned)(digit <= 8 ? entry->bits.low >> (8 * (digit - 1)) : entry->bits.high >> (8 * (digit - 9))) & 255;
}

/* One stable pass by a byte, none where all have the same there. Returns where the entries are now. */
static struct lf_trie_entry *pass(struct lf_trie_entry *from, struct lf_trie_entry *to, size_t count, unsigned digit)
{
    size_t place[256] = {0}, sum = 0;

    for (size_t i = 0; i < count; i++)
        place[digit_of(&from[i], digit)]++;
    if (place[digit_of(&from[0], digit)] == count)
        return from;
    for (unsigned i = 0; i < 256; i++) {
        size_t here = place[i];

        place[i] = sum;
        sum += here;
    }
    for (size_t i = 0; i < count; i++)
        to[place[digit_of(&from[i], digit)]++] = from[i];
    return to;
}

bool lf_entries_sort(struct lf_trie_entry *entries, size_t count)
{
    struct lf_trie_entry *spare, *now = entries;

    if (count < RADIX_MIN) {
        qsort(entries, count, sizeof *entries, compare);
        return true;
    }
    if (in_order(entries, count))
        return true;
    spare = malloc(count * sizeof *spare);
    if (!spare)
        return false;
    for (unsigned digit = 0; digit < DIGITS; digit++)
        now = pass(now, now == entries ? spare : entries, count, digit);
    if (now != entries)
        memcpy(entries, spare, count * sizeof *spare);
    free(spare);
    return true;
}
