/* The versions that chains of the table hold; for table.c and transaction.c alone. */
#ifndef LF_VERSION_H
#define LF_VERSION_H

#include "table.h"

struct lf_verdict_version {
    struct lf_version version;
    struct lf_prefix *prefix;
    struct lf_verdict verdict;
};

struct lf_locals_version {
    struct lf_version version;
    struct lf_locals *locals;
};

void lf_locals_version_free(struct lf_version *version);

#endif
