#include "locators.h"

#include <stdlib.h>

static size_t locators_size(unsigned count)
{
    const size_t size = offsetof(struct lf_locators, locator) + count * sizeof(struct lf_locator);

    return size < sizeof(struct lf_locators) ? sizeof(struct lf_locators) : size;
}

/* One piece of memory for the set and its first version: most sets never have another. */
struct lf_set *lf_set_new(uint32_t id, unsigned count, unsigned tunnels)
{
    struct lf_set *set = malloc(sizeof *set + locators_size(count + tunnels));
    struct lf_locators *first;

    if (!set)
        return NULL;
    first = (struct lf_locators *)(set + 1);
    first->version = (struct lf_version){0};
    first->count = (uint16_t)count;
    first->inside = true;
    set->entry.key = id;
    set->references = set->marked = 0;
    atomic_init(&set->versions, &first->version);
    return set;
}

struct lf_locators *lf_locators_new(unsigned count, unsigned tunnels)
{
    struct lf_locators *locators = malloc(locators_size(count + tunnels));

    if (!locators)
        return NULL;
    locators->version = (struct lf_version){0};
    locators->count = (uint16_t)count;
    locators->inside = false;
    return locators;
}

void lf_set_free(struct lf_set *set)
{
    if (set)
        lf_locators_free(lf_set_newest(set));
    free(set);
}

void lf_locators_free(struct lf_locators *locators)
{
    if (locators && !locators->inside)
        free(locators);
}
