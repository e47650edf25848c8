#define _GNU_SOURCE
#include "blocks.h"

#include <stdlib.h>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#define POISONS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POISONS 1
#endif
#endif

#ifdef POISONS
#include <sanitizer/asan_interface.h>
#define POISON(block, size) __asan_poison_memory_region(block, size)
#define UNPOISON(block, size) __asan_unpoison_memory_region(block, size)
#else
#define POISON(block, size) ((void)(block), (void)(size))
#define UNPOISON(block, size) ((void)(block), (void)(size))
#endif

/* Two classes for each power of two: 1, 2, 3, 4, 6, 8, 12 lines and so on. */
static unsigned class_of(size_t size, size_t *rounded)
{
    size_t lines = (size + LF_LINE - 1) / LF_LINE;
    unsigned class = 0;
    size_t room = 1;

    while (room < lines) {
        class++;
        room = class & 1 ? (size_t)2 << class / 2 : (size_t)3 << (class / 2 - 1);
    }
    *rounded = room * LF_LINE;
    return class;
}

void lf_blocks_init(struct lf_blocks *blocks)
{
    *blocks = (struct lf_blocks){0};
}

void lf_blocks_close(struct lf_blocks *blocks)
{
    if (blocks->region) {
        UNPOISON(blocks->region, blocks->chunks * LF_CHUNK);
        munmap(blocks->region, LF_REGION);
    }
    lf_blocks_init(blocks);
}

/* Twice as much is reserved and what sticks out given back. A reservation is no memory: nobody can touch it yet. */
static bool reserve(struct lf_blocks *blocks)
{
    uint8_t *wide = mmap(NULL, 2 * LF_REGION, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (wide == MAP_FAILED)
        return false;

    size_t before = (size_t)(-(uintptr_t)wide & (LF_REGION - 1));

    if (before)
        munmap(wide, before);
    munmap(wide + before + LF_REGION, LF_REGION - before);
    blocks->region = wide + before;
    /* The first line stays unused: its low bits are those of nothing. */
    blocks->fresh = blocks->end = blocks->region;
    return true;
}

/* The first chunk takes small pages: a mobile node's whole table is smaller than one huge page. */
static bool add_chunk(struct lf_blocks *blocks)
{
    uint8_t *chunk;

    if (!blocks->region && !reserve(blocks))
        return false;
    if (blocks->chunks == LF_REGION / LF_CHUNK)
        return false;
    chunk = blocks->region + blocks->chunks * LF_CHUNK;
    if (mprotect(chunk, LF_CHUNK, PROT_READ | PROT_WRITE))
        return false;
    if (blocks->chunks > 0)
        madvise(chunk, LF_CHUNK, MADV_HUGEPAGE);
    POISON(chunk, LF_CHUNK);
    blocks->fresh = chunk + (blocks->chunks ? 0 : LF_LINE);
    blocks->end = chunk + LF_CHUNK;
    blocks->chunks++;
    return true;
}

static void put_free(struct lf_blocks *blocks, unsigned class, void *block, size_t rounded)
{
    *(void **)block = blocks->free[class];
    blocks->free[class] = block;
    POISON(block, rounded);
}

/* What is left of a chunk when a larger block is wanted: as large blocks as fit, so that nothing is lost. */
static void share_out_rest(struct lf_blocks *blocks)
{
    for (unsigned class = LF_BLOCK_CLASSES; class-- > 0;) {
        size_t rounded = (class & 1 ? (size_t)2 << class / 2 : class ? (size_t)3 << (class / 2 - 1) : 1) * LF_LINE;

        while ((size_t)(blocks->end - blocks->fresh) >= rounded) {
            UNPOISON(blocks->fresh, rounded);
            put_free(blocks, class, blocks->fresh, rounded);
            blocks->fresh += rounded;
        }
    }
}

void *lf_blocks_take(struct lf_blocks *blocks, size_t size)
{
    size_t rounded;
    unsigned class = class_of(size, &rounded);
    uint8_t *block = blocks->free[class];

    if (block) {
        UNPOISON(block, rounded);
        blocks->free[class] = *(void **)block;
        blocks->used += rounded;
        return block;
    }
    if ((size_t)(blocks->end - blocks->fresh) < rounded) {
        uint8_t *fresh = blocks->fresh, *end = blocks->end;

        if (!add_chunk(blocks))
            return NULL;

        struct lf_blocks rest = *blocks;

        rest.fresh = fresh;
        rest.end = end;
        share_out_rest(&rest);
        for (unsigned i = 0; i < LF_BLOCK_CLASSES; i++)
            blocks->free[i] = rest.free[i];
    }
    block = blocks->fresh;
    blocks->fresh += rounded;
    UNPOISON(block, rounded);
    blocks->used += rounded;
    return block;
}

void lf_blocks_give(struct lf_blocks *blocks, void *block, size_t size)
{
    size_t rounded;
    unsigned class = class_of(size, &rounded);

    blocks->used -= rounded;
    put_free(blocks, class, block, rounded);
}
