/* structure FILE: the lookup structure by itself, without verdicts and counters. Says what it takes of resident memory. */
#include <string.h>

#include "cell.h"
#include "measure.h"

int main(int count, char **words)
{
    struct lf_blocks blocks;
    struct lf_trie_edit edit;
    struct lf_pieces left;
    struct lf_cell cell;
    struct lf_trie_entry *entries;
    lf_trie trie = LF_TRIE_EMPTY;
    size_t before;

    if (count != 2)
        return 2;
    cell = lf_cell_open(words[1]);
    entries = lf_touched(cell.head.prefixes * sizeof(*entries));
    for (size_t number = 0; number < cell.head.prefixes; number++) {
        const struct lf_cell_prefix *prefix = &cell.prefixes[number];

        entries[number] = (struct lf_trie_entry){
            .bits = prefix->bits, .value = prefix->number, .length = (uint8_t)prefix->length};
    }
    before = lf_resident("RssAnon");
    lf_blocks_init(&blocks);
    lf_trie_edit_begin(&edit, &blocks, (uint8_t)cell.head.family, 1);
    if (!lf_trie_build(&edit, &trie, entries, cell.head.prefixes))
        lf_refuse("no memory");
    left = lf_trie_edit_settle(&edit);
    lf_pieces_free(&left, &blocks);
    lf_say("bytes_per_entry", (double)(lf_resident("RssAnon") - before) / (double)cell.head.prefixes);
    lf_say("bytes_per_entry_used", (double)blocks.used / (double)cell.head.prefixes);
    return 0;
}
