/* Prefixes of the table by number, and how much each was used.
 *
 * A number, 1 to LF_VALUE_MAX, is what a trie answers with. A prefix keeps its number and its counters while it lives,
 * whatever replaces its verdict. */
#ifndef LF_PREFIXES_H
#define LF_PREFIXES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "address.h"
#include "blocks.h"
#include "counters.h"
#include "locators.h"
#include "trie.h"
#include "version.h"

enum lf_kind { LF_ENCAPSULATE, LF_NATIVE, LF_REJECT, LF_DROP, LF_RESOLVE, LF_KINDS };

/* Prefix bits as numbers (see address.h), host bits zero. */
struct lf_key {
    uint64_t high;
    uint64_t low;
    uint32_t iid;
    uint8_t family; /* 0: no prefix has this number */
    uint8_t length;
    uint16_t mark; /* enum lf_mark_of_prefix; the writer's alone */
};

static inline bool lf_key_equal(const struct lf_key *a, const struct lf_key *b)
{
    return a->high == b->high && a->low == b->low && a->iid == b->iid && a->family == b->family &&
           a->length == b->length;
}

/* What the transaction in hand does to a prefix; `leaving` stays until its number is free. */
enum lf_mark_of_prefix { LF_UNMARKED, LF_REPLACED, LF_FRESH, LF_LEAVING };

struct lf_verdict {
    struct lf_set *set; /* NULL unless it encapsulates */
    uint32_t value;     /* of the prefix */
    uint8_t kind;       /* enum lf_kind */
    uint8_t reject_code; /* enum lf_icmp_unreachable */
};

struct lf_verdict_version {
    struct lf_version version;
    struct lf_verdict verdict;
};

/* One cache line: what a packet needs of a prefix. Most have one version of their verdict, which lies here. */
struct lf_prefix {
    _Alignas(64) struct lf_key key;
    lf_chain verdicts; /* of struct lf_verdict_version */
    struct lf_verdict_version own; /* born 0: free */
};

/* The use of a prefix as one worker counts it: only that worker writes. It lies in a page of LF_USAGE_PAGE bytes of its
 * kind; the first one there says when any of them changed, so that a reading can pass over the others. */
enum { LF_USAGE_PAGE = 4096 };
struct lf_usage {
    _Alignas(64) _Atomic(uint64_t) packets; /* out */
    _Atomic(uint64_t) bytes;
    _Atomic(uint64_t) packets_in, bytes_in;
    _Atomic(uint64_t) drops;
    _Atomic(uint64_t) last_ms; /* of the last packet out; monotonic clock, 0 for never */
    _Atomic(uint64_t) used_ms; /* of the last change of any of these */
    _Atomic(uint64_t) page_ms;
};

struct lf_use {
    uint64_t packets, bytes, packets_in, bytes_in, drops, last_ms, used_ms;
};

/* Ours. */
enum { LF_CHUNK_PREFIXES = 4096, LF_PREFIX_CHUNKS = (LF_VALUE_MAX + 1) / LF_CHUNK_PREFIXES };

struct lf_prefix_chunk {
    struct lf_prefix *prefixes;
    struct lf_usage *usage; /* LF_CHUNK_PREFIXES for each worker, one worker's after the other's */
};

struct lf_prefixes {
    struct lf_prefix_chunk *chunks; /* LF_PREFIX_CHUNKS; one that has memory does not change */
    struct lf_blocks blocks;        /* the chunks' own: the tries' region has a limit */
    unsigned workers;
    uint32_t fresh; /* no number from here on was ever used; the writer's alone, as below */
    uint32_t free;  /* the number that came free last, 0 for none */
    size_t live;
    struct lf_use left; /* of prefixes that are gone */
};

/* False where there is no memory. */
bool lf_prefixes_init(struct lf_prefixes *prefixes, unsigned workers);
void lf_prefixes_free(struct lf_prefixes *prefixes);

/* For the writer: a prefix with this key, marked fresh, without use and verdict; NULL where there is no memory or,
 * `*full`, no number. `give` adds its use to that of those that are gone and frees the number: no reader may see the
 * prefix. */
struct lf_prefix *lf_prefix_take(struct lf_prefixes *prefixes, const struct lf_key *key, bool *full);
void lf_prefix_give(struct lf_prefixes *prefixes, struct lf_prefix *prefix);

/* A version for a verdict of the prefix, in the prefix's own place if that is free; NULL where there is no memory. */
struct lf_verdict_version *lf_prefix_version(struct lf_prefix *prefix);
void lf_prefix_version_free(struct lf_prefix *prefix, struct lf_verdict_version *version);

static inline struct lf_prefix *lf_prefix_at(const struct lf_prefixes *prefixes, uint32_t value)
{
    return &prefixes->chunks[value / LF_CHUNK_PREFIXES].prefixes[value % LF_CHUNK_PREFIXES];
}

static inline uint32_t lf_prefix_value(const struct lf_prefix *prefix)
{
    return prefix->own.verdict.value;
}

static inline struct lf_usage *lf_prefix_usage(const struct lf_prefixes *prefixes, uint32_t value, unsigned worker)
{
    return &prefixes->chunks[value / LF_CHUNK_PREFIXES].usage[worker * LF_CHUNK_PREFIXES + value % LF_CHUNK_PREFIXES];
}

/* Whether the number is a prefix's that stands in the newest table; the writer's question, below `fresh`. */
static inline bool lf_prefix_stands(const struct lf_prefix *prefix)
{
    return prefix->key.family && prefix->key.mark != LF_LEAVING;
}

/* The workers together. */
struct lf_use lf_prefix_use(const struct lf_prefixes *prefixes, uint32_t value);

/* When any of the numbers from `value`, a multiple of LF_USAGE_GROUP, to the end of its group was used last; 0 for
 * never. */
enum { LF_USAGE_GROUP = LF_USAGE_PAGE / sizeof(struct lf_usage) };
uint64_t lf_prefix_group_used(const struct lf_prefixes *prefixes, uint32_t value);

/* For the worker, after it changed a counter. */
static inline void lf_usage_changed(struct lf_usage *usage, uint64_t now_ms)
{
    struct lf_usage *first = (struct lf_usage *)((uintptr_t)usage & ~(uintptr_t)(LF_USAGE_PAGE - 1));

    atomic_store_explicit(&usage->used_ms, now_ms, memory_order_relaxed);
    if (atomic_load_explicit(&first->page_ms, memory_order_relaxed) != now_ms)
        atomic_store_explicit(&first->page_ms, now_ms, memory_order_relaxed);
}

static inline void lf_usage_drop(struct lf_usage *usage, uint64_t packets, uint64_t now_ms)
{
    lf_count(&usage->drops, packets);
    lf_usage_changed(usage, now_ms);
}

#endif
