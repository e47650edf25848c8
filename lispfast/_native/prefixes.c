#define _GNU_SOURCE
#include "prefixes.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "poison.h"

_Static_assert(sizeof(struct lf_prefix) == 64 && sizeof(struct lf_usage) == 64, "a cache line each");

/* Of a prefix whose number is free, what is not its key. */
enum { UNSEEN = sizeof(struct lf_prefix) - offsetof(struct lf_prefix, verdicts) };

bool lf_prefixes_init(struct lf_prefixes *prefixes, unsigned workers)
{
    *prefixes = (struct lf_prefixes){.workers = workers, .fresh = 1};
    lf_blocks_init(&prefixes->blocks);
    prefixes->chunks = calloc(LF_PREFIX_CHUNKS, sizeof *prefixes->chunks);
    return prefixes->chunks != NULL;
}

static size_t usage_size(const struct lf_prefixes *prefixes)
{
    return (size_t)prefixes->workers * LF_CHUNK_PREFIXES * sizeof(struct lf_usage);
}

void lf_prefixes_free(struct lf_prefixes *prefixes)
{
    for (unsigned i = 0; prefixes->chunks && i < LF_PREFIX_CHUNKS; i++)
        if (prefixes->chunks[i].usage)
            munmap(prefixes->chunks[i].usage, usage_size(prefixes));
    free(prefixes->chunks);
    prefixes->chunks = NULL;
    lf_blocks_close(&prefixes->blocks);
}

/* The use is zero pages that take no memory until a worker writes there. */
static bool add_chunk(struct lf_prefixes *prefixes, struct lf_prefix_chunk *chunk)
{
    const size_t size = LF_CHUNK_PREFIXES * sizeof(struct lf_prefix);
    struct lf_usage *usage = NULL;

    if (prefixes->workers) {
        usage = mmap(NULL, usage_size(prefixes), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (usage == MAP_FAILED)
            return false;
    }
    chunk->prefixes = lf_blocks_take(&prefixes->blocks, size);
    if (!chunk->prefixes) {
        if (usage)
            munmap(usage, usage_size(prefixes));
        return false;
    }
    memset(chunk->prefixes, 0, size);
    chunk->usage = usage;
    return true;
}

struct lf_prefix *lf_prefix_take(struct lf_prefixes *prefixes, const struct lf_key *key, bool *full)
{
    uint32_t value = prefixes->free ? prefixes->free : prefixes->fresh;
    struct lf_prefix *prefix;

    *full = value > LF_VALUE_MAX;
    if (*full)
        return NULL;

    struct lf_prefix_chunk *chunk = &prefixes->chunks[value / LF_CHUNK_PREFIXES];

    if (!chunk->prefixes && !add_chunk(prefixes, chunk))
        return NULL;
    prefix = lf_prefix_at(prefixes, value);
    if (prefixes->free)
        prefixes->free = prefix->key.iid; /* see lf_prefix_give */
    else
        prefixes->fresh++;
    prefixes->live++;
    LF_UNPOISON(&prefix->verdicts, UNSEEN);
    prefix->key = *key;
    prefix->key.mark = LF_FRESH;
    prefix->own = (struct lf_verdict_version){.verdict.value = value};
    atomic_store_explicit(&prefix->verdicts, NULL, memory_order_relaxed);
    return prefix;
}

static uint64_t load(const _Atomic(uint64_t) *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void add_usage(struct lf_use *use, const struct lf_usage *usage)
{
    const uint64_t last = load(&usage->last_ms), used = load(&usage->used_ms);

    use->packets += load(&usage->packets);
    use->bytes += load(&usage->bytes);
    use->packets_in += load(&usage->packets_in);
    use->bytes_in += load(&usage->bytes_in);
    use->drops += load(&usage->drops);
    use->last_ms = last > use->last_ms ? last : use->last_ms;
    use->used_ms = used > use->used_ms ? used : use->used_ms;
}

/* All but the page's stamp: that is of the others too. */
static void clear_usage(struct lf_usage *usage)
{
    _Atomic(uint64_t) *const words[] = {&usage->packets,  &usage->bytes,   &usage->packets_in, &usage->bytes_in,
                                        &usage->drops, &usage->last_ms, &usage->used_ms};

    for (unsigned i = 0; i < sizeof words / sizeof *words; i++)
        atomic_store_explicit(words[i], 0, memory_order_relaxed);
}

void lf_prefix_give(struct lf_prefixes *prefixes, struct lf_prefix *prefix)
{
    uint32_t value = lf_prefix_value(prefix);

    for (unsigned i = 0; i < prefixes->workers; i++) {
        struct lf_usage *usage = lf_prefix_usage(prefixes, value, i);

        if (load(&usage->used_ms) == 0) /* a page that nobody wrote to stays so */
            continue;
        add_usage(&prefixes->left, usage);
        clear_usage(usage);
    }
    prefix->key = (struct lf_key){.iid = prefixes->free};
    LF_POISON(&prefix->verdicts, UNSEEN);
    prefixes->free = value;
    prefixes->live--;
}

struct lf_verdict_version *lf_prefix_version(struct lf_prefix *prefix)
{
    struct lf_verdict_version *version = &prefix->own;

    if (version->version.born == 0 && lf_chain_newest(&prefix->verdicts) != &version->version)
        return version;
    version = malloc(sizeof *version);
    if (version)
        *version = (struct lf_verdict_version){.verdict.value = lf_prefix_value(prefix)};
    return version;
}

void lf_prefix_version_free(struct lf_prefix *prefix, struct lf_verdict_version *version)
{
    if (version == &prefix->own)
        version->version.born = 0;
    else
        free(version);
}

struct lf_use lf_prefix_use(const struct lf_prefixes *prefixes, uint32_t value)
{
    struct lf_use use = {0};

    for (unsigned i = 0; i < prefixes->workers; i++)
        add_usage(&use, lf_prefix_usage(prefixes, value, i));
    return use;
}

uint64_t lf_prefix_group_used(const struct lf_prefixes *prefixes, uint32_t value)
{
    uint64_t newest = 0;

    for (unsigned i = 0; i < prefixes->workers; i++) {
        const uint64_t used = load(&lf_prefix_usage(prefixes, value, i)->page_ms);

        newest = used > newest ? used : newest;
    }
    return newest;
}
