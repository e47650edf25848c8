/* Buffers for frames that wait, taken at start: each is owned by exactly one of the pool and the stage. */
#ifndef LF_POOL_H
#define LF_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frame.h"

/* Ours. A buffer holds the largest frame; the odd size spreads the buffers over the cache's sets. Only pages that a frame
 * touched cost memory. */
enum { LF_BUFFER = 65536 + 448 };

struct lf_pool {
    uint8_t *slab;
    uint8_t **free;
    unsigned count; /* how many are free */
    unsigned size;
};

/* False where there is no memory. */
bool lf_pool_init(struct lf_pool *pool, unsigned size);
void lf_pool_close(struct lf_pool *pool);

/* A buffer of LF_BUFFER bytes; the pool's size is the sum of what its users can hold, so it never runs out. */
static inline uint8_t *lf_pool_take(struct lf_pool *pool)
{
    return pool->free[--pool->count];
}

static inline void lf_pool_give(struct lf_pool *pool, uint8_t *buffer)
{
    pool->free[pool->count++] = buffer;
}

#endif
