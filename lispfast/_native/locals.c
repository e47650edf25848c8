#include "locals.h"

#include <stdlib.h>
#include <string.h>

#include "bits.h"

/* Few prefixes are scanned, longest first. Many are sorted, shorter before longer: whatever holds an address holds the
 * last prefix that does not lie behind the address, so it is that one or one of those around it. */

static struct lf_bits bits_of(const struct lf_address *address)
{
    return (struct lf_bits){.high = lf_address_high(address), .low = lf_address_low(address)};
}

static int compare_plain(const void *left, const void *right)
{
    const struct lf_local *a = left, *b = right;
    const int order = lf_address_compare(&a->network, &b->network);

    return order ? order : (a->length > b->length) - (a->length < b->length);
}

static int compare_instance(const struct lf_local *a, const struct lf_local *b)
{
    return (a->iid > b->iid) - (a->iid < b->iid);
}

static int compare_version(const struct lf_local *a, const struct lf_local *b)
{
    return (a->version < b->version) - (a->version > b->version);
}

/* The higher version first: the first of those that are alike is kept. */
static int compare_locals(const void *left, const void *right)
{
    int order = compare_instance(left, right);

    order = order ? order : compare_plain(left, right);
    return order ? order : compare_version(left, right);
}

static int compare_all(const void *left, const void *right)
{
    int order = compare_plain(left, right);

    order = order ? order : compare_instance(left, right);
    return order ? order : compare_version(left, right);
}

static int compare_longest(const void *left, const void *right)
{
    const struct lf_local *a = left, *b = right;
    const int order = (a->length < b->length) - (a->length > b->length);

    return order ? order : compare_instance(a, b);
}

static bool holds(const struct lf_local *local, const struct lf_address *address)
{
    const struct lf_bits network = bits_of(&local->network), bits = bits_of(address);

    return local->network.family == address->family && lf_bits_common(network, bits) >= local->length;
}

/* Drops those that are like the one before, of the same instance-ID or whatever theirs is. */
static size_t unite(struct lf_local *locals, size_t count, bool instances)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++)
        if (kept == 0 || compare_plain(&locals[kept - 1], &locals[i]) != 0 ||
            (instances && locals[kept - 1].iid != locals[i].iid))
            locals[kept++] = locals[i];
    return kept;
}

/* What is around a sorted prefix: the one before it, or one around that. */
static void nest(struct lf_local *locals, size_t count, bool instances)
{
    for (size_t i = 0; i < count; i++) {
        size_t place = i;

        while (place && ((instances && locals[place - 1].iid != locals[i].iid) ||
                         !holds(&locals[place - 1], &locals[i].network)))
            place = locals[place - 1].around;
        locals[i].around = (uint32_t)place;
    }
}

static void fill_few(struct lf_locals *locals)
{
    struct lf_local longest[LF_LOCALS_FEW];

    if (locals->count > LF_LOCALS_FEW)
        return;
    memcpy(longest, locals->local, locals->count * sizeof *longest);
    for (size_t i = 0; i < locals->count; i++)
        longest[i].around = (uint32_t)i;
    qsort(longest, locals->count, sizeof *longest, compare_longest);
    for (size_t i = 0; i < locals->count; i++) {
        const struct lf_bits mask = lf_bits_first((struct lf_bits){UINT64_MAX, UINT64_MAX}, longest[i].length);
        const struct lf_bits bits = bits_of(&longest[i].network);

        locals->few[i] = (struct lf_local_few){.high = bits.high,
                                               .low = bits.low,
                                               .mask_high = mask.high,
                                               .mask_low = mask.low,
                                               .iid = longest[i].iid,
                                               .family = longest[i].network.family,
                                               .place = (uint8_t)longest[i].around};
    }
}

struct lf_locals *lf_locals_new(const struct lf_local *given, size_t count)
{
    struct lf_locals *locals = malloc(sizeof *locals + count * sizeof locals->local[0]);
    struct lf_local *plain = malloc((count + 1) * sizeof *plain);
    uint32_t *iids = malloc((count + 1) * sizeof *iids);

    if (!locals || !iids || !plain) {
        free(locals);
        free(plain);
        free(iids);
        return NULL;
    }
    *locals = (struct lf_locals){.iids = iids, .plain = plain};
    if (count == 0)
        return locals;
    memcpy(locals->local, given, count * sizeof *given);
    qsort(locals->local, count, sizeof *given, compare_locals);
    locals->count = unite(locals->local, count, true);
    for (size_t i = 0; i < locals->count; i++)
        if (i == 0 || iids[locals->instances - 1] != locals->local[i].iid)
            iids[locals->instances++] = locals->local[i].iid;
    memcpy(plain, locals->local, locals->count * sizeof *plain);
    qsort(plain, locals->count, sizeof *plain, compare_all);
    locals->distinct = unite(plain, locals->count, false);
    nest(locals->local, locals->count, true);
    nest(plain, locals->distinct, false);
    fill_few(locals);
    return locals;
}

void lf_locals_free(struct lf_locals *locals)
{
    if (locals) {
        free(locals->plain);
        free(locals->iids);
    }
    free(locals);
}

/* How many of the sorted prefixes are not behind the address: the last of those is the innermost that may hold it. */
static size_t not_behind(const struct lf_local *locals, size_t count, const struct lf_local *address, bool instances)
{
    size_t low = 0, high = count;

    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        int order = instances ? compare_instance(&locals[middle], address) : 0;

        order = order ? order : compare_plain(&locals[middle], address);
        if (order <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static const struct lf_local *search(const struct lf_local *locals, size_t count, const struct lf_local *address,
                                     bool instances)
{
    size_t place = not_behind(locals, count, address, instances);

    if (place && instances && locals[place - 1].iid != address->iid)
        return NULL;
    while (place && !holds(&locals[place - 1], &address->network))
        place = locals[place - 1].around;
    return place ? &locals[place - 1] : NULL;
}

static const struct lf_local *scan(const struct lf_locals *locals, const struct lf_address *address, uint32_t iid,
                                   bool instances)
{
    const struct lf_bits bits = bits_of(address);

    for (size_t i = 0; i < locals->count; i++) {
        const struct lf_local_few *few = &locals->few[i];

        if (((few->high ^ bits.high) & few->mask_high) == 0 && ((few->low ^ bits.low) & few->mask_low) == 0 &&
            few->family == address->family && (!instances || few->iid == iid))
            return &locals->local[few->place];
    }
    return NULL;
}

const struct lf_local *lf_locals_find(const struct lf_locals *locals, const struct lf_address *address, uint32_t iid)
{
    if (!locals)
        return NULL;
    if (locals->count <= LF_LOCALS_FEW)
        return scan(locals, address, iid, true);

    const struct lf_local wanted = {.network = *address, .length = UINT8_MAX, .iid = iid};

    return search(locals->local, locals->count, &wanted, true);
}

const struct lf_local *lf_locals_source(const struct lf_locals *locals, const struct lf_address *address)
{
    if (!locals)
        return NULL;
    if (locals->count <= LF_LOCALS_FEW)
        return scan(locals, address, 0, false);

    const struct lf_local wanted = {.network = *address, .length = UINT8_MAX};

    return search(locals->plain, locals->distinct, &wanted, false);
}

static int compare_iids(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

    return (a > b) - (a < b);
}

bool lf_locals_has_instance(const struct lf_locals *locals, uint32_t iid)
{
    return locals && bsearch(&iid, locals->iids, locals->instances, sizeof iid, compare_iids) != NULL;
}
