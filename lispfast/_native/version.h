/* Chains of versions, newest first: a reader takes the newest that is not newer than its pin. */
#ifndef LF_VERSION_H
#define LF_VERSION_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* Stands first in whatever a chain holds. */
struct lf_version {
    uint64_t born; /* the number of the change that made it, 0 for none */
    struct lf_version *older;
};

typedef _Atomic(struct lf_version *) lf_chain;

static inline struct lf_version *lf_chain_newest(const lf_chain *chain)
{
    return atomic_load_explicit(chain, memory_order_acquire);
}

/* The version that a pin shows, NULL for none. A reader never goes past the first that is old enough, so the writer may
 * cut the chain behind it. */
static inline const struct lf_version *lf_chain_at(const lf_chain *chain, uint64_t pin)
{
    const struct lf_version *version = lf_chain_newest(chain);

    while (version && version->born > pin)
        version = version->older;
    return version;
}

/* For the writer: in front of the others, where no pin shows it before `born` is published. */
static inline void lf_chain_push(lf_chain *chain, struct lf_version *version, uint64_t born)
{
    version->born = born;
    version->older = atomic_load_explicit(chain, memory_order_relaxed);
    atomic_store_explicit(chain, version, memory_order_release);
}

/* For the writer: what every reader has left behind this version; the caller frees it. */
static inline struct lf_version *lf_version_cut(struct lf_version *version)
{
    struct lf_version *older = version->older;

    version->older = NULL;
    return older;
}

#endif
