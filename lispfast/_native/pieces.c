#include "pieces.h"

#include <stdlib.h>

static bool add(struct lf_pieces *pieces, void *block, size_t size)
{
    if (pieces->count == pieces->room) {
        size_t room = pieces->room ? pieces->room * 2 : 16;
        struct lf_trie_piece *piece = realloc(pieces->piece, room * sizeof *piece);

        if (!piece)
            return false;
        pieces->piece = piece;
        pieces->room = room;
    }
    pieces->piece[pieces->count++] = (struct lf_trie_piece){.block = block, .size = (uint32_t)size};
    return true;
}

void *lf_edit_take(struct lf_trie_edit *edit, size_t size)
{
    void *block = lf_blocks_take(edit->blocks, size);

    if (block && !add(&edit->made, block, size)) {
        lf_blocks_give(edit->blocks, block, size);
        return NULL;
    }
    return block;
}

bool lf_edit_leave(struct lf_trie_edit *edit, const void *block, size_t size)
{
    return add(&edit->left, (void *)(uintptr_t)block, size);
}

void lf_trie_edit_begin(struct lf_trie_edit *edit, struct lf_blocks *blocks, uint8_t family, uint64_t number)
{
    *edit = (struct lf_trie_edit){.blocks = blocks, .family = family, .number = number};
}

void lf_pieces_free(struct lf_pieces *pieces, struct lf_blocks *blocks)
{
    for (size_t i = 0; i < pieces->count; i++)
        lf_blocks_give(blocks, pieces->piece[i].block, pieces->piece[i].size);
    free(pieces->piece);
    *pieces = (struct lf_pieces){0};
}

/* What was made and left again stands in both. */
void lf_trie_edit_abandon(struct lf_trie_edit *edit)
{
    lf_pieces_free(&edit->made, edit->blocks);
    free(edit->left.piece);
    edit->left = (struct lf_pieces){0};
}

struct lf_pieces lf_trie_edit_settle(struct lf_trie_edit *edit)
{
    struct lf_pieces left = edit->left;

    free(edit->made.piece);
    edit->made = edit->left = (struct lf_pieces){0};
    return left;
}
