#define _GNU_SOURCE
#include "arena.h"

#include <sys/mman.h>

bool lf_arena_init(struct lf_arena *arena)
{
    void *base =
        mmap(NULL, LF_ARENA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    *arena = (struct lf_arena){.base = base == MAP_FAILED ? NULL : base};
    return arena->base != NULL;
}

void lf_arena_close(struct lf_arena *arena)
{
    if (arena->base)
        munmap(arena->base, LF_ARENA);
    *arena = (struct lf_arena){0};
}
