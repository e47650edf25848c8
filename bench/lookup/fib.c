/* fib FILE MEMORY_MIB SECONDS: DPDK's rte_fib (DIR24-8) or rte_fib6 (TRIE), next hops of 4 bytes, bulks of 64.
 *
 * It gets the fewest groups that hold the table (groups.h), and the prefixes in the order that costs it least. Every add
 * is checked and every answer too. Of the ways of looking up that the processor has the quickest counts. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_fib.h>
#include <rte_fib6.h>
#include <rte_malloc.h>
#include <rte_version.h>

#include "cell.h"
#include "groups.h"
#include "measure.h"

struct kind {
    const char *name;
    int type;
};

static const struct kind kinds4[] = {
    {"scalar macro", RTE_FIB_LOOKUP_DIR24_8_SCALAR_MACRO},
    {"scalar inline", RTE_FIB_LOOKUP_DIR24_8_SCALAR_INLINE},
    {"scalar uni", RTE_FIB_LOOKUP_DIR24_8_SCALAR_UNI},
    {"AVX-512", RTE_FIB_LOOKUP_DIR24_8_VECTOR_AVX512},
    {NULL, 0},
};
static const struct kind kinds6[] = {
    {"scalar", RTE_FIB6_LOOKUP_TRIE_SCALAR},
    {"AVX-512", RTE_FIB6_LOOKUP_TRIE_VECTOR_AVX512},
    {NULL, 0},
};

struct fib {
    struct lf_cell cell;
    const struct lf_cell_prefix *order;
    struct rte_fib *four;
    struct rte_fib6 *six;
    const void *keys; /* in the form that the library takes */
    size_t count;
};

static void octets(struct lf_bits bits, uint8_t *out)
{
    for (unsigned at = 0; at < 8; at++) {
        out[at] = (uint8_t)(bits.high >> (56 - 8 * at));
        out[8 + at] = (uint8_t)(bits.low >> (56 - 8 * at));
    }
}

static void find(const struct fib *fib, size_t first, unsigned count, uint64_t *values)
{
    if (fib->four)
        rte_fib_lookup_bulk(fib->four, (uint32_t *)(uintptr_t)fib->keys + first, values, (int)count);
    else
        rte_fib6_lookup_bulk(fib->six, (uint8_t(*)[16])(uintptr_t)fib->keys + first, values, (int)count);
}

static uint64_t pass(void *context)
{
    const struct fib *fib = context;
    uint64_t values[LF_BATCH], sum = 0;

    for (size_t first = 0; first < fib->count; first += LF_BATCH) {
        unsigned count = fib->count - first < LF_BATCH ? (unsigned)(fib->count - first) : LF_BATCH;

        find(fib, first, count, values);
        for (unsigned at = 0; at < count; at++)
            sum += values[at];
    }
    return sum;
}

/* Every answer against what it has to be, `expected` NULL for misses; returns the sum. */
static uint64_t check(const struct fib *fib, const uint32_t *expected)
{
    uint64_t sum = 0;

    for (size_t first = 0; first < fib->count; first += LF_BATCH) {
        unsigned count = fib->count - first < LF_BATCH ? (unsigned)(fib->count - first) : LF_BATCH;
        uint64_t values[LF_BATCH];

        find(fib, first, count, values);
        for (unsigned at = 0; at < count; at++) {
            uint64_t wanted = expected ? expected[first + at] : 0;

            if (values[at] != wanted)
                lf_refuse("wrong answer for key %zu: %llu", first + at, (unsigned long long)values[at]);
            sum += wanted;
        }
    }
    return sum;
}

static void use_keys(struct fib *fib, const void *keys, size_t count)
{
    fib->count = count;
    fib->keys = keys;
    if (fib->six) {
        uint8_t(*out)[16] = lf_touched(count * 16 + 16);

        for (size_t number = 0; number < count; number++)
            octets(lf_cell_key(keys, 6, number), out[number]);
        fib->keys = out;
    }
}

static bool select_kind(const struct fib *fib, int type)
{
    return (fib->four ? rte_fib_select_lookup(fib->four, (enum rte_fib_lookup_type)type)
                      : rte_fib6_select_lookup(fib->six, (enum rte_fib6_lookup_type)type)) == 0;
}

static const char *measure(struct fib *fib, const char *name, const uint32_t *expected, double seconds)
{
    const char *best = "";
    double most = 0;

    for (const struct kind *kind = fib->four ? kinds4 : kinds6; kind->name; kind++) {
        double rate;

        if (!select_kind(fib, kind->type))
            continue;
        rate = lf_measure(pass, fib, fib->count, check(fib, expected), seconds);
        if (rate > most) {
            most = rate;
            best = kind->name;
        }
    }
    lf_say(name, most);
    return best;
}

static bool create(struct fib *fib, uint32_t groups)
{
    int routes = (int)fib->cell.head.prefixes;

    if (fib->cell.head.family == 4) {
        struct rte_fib_conf conf = {.type = RTE_FIB_DIR24_8, .max_routes = routes, .default_nh = 0};

        conf.dir24_8.nh_sz = RTE_FIB_DIR24_8_4B;
        conf.dir24_8.num_tbl8 = groups;
        fib->four = rte_fib_create("cell", SOCKET_ID_ANY, &conf);
        return fib->four != NULL;
    }
    struct rte_fib6_conf conf = {.type = RTE_FIB6_TRIE, .max_routes = routes, .default_nh = 0};
    conf.trie.nh_sz = RTE_FIB6_TRIE_4B;
    conf.trie.num_tbl8 = groups;
    fib->six = rte_fib6_create("cell", SOCKET_ID_ANY, &conf);
    return fib->six != NULL;
}

static int add(struct fib *fib, const struct lf_cell_prefix *prefix)
{
    uint8_t bytes[16];

    if (fib->four)
        return rte_fib_add(fib->four, (uint32_t)(prefix->bits.high >> 32), (uint8_t)prefix->length, prefix->number);
    octets(prefix->bits, bytes);
    return rte_fib6_add(fib->six, bytes, (uint8_t)prefix->length, prefix->number);
}

/* 0, or the error of the first add that failed. */
static int load(struct fib *fib)
{
    for (size_t number = 0; number < fib->cell.head.prefixes; number++) {
        int status = add(fib, &fib->order[number]);

        if (status != 0)
            return status;
    }
    return 0;
}

static void start(size_t memory_mib)
{
    char memory[32], core[16];
    char *words[] = {"fib",   "--no-huge", "--no-shconf",  "--no-pci", "--no-telemetry",
                     "--force-max-simd-bitwidth=512", "--log-level=lib.eal:error", "-m", memory, "-l", core, NULL};

    snprintf(memory, sizeof(memory), "%zu", memory_mib);
    snprintf(core, sizeof(core), "%u", lf_run_quiet());
    if (rte_eal_init((int)(sizeof(words) / sizeof(*words)) - 1, words) < 0)
        lf_refuse("DPDK does not start with %zu MiB: %s", memory_mib, rte_strerror(rte_errno));
}

/* The table full, or the end of the program. */
static void fill(struct fib *fib, uint32_t groups, double *seconds)
{
    size_t before = lf_resident("VmRSS");
    double begun = lf_clock();
    int status;

    if (!create(fib, groups))
        lf_refuse("no table of %u groups: %s", groups, rte_strerror(rte_errno));
    status = load(fib);
    if (status != 0)
        lf_refuse("an add failed: %s, with %u groups", rte_strerror(-status), groups);
    *seconds = lf_clock() - begun;
    lf_say("rte_fib_load_s", *seconds);
    lf_say("rte_fib_groups", groups);
    lf_say("rte_fib_bytes_per_entry", (double)(lf_resident("VmRSS") - before) / (double)fib->cell.head.prefixes);
}

int main(int count, char **words)
{
    struct fib fib = {.four = NULL};
    size_t needed, limit;
    uint32_t groups;
    double seconds, load_s;
    const char *best;

    if (count != 4)
        return 2;
    fib.cell = lf_cell_open(words[1]);
    limit = strtoull(words[2], NULL, 10);
    seconds = atof(words[3]);
    groups = lf_groups(&fib.cell);
    needed = lf_groups_mib(&fib.cell, groups);
    if (needed > limit)
        lf_refuse("needs %zu MiB for %u groups, and there are %zu MiB", needed, groups, limit);
    fib.order = lf_groups_order(&fib.cell);
    start(needed);
    fill(&fib, groups, &load_s);
    use_keys(&fib, fib.cell.hits, fib.cell.head.hits);
    best = measure(&fib, "rte_fib_mps", fib.cell.expected, seconds);
    use_keys(&fib, fib.cell.misses, fib.cell.head.misses);
    measure(&fib, "rte_fib_miss_mps", NULL, seconds);
    printf("rte_fib_type=%s\nrte_fib_version=%s\n", best, rte_version());
    return 0;
}
