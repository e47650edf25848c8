#include "groups.h"

#include <stdlib.h>
#include <string.h>

#include "draw.h"
#include "measure.h"

enum { FIRST = 24, LEVELS = (128 - FIRST) / 8 }; /* a table of 2^24, then groups of 8 bits */

static int by_bits(const void *a, const void *b)
{
    const struct lf_cell_prefix *one = a, *other = b;

    if (one->bits.high != other->bits.high)
        return one->bits.high < other->bits.high ? -1 : 1;
    if (one->bits.low != other->bits.low)
        return one->bits.low < other->bits.low ? -1 : 1;
    return (one->length > other->length) - (one->length < other->length);
}

static int by_length(const void *a, const void *b)
{
    const struct lf_cell_prefix *one = a, *other = b;

    if (one->length != other->length)
        return one->length < other->length ? -1 : 1;
    return (one->number > other->number) - (one->number < other->number);
}

static struct lf_cell_prefix *sorted(const struct lf_cell *cell, int (*compare)(const void *, const void *))
{
    size_t size = cell->head.prefixes * sizeof(struct lf_cell_prefix);
    struct lf_cell_prefix *copy = malloc(size);

    if (!copy)
        lf_refuse("no memory");
    memcpy(copy, cell->prefixes, size);
    qsort(copy, cell->head.prefixes, sizeof(*copy), compare);
    return copy;
}

const struct lf_cell_prefix *lf_groups_order(const struct lf_cell *cell)
{
    return sorted(cell, by_length);
}

static bool same(struct lf_bits a, struct lf_bits b, unsigned length)
{
    a = lf_draw_first(a, length);
    b = lf_draw_first(b, length);
    return a.high == b.high && a.low == b.low;
}

/* Groups on the ways to the prefixes: one for each beginning of 24, 32, 40 ... bits that a longer prefix has. */
static uint64_t on_the_way(const struct lf_cell_prefix *prefix, size_t count, unsigned levels)
{
    const struct lf_cell_prefix *last[LEVELS] = {NULL};
    uint64_t groups = 0;

    for (size_t number = 0; number < count; number++)
        for (unsigned level = 0; level < levels; level++) {
            unsigned depth = FIRST + 8 * level;

            if (prefix[number].length <= depth)
                break;
            if (!last[level] || !same(last[level]->bits, prefix[number].bits, depth))
                groups++;
            last[level] = &prefix[number];
        }
    return groups;
}

static unsigned up(unsigned length)
{
    return (length + 7) / 8 * 8;
}

/* Groups that rte_fib6 sets aside: for the first prefix within a byte's boundary as many as lie between it and what
 * holds it, though they are shared with its neighbours. One that ends at the boundary counts for itself. */
static uint64_t set_aside(const struct lf_cell_prefix *prefix, size_t count)
{
    const struct lf_cell_prefix *above[129], *last[LEVELS + 1] = {NULL}; /* what holds this one; by byte of its end */
    unsigned depth = 0;
    uint64_t groups = 0;

    for (size_t number = 0; number < count; number++) {
        const struct lf_cell_prefix *here = &prefix[number];
        unsigned down = here->length / 8 * 8, parent = FIRST;

        while (depth > 0 && !same(above[depth - 1]->bits, here->bits, above[depth - 1]->length))
            depth--;
        for (unsigned at = 0; at < depth; at++)
            if (above[at]->length <= down && above[at]->length > parent)
                parent = above[at]->length;
        above[depth++] = here;
        if (here->length <= FIRST)
            continue;
        const struct lf_cell_prefix **block = &last[(down - FIRST) / 8];
        if (here->length == down || !*block || !same((*block)->bits, here->bits, down))
            groups += (up(here->length) - up(parent)) / 8;
        if (here->length > down)
            *block = here;
    }
    return groups;
}

uint32_t lf_groups(const struct lf_cell *cell)
{
    struct lf_cell_prefix *prefix = sorted(cell, by_bits);
    unsigned levels = cell->head.family == 4 ? 1 : LEVELS;
    uint64_t groups = on_the_way(prefix, cell->head.prefixes, levels);

    if (cell->head.family == 6) {
        uint64_t other = set_aside(prefix, cell->head.prefixes);

        groups = other > groups ? other : groups;
    }
    free(prefix);
    groups += 2; /* that it wants free while it adds */
    if (groups > INT32_MAX)
        lf_refuse("needs %llu groups, which is more than there can be", (unsigned long long)groups);
    return (uint32_t)groups;
}

/* As of 22.11: a route takes two nodes in a pool, each with the pool's own words. */
enum { NODE = 224, GROUP = 256 * 4, SPARE_MIB = 256 };

size_t lf_groups_mib(const struct lf_cell *cell, uint32_t groups)
{
    size_t table = ((size_t)1 << FIRST) * 4 + (size_t)groups * (GROUP + 4);
    size_t nodes = 2 * (size_t)cell->head.prefixes * NODE;

    return (table + nodes) / 1024 / 1024 * 21 / 20 + SPARE_MIB;
}
