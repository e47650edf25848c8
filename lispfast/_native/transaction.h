/* A change of the table: a packed transaction (packed.h) is applied as a whole or not at all. */
#ifndef LF_TRANSACTION_H
#define LF_TRANSACTION_H

#include "packed.h"
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
    LF_WAITING,     /* too much waits to be freed and the workers do not pass */
    LF_SET_UNKNOWN, /* named by a put or withdrawn, and neither there nor in the transaction */
    LF_SET_TWICE,
    LF_SET_IN_USE, /* withdrawn while a prefix refers to it */
    LF_FULL,       /* LF_VALUE_MAX prefixes stand or wait to be freed */
    LF_MALFORMED,  /* not a packed transaction */
};

/* Which part of the transaction an error is about; `item` counts from 0 within it, of the buffer it is the offset of
 * the record. */
enum lf_part {
    LF_PART_NONE,
    LF_PART_PUT,
    LF_PART_WITHDRAW,
    LF_PART_LOCAL,
    LF_PART_SOURCE,
    LF_PART_SET,
    LF_PART_SET_WITHDRAWAL,
    LF_PART_BUFFER,
};

struct lf_problem {
    enum lf_error error;
    enum lf_part part;
    size_t item;
};

/* Ours. What waits to be freed, in things and in bytes: beyond it a commit is refused, unless nothing else waits. At a
 * thousand commits a second of a prefix each that is minutes of a worker that does not pass. */
enum { LF_WAITING_MAX = 1 << 20, LF_WAITING_BYTES = 64 << 20 };

/* For the writer. With an error the table is as it was before. The buffer must not change meanwhile; it may lie
 * anywhere and is not needed afterwards. Before it returns, whatever all readers have passed is freed. */
struct lf_problem lf_table_commit_packed(struct lf_table *table, const void *buffer, size_t length);

/* For the writer: frees what it can; how many things still wait to be freed. */
size_t lf_table_reclaim(struct lf_table *table);

/* For the writer: whether no reader sees an older table any more. */
bool lf_table_settled(const struct lf_table *table);

const char *lf_error_text(enum lf_error error);

#endif
