/* Memory for the pieces of tries: many small blocks that start on a cache line, out of few large chunks.
 *
 * All of them lie within one region of 4 GiB that starts at a multiple of its size, so that the low 32 bits of an address
 * tell a block. One thread takes and gives back. Chunks are huge pages where the kernel has them, so that a table of a million prefixes
 * is a handful of entries in the processor's TLB. Under AddressSanitizer a block that was given back is poisoned. */
#ifndef LF_BLOCKS_H
#define LF_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Ours. Sizes are rounded up to a class: 1, 2, 3, 4, 6, 8, 12, 16, 24 ... lines. */
enum { LF_LINE = 64, LF_BLOCK_CLASSES = 24, LF_CHUNK = 2 << 20 };
#define LF_REGION (UINT64_C(4) << 30)

struct lf_blocks {
    void *free[LF_BLOCK_CLASSES]; /* given back, by class; linked through their first bytes */
    uint8_t *region;              /* reserved with the first block; only its chunks have memory */
    uint8_t *fresh, *end;         /* of the newest chunk, what nobody took yet */
    size_t chunks;
    size_t used; /* bytes in blocks that are taken, as rounded */
};

void lf_blocks_init(struct lf_blocks *blocks);

/* Every block goes with it. */
void lf_blocks_close(struct lf_blocks *blocks);

/* Uninitialised, NULL where there is no memory. `size` is at most LF_CHUNK / 4; give a block back with the size it was
 * taken with. */
void *lf_blocks_take(struct lf_blocks *blocks, size_t size);
void lf_blocks_give(struct lf_blocks *blocks, void *block, size_t size);

#endif
