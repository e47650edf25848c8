/* How many groups of 256 next hops DPDK's tables need for a cell, if its prefixes are added the shortest first. */
#ifndef LF_LOOKUP_GROUPS_H
#define LF_LOOKUP_GROUPS_H

#include "cell.h"

/* The cell's prefixes in the order in which they are to be added. */
const struct lf_cell_prefix *lf_groups_order(const struct lf_cell *cell);

uint32_t lf_groups(const struct lf_cell *cell);

/* Memory that the library is to be given for it, in MiB: tables, groups, and its list of routes. */
size_t lf_groups_mib(const struct lf_cell *cell, uint32_t groups);

#endif
