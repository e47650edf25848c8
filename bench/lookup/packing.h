/* A cell as packed transactions (packed.h), as the control plane packs them. */
#ifndef LF_LOOKUP_PACKING_H
#define LF_LOOKUP_PACKING_H

#include "cell.h"

enum { LF_PACKING_SHARED = 1000 }; /* named locator-sets, where mappings share them */

/* Every prefix of the cell as an encapsulating put with one locator: with a locator-set of its own each, or with one of
 * LF_PACKING_SHARED. Returns the buffer, all of whose pages are there, and its length. */
void *lf_packing_load(const struct lf_cell *cell, bool shared, size_t *length);

/* The longest transaction of one mapping. */
enum { LF_PACKING_ONE = 32 + 8 + 32 + 32 };

/* A transaction that puts one prefix with a locator of its own, or withdraws it. Returns the length. */
size_t lf_packing_put(uint8_t *buffer, unsigned family, struct lf_bits bits, unsigned length, uint32_t locator);
size_t lf_packing_withdraw(uint8_t *buffer, unsigned family, struct lf_bits bits, unsigned length);

#endif
