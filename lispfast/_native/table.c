#define _GNU_SOURCE
#include "table.h"

#include <stdlib.h>
#include <string.h>

struct lf_table *lf_table_new(unsigned workers, uint64_t seed)
{
    struct lf_table *table;

    if (workers > LF_READERS_MAX || posix_memalign((void **)&table, 64, sizeof *table))
        return NULL;
    memset(table, 0, sizeof *table);
    lf_epoch_init(&table->epoch, workers, table);
    lf_blocks_init(&table->blocks);
    if (!lf_index_init(&table->spaces, seed) || !lf_index_init(&table->sets, seed) ||
        !lf_prefixes_init(&table->prefixes, workers)) {
        lf_index_free(&table->spaces);
        lf_index_free(&table->sets);
        free(table);
        return NULL;
    }
    return table;
}

static void free_prefixes(struct lf_table *table)
{
    for (uint32_t value = 1; value < table->prefixes.fresh; value++) {
        struct lf_prefix *prefix = lf_prefix_at(&table->prefixes, value);
        struct lf_verdict_version *version;

        if (!prefix->key.family)
            continue;
        version = (struct lf_verdict_version *)lf_chain_newest(&prefix->verdicts);
        if (version->verdict.set && --version->verdict.set->references == 0 && !version->verdict.set->entry.key)
            lf_set_free(version->verdict.set);
        lf_prefix_version_free(prefix, version);
    }
}

void lf_table_free(struct lf_table *table)
{
    struct lf_entry *entry;
    size_t cell = 0;

    if (!table)
        return;
    lf_epoch_drain(&table->epoch);
    free_prefixes(table);
    while ((entry = lf_index_next(&table->sets, &cell)))
        lf_set_free((struct lf_set *)entry);
    cell = 0;
    while ((entry = lf_index_next(&table->spaces, &cell))) {
        free(lf_chain_newest(&((struct lf_space *)entry)->roots));
        free(entry);
    }
    for (unsigned i = 0; i < LF_SLOTS; i++)
        free(lf_chain_newest(&table->slots[i]));

    struct lf_locals_version *locals = (struct lf_locals_version *)lf_chain_newest(&table->locals);

    if (locals)
        lf_locals_free(locals->locals);
    free(locals);
    lf_prefixes_free(&table->prefixes);
    lf_blocks_close(&table->blocks);
    lf_index_free(&table->spaces);
    lf_index_free(&table->sets);
    free(table);
}

static struct lf_match match_of(struct lf_view view, struct lf_prefix *prefix)
{
    const struct lf_version *version = lf_chain_at(&prefix->verdicts, view.pin);
    const struct lf_verdict *verdict = &((const struct lf_verdict_version *)version)->verdict;

    return (struct lf_match){
        .prefix = prefix, .verdict = verdict, .locators = verdict->set ? lf_set_at(verdict->set, view.pin) : NULL};
}

struct lf_match lf_table_match(struct lf_view view, uint32_t value)
{
    return value ? match_of(view, lf_prefix_at(&view.table->prefixes, value)) : (struct lf_match){0};
}

static lf_trie trie_of(struct lf_view view, uint32_t iid, uint8_t family)
{
    return lf_space_trie(lf_space_find(&view.table->spaces, iid, family), view.pin);
}

struct lf_match lf_table_lookup(struct lf_view view, uint32_t iid, const struct lf_address *address)
{
    const lf_trie trie = trie_of(view, iid, address->family);
    const struct lf_bits bits = {.high = lf_address_high(address), .low = lf_address_low(address)};

    return lf_table_match(view, address->family == 4 ? lf_trie_find4(trie, (uint32_t)(bits.high >> 32))
                                                     : lf_trie_find6(trie, bits));
}

void lf_table_find4(struct lf_view view, uint32_t iid, const uint32_t *addresses, uint32_t *values, size_t count)
{
    lf_trie_batch4(trie_of(view, iid, 4), addresses, values, count);
}

void lf_table_find6(struct lf_view view, uint32_t iid, const struct lf_bits *addresses, uint32_t *values, size_t count)
{
    lf_trie_batch6(trie_of(view, iid, 6), addresses, values, count);
}

struct lf_prefix *lf_table_prefix(const struct lf_table *table, uint32_t value)
{
    return value ? lf_prefix_at(&table->prefixes, value) : NULL;
}

const struct lf_locals *lf_table_locals(struct lf_view view)
{
    const struct lf_version *version = lf_chain_at(&view.table->locals, view.pin);

    return version ? ((const struct lf_locals_version *)version)->locals : NULL;
}

const struct lf_source *lf_table_source(struct lf_view view, unsigned slot)
{
    const struct lf_source *source = (const struct lf_source *)lf_chain_at(&view.table->slots[slot], view.pin);

    return source && source->address.family ? source : NULL;
}

size_t lf_table_walk(const struct lf_table *table, uint32_t *from, struct lf_row *rows, size_t room)
{
    const struct lf_view view = lf_table_view(table);
    uint32_t value = *from ? *from : 1;
    size_t count = 0;

    for (; value < table->prefixes.fresh && count < room; value++)
        if (lf_prefix_stands(lf_prefix_at(&table->prefixes, value)))
            rows[count++] = (struct lf_row){.value = value, .match = lf_table_match(view, value)};
    *from = value;
    return count;
}

size_t lf_table_usage(const struct lf_table *table, uint64_t since_ms, uint32_t *from, struct lf_usage_row *rows,
                      size_t room)
{
    const uint64_t since = since_ms ? since_ms : 1;
    uint32_t value = *from ? *from : 1;
    size_t count = 0;

    while (value < table->prefixes.fresh && count < room) {
        const uint32_t group = value & ~(uint32_t)(LF_USAGE_GROUP - 1), end = group + LF_USAGE_GROUP;

        if (lf_prefix_group_used(&table->prefixes, group) < since) {
            value = end;
            continue;
        }
        for (; value < end && value < table->prefixes.fresh && count < room; value++) {
            const struct lf_prefix *prefix = lf_prefix_at(&table->prefixes, value);
            const struct lf_use use = lf_prefix_use(&table->prefixes, value);

            if (use.used_ms >= since && lf_prefix_stands(prefix))
                rows[count++] = (struct lf_usage_row){.value = value, .key = prefix->key, .use = use};
        }
    }
    *from = value;
    return count;
}

struct lf_use lf_table_use(const struct lf_table *table, const struct lf_prefix *prefix)
{
    return lf_prefix_use(&table->prefixes, lf_prefix_value(prefix));
}

struct lf_use lf_table_left(const struct lf_table *table)
{
    return table->prefixes.left;
}
