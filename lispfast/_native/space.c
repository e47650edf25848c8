#include "space.h"

#include <stdlib.h>

/* An instance-ID has 24 bits. */
static uint32_t space_key(uint32_t iid, uint8_t family)
{
    return iid << 1 | (family == 6);
}

struct lf_space *lf_space_find(const struct lf_index *index, uint32_t iid, uint8_t family)
{
    return (struct lf_space *)lf_index_find(index, space_key(iid, family));
}

struct lf_space *lf_space_make(struct lf_index *index, uint32_t iid, uint8_t family)
{
    struct lf_space *space = calloc(1, sizeof *space);

    if (!space)
        return NULL;
    space->entry.key = space_key(iid, family);
    space->family = family;
    lf_index_insert(index, &space->entry);
    return space;
}
