#define _GNU_SOURCE
#include "table.h"

#include <stdlib.h>

#include "space.h"
#include "version.h"

struct lf_table *lf_table_new(unsigned workers, uint64_t seed)
{
    struct lf_table *table;

    if (workers > LF_READERS_MAX || posix_memalign((void **)&table, 64, sizeof *table))
        return NULL;
    lf_epoch_init(&table->epoch, table);
    for (unsigned i = 0; i < LF_SLOTS; i++)
        atomic_init(&table->slots[i], NULL);
    atomic_init(&table->locals, NULL);
    table->workers = workers;
    table->transactions = 0;
    if (!lf_index_init(&table->index, seed)) {
        free(table);
        return NULL;
    }
    return table;
}

static struct lf_version *newest(const lf_chain *chain)
{
    return atomic_load_explicit(chain, memory_order_acquire);
}

void lf_table_free(struct lf_table *table)
{
    struct lf_entry *entry;
    size_t cell = 0;

    if (!table)
        return;
    lf_epoch_drain(&table->epoch);
    while ((entry = lf_index_next(&table->index, &cell))) {
        if (entry->key.length <= 128)
            free(newest(&((struct lf_prefix *)entry)->verdicts));
        free(entry);
    }
    for (unsigned i = 0; i < LF_SLOTS; i++)
        free(newest(&table->slots[i]));
    lf_locals_version_free(newest(&table->locals));
    lf_index_free(&table->index);
    free(table);
}

/* The version that a pin shows. A reader never goes past the first that is old enough, so the writer may cut the chain
 * behind it. */
static const struct lf_version *at_pin(const lf_chain *chain, uint64_t pin)
{
    const struct lf_version *version = newest(chain);

    while (version && version->born > pin)
        version = version->older;
    return version;
}

struct lf_match lf_table_lookup(struct lf_view view, uint32_t iid, const struct lf_address *address)
{
    const struct lf_space *space = lf_space_find(&view.table->index, iid, address->family);
    int length = address->family == 4 ? 32 : 128;

    if (!space)
        return (struct lf_match){0};
    while ((length = lf_space_longest(space, length)) >= 0) {
        const struct lf_key key = lf_key_make(iid, address, (unsigned)length);
        struct lf_prefix *prefix = (struct lf_prefix *)lf_index_find(&view.table->index, &key);

        if (prefix) {
            const struct lf_verdict_version *version =
                (const struct lf_verdict_version *)at_pin(&prefix->verdicts, view.pin);

            if (version && version->verdict.kind != LF_ABSENT)
                return (struct lf_match){.prefix = prefix, .verdict = &version->verdict};
        }
        length--;
    }
    return (struct lf_match){0};
}

const struct lf_locals *lf_table_locals(struct lf_view view)
{
    const struct lf_version *version = at_pin(&view.table->locals, view.pin);

    return version ? ((const struct lf_locals_version *)version)->locals : NULL;
}

const struct lf_source *lf_table_source(struct lf_view view, unsigned slot)
{
    const struct lf_source *source = (const struct lf_source *)at_pin(&view.table->slots[slot], view.pin);

    return source && source->address.family ? source : NULL;
}

const struct lf_prefix *lf_table_next(const struct lf_table *table, size_t *cell)
{
    const struct lf_entry *entry;

    while ((entry = lf_index_next(&table->index, cell))) {
        const struct lf_prefix *prefix = (const struct lf_prefix *)entry;

        if (entry->key.length > 128)
            continue;

        const struct lf_verdict_version *version = (const struct lf_verdict_version *)newest(&prefix->verdicts);

        if (version && version->verdict.kind != LF_ABSENT)
            return prefix;
    }
    return NULL;
}

struct lf_use lf_prefix_use(const struct lf_prefix *prefix, unsigned workers)
{
    struct lf_use sum = {0};

    for (unsigned i = 0; i < workers; i++) {
        const struct lf_usage *usage = &prefix->usage[i];
        uint64_t last = atomic_load_explicit(&usage->last_ms, memory_order_relaxed);

        sum.packets += atomic_load_explicit(&usage->packets, memory_order_relaxed);
        sum.packets_in += atomic_load_explicit(&usage->packets_in, memory_order_relaxed);
        sum.bytes_in += atomic_load_explicit(&usage->bytes_in, memory_order_relaxed);
        sum.bytes += atomic_load_explicit(&usage->bytes, memory_order_relaxed);
        sum.drops += atomic_load_explicit(&usage->drops, memory_order_relaxed);
        if (last > sum.last_ms)
            sum.last_ms = last;
    }
    return sum;
}
