/* Memory for one batch: taken from front to back, given back as a whole. Small packets lie close together in it. */
#ifndef LF_ARENA_H
#define LF_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Ours: a dozen of the biggest frames with the headers of their segments, and still within a core's cache. */
enum { LF_ARENA = 1 << 20 };

struct lf_arena {
    uint8_t *base;
    size_t used;
};

/* False where there is no memory. */
bool lf_arena_init(struct lf_arena *arena);
void lf_arena_close(struct lf_arena *arena);

static inline size_t lf_arena_room(const struct lf_arena *arena)
{
    return LF_ARENA - arena->used;
}

/* The next free byte; `take` makes so many bytes from there the caller's. There must be room. Each part starts on a
 * boundary of 16 bytes. */
static inline uint8_t *lf_arena_next(const struct lf_arena *arena)
{
    return arena->base + arena->used;
}

static inline uint8_t *lf_arena_take(struct lf_arena *arena, size_t size)
{
    uint8_t *taken = lf_arena_next(arena);

    arena->used += (size + 15) & ~(size_t)15;
    return taken;
}

#endif
