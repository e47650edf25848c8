/* A change of the table, built up and then committed: all of it or none. */
#ifndef LF_TRANSACTION_H
#define LF_TRANSACTION_H

#include "table.h"

enum lf_error {
    LF_OK,
    LF_NO_MEMORY,
    LF_PREFIX_LENGTH, /* does not fit the family, or host bits are set */
    LF_PREFIX_TWICE,  /* named twice in one transaction */
    LF_PREFIX_ABSENT, /* withdrawn and not there */
    LF_LOCATORS_EMPTY,
    LF_SLOT_RANGE, /* no such source slot */
    LF_SLOT_TWICE,
    LF_WAITING, /* too much waits to be freed and the workers do not pass */
};

/* Which part of the transaction an error is about; `item` counts from 0 within it. */
enum lf_part { LF_PART_NONE, LF_PART_PUT, LF_PART_WITHDRAW, LF_PART_LOCAL, LF_PART_SOURCE };

struct lf_problem {
    enum lf_error error;
    enum lf_part part;
    size_t item;
};

struct lf_transaction;

/* An empty transaction; NULL where there is no memory. Ended by lf_table_commit or lf_transaction_free. */
struct lf_transaction *lf_transaction_new(const struct lf_table *table);
void lf_transaction_free(struct lf_transaction *transaction);

/* Sets or replaces the verdict of a prefix: returns it with its kind, code and count set, the caller fills the locators.
 * NULL where there is no memory. */
struct lf_verdict *lf_transaction_put(struct lf_transaction *transaction, uint32_t iid,
                                      const struct lf_address *network, unsigned length, enum lf_kind kind,
                                      unsigned reject_code, unsigned locators);

/* False where there is no memory. `local` replaces the set of our own EIDs; an address without a family empties a slot. */
bool lf_transaction_withdraw(struct lf_transaction *transaction, uint32_t iid, const struct lf_address *network,
                             unsigned length);
bool lf_transaction_local(struct lf_transaction *transaction, const struct lf_eid *eids, size_t count);
bool lf_transaction_source(struct lf_transaction *transaction, unsigned slot, const struct lf_address *address,
                           uint32_t ifindex);

/* Applies and frees the transaction, whatever comes of it. With an error the table is as it was before. For the writer.
 * Before it returns, whatever all readers have passed is freed. */
struct lf_problem lf_table_commit(struct lf_table *table, struct lf_transaction *transaction);

/* For the writer: how much waits to be freed. Where it is above LF_WAITING_MAX, commit refuses. */
enum { LF_WAITING_MAX = 1 << 20 };
size_t lf_table_reclaim(struct lf_table *table);

const char *lf_error_text(enum lf_error error);

#endif
