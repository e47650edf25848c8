#include "ours.h"

#include <string.h>

#include "measure.h"
#include "packed.h"
#include "transaction.h"

static void find(const struct lf_ours *ours, struct lf_view view, size_t first, size_t count, uint32_t *values)
{
    if (ours->cell.head.family == 4)
        lf_table_find4(view, 0, (const uint32_t *)ours->keys + first, values, count);
    else
        lf_table_find6(view, 0, (const struct lf_bits *)ours->keys + first, values, count);
}

static struct lf_view pinned(const struct lf_ours *ours)
{
    return (struct lf_view){.table = ours->table, .pin = lf_epoch_pin(&ours->table->epoch, LF_OURS_READER)};
}

void lf_ours_use(struct lf_ours *ours, const void *keys, size_t count)
{
    ours->keys = keys;
    ours->count = count;
}

uint64_t lf_ours_batched(void *context)
{
    struct lf_ours *ours = context;
    uint32_t values[LF_BATCH];
    uint64_t sum = 0;

    for (size_t first = 0; first < ours->count; first += LF_BATCH) {
        size_t count = ours->count - first < LF_BATCH ? ours->count - first : LF_BATCH;

        find(ours, pinned(ours), first, count, values);
        for (size_t at = 0; at < count; at++)
            sum += values[at];
    }
    lf_epoch_sleep(&ours->table->epoch, LF_OURS_READER);
    return sum;
}

uint64_t lf_ours_single(void *context)
{
    struct lf_ours *ours = context;
    struct lf_view view = pinned(ours);
    uint64_t sum = 0;

    for (size_t number = 0; number < ours->count; number++) {
        uint32_t value;

        find(ours, view, number, 1, &value);
        sum += value;
    }
    lf_epoch_sleep(&ours->table->epoch, LF_OURS_READER);
    return sum;
}

static bool is_prefix(const struct lf_key *key, const struct lf_cell_prefix *prefix)
{
    return key->iid == 0 && key->length == prefix->length && key->high == prefix->bits.high &&
           key->low == prefix->bits.low;
}

uint64_t lf_ours_check(struct lf_ours *ours, const void *keys, size_t count, const uint32_t *expected)
{
    uint64_t sum = 0;

    lf_ours_use(ours, keys, count);
    for (size_t first = 0; first < count; first += LF_BATCH) {
        size_t some = count - first < LF_BATCH ? count - first : LF_BATCH;
        uint32_t values[LF_BATCH];

        find(ours, lf_table_view(ours->table), first, some, values);
        for (size_t at = 0; at < some; at++) {
            const struct lf_prefix *found = lf_table_prefix(ours->table, values[at]);

            sum += values[at];
            if (expected ? !found || !is_prefix(&found->key, &ours->cell.prefixes[expected[first + at] - 1])
                         : found != NULL)
                lf_refuse("wrong answer for key %zu: %u", first + at, values[at]);
        }
    }
    return sum;
}

void lf_ours_commit(struct lf_ours *ours, const void *buffer, size_t length)
{
    struct lf_problem problem = lf_table_commit_packed(ours->table, buffer, length);

    if (problem.error != LF_OK)
        lf_refuse("a commit failed: %s, part %d, item %zu", lf_error_text(problem.error), (int)problem.part,
                  problem.item);
}
