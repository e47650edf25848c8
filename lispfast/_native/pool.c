#define _GNU_SOURCE
#include "pool.h"

#include <stdlib.h>
#include <sys/mman.h>

bool lf_pool_init(struct lf_pool *pool, unsigned size)
{
    void *slab = mmap(NULL, (size_t)size * LF_BUFFER, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    *pool = (struct lf_pool){.slab = slab == MAP_FAILED ? NULL : slab,
                             .free = calloc(size, sizeof *pool->free),
                             .size = size};
    if (!pool->slab || !pool->free) {
        lf_pool_close(pool);
        return false;
    }
    for (unsigned i = 0; i < size; i++)
        lf_pool_give(pool, pool->slab + (size_t)i * LF_BUFFER);
    return true;
}

void lf_pool_close(struct lf_pool *pool)
{
    if (pool->slab)
        munmap(pool->slab, (size_t)pool->size * LF_BUFFER);
    free(pool->free);
    *pool = (struct lf_pool){0};
}
