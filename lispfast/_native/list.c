#include "list.h"

#include "pieces.h"

static void list4_set(struct lf_list4 *list, unsigned at, const struct lf_trie_entry *entry)
{
    list->key[at] = (uint32_t)(entry->bits.high >> 32);
    list->meta[at] = entry->value << 6 | (32u - entry->length);
}

static void list6_set(struct lf_list6 *list, unsigned at, const struct lf_trie_entry *entry)
{
    list->high[at] = entry->bits.high;
    list->low[at] = entry->bits.low;
    list->meta[at] = entry->value << 8 | entry->length;
}

lf_word lf_list_make(struct lf_trie_edit *edit, const struct lf_trie_entry *entries, unsigned count)
{
    const struct lf_trie_entry *sorted[LF_LIST4];
    void *list = lf_edit_take(edit, lf_list_size(edit->family));

    if (!list)
        return 0;
    for (unsigned i = 0; i < count; i++) {
        unsigned at = i;

        for (; at > 0 && sorted[at - 1]->length < entries[i].length; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = &entries[i];
    }
    for (unsigned i = 0; i < lf_list_room(edit->family); i++) {
        const struct lf_trie_entry *entry = sorted[i < count ? i : count - 1];

        if (edit->family == 4)
            list4_set(list, i, entry);
        else
            list6_set(list, i, entry);
    }
    return (lf_word)(uintptr_t)list;
}

static struct lf_trie_entry list_get(uint8_t family, const void *list, unsigned at)
{
    const struct lf_list4 *four = list;
    const struct lf_list6 *six = list;

    if (family == 4)
        return (struct lf_trie_entry){.bits.high = (uint64_t)four->key[at] << 32,
                                      .value = four->meta[at] >> 6,
                                      .length = (uint8_t)(32 - (four->meta[at] & 63))};
    return (struct lf_trie_entry){.bits = {six->high[at], six->low[at]},
                                  .value = six->meta[at] >> 8,
                                  .length = (uint8_t)six->meta[at]};
}

unsigned lf_list_read(uint8_t family, const void *list, struct lf_trie_entry *entries)
{
    unsigned count = 0;

    while (count < lf_list_room(family)) {
        entries[count] = list_get(family, list, count);
        /* A value belongs to one prefix, so a repeated value is filling. */
        if (count > 0 && entries[count].value == entries[count - 1].value)
            break;
        count++;
    }
    return count;
}
