#include "transaction.h"

#include <stdlib.h>

#include "space.h"
#include "version.h"

/* A transaction's journey: the builders take all memory that verdicts need. Commit then (1) finds or makes the prefixes,
 * checking everything, (2) puts the new versions in front of their chains, where no pin shows them yet, (3) publishes.
 * Only (1) can fail, and what it made is then taken out again. */

struct change {
    struct lf_key key;
    bool sound;
    bool made; /* by this transaction */
    struct lf_verdict_version *version;
    struct lf_prefix *prefix;
    struct change *next;
};

struct move {
    unsigned slot;
    struct lf_source *source;
    struct move *next;
};

struct lf_transaction {
    const struct lf_table *table;
    struct change *puts, **last_put;
    struct change *withdrawals, **last_withdrawal;
    size_t count;
    struct lf_locals_version *locals;
    struct move *moves, **last_move;
};

void lf_locals_version_free(struct lf_version *version)
{
    if (version)
        lf_locals_free(((struct lf_locals_version *)version)->locals);
    free(version);
}

struct lf_transaction *lf_transaction_new(const struct lf_table *table)
{
    struct lf_transaction *transaction = calloc(1, sizeof *transaction);

    if (!transaction)
        return NULL;
    transaction->table = table;
    transaction->last_put = &transaction->puts;
    transaction->last_withdrawal = &transaction->withdrawals;
    transaction->last_move = &transaction->moves;
    return transaction;
}

static void free_changes(struct change *change)
{
    while (change) {
        struct change *next = change->next;

        free(change->version);
        free(change);
        change = next;
    }
}

void lf_transaction_free(struct lf_transaction *transaction)
{
    if (!transaction)
        return;
    free_changes(transaction->puts);
    free_changes(transaction->withdrawals);
    if (transaction->locals)
        lf_locals_version_free(&transaction->locals->version);
    while (transaction->moves) {
        struct move *next = transaction->moves->next;

        free(transaction->moves->source);
        free(transaction->moves);
        transaction->moves = next;
    }
    free(transaction);
}

static struct change *change_new(uint32_t iid, const struct lf_address *network, unsigned length, unsigned locators)
{
    struct change *change = calloc(1, sizeof *change);
    struct lf_verdict_version *version = calloc(1, sizeof *version + locators * sizeof version->verdict.locators[0]);

    if (!change || !version) {
        free(change);
        free(version);
        return NULL;
    }
    change->version = version;
    if (length <= (network->family == 4 ? 32u : 128u) && iid < 1u << 24) {
        change->key = lf_key_make(iid, network, length);
        change->sound = change->key.high == lf_address_high(network) && change->key.low == lf_address_low(network);
    }
    return change;
}

struct lf_verdict *lf_transaction_put(struct lf_transaction *transaction, uint32_t iid,
                                      const struct lf_address *network, unsigned length, enum lf_kind kind,
                                      unsigned reject_code, unsigned locators)
{
    struct change *change = change_new(iid, network, length, locators);

    if (!change)
        return NULL;
    change->version->verdict.kind = kind;
    change->version->verdict.reject_code = reject_code;
    change->version->verdict.count = locators;
    *transaction->last_put = change;
    transaction->last_put = &change->next;
    transaction->count++;
    return &change->version->verdict;
}

bool lf_transaction_withdraw(struct lf_transaction *transaction, uint32_t iid, const struct lf_address *network,
                             unsigned length)
{
    struct change *change = change_new(iid, network, length, 0);

    if (!change)
        return false;
    change->version->verdict.kind = LF_ABSENT;
    *transaction->last_withdrawal = change;
    transaction->last_withdrawal = &change->next;
    return true;
}

bool lf_transaction_local(struct lf_transaction *transaction, const struct lf_eid *eids, size_t count)
{
    struct lf_locals_version *version = calloc(1, sizeof *version);

    if (version)
        version->locals = lf_locals_new(eids, count);
    if (!version || !version->locals) {
        free(version);
        return false;
    }
    transaction->locals = version;
    return true;
}

bool lf_transaction_source(struct lf_transaction *transaction, unsigned slot, const struct lf_address *address,
                           uint32_t ifindex)
{
    struct move *move = calloc(1, sizeof *move);
    struct lf_source *source = calloc(1, sizeof *source);

    if (!move || !source) {
        free(move);
        free(source);
        return false;
    }
    source->address = *address;
    source->ifindex = ifindex;
    move->slot = slot;
    move->source = source;
    *transaction->last_move = move;
    transaction->last_move = &move->next;
    return true;
}

/* Everybody has passed this version: what is behind it is seen by nobody. */
static void cut_source(struct lf_epoch *epoch, struct lf_retired *retired)
{
    struct lf_version *version = (struct lf_version *)retired;

    (void)epoch;
    free(version->older);
    version->older = NULL;
}

static void cut_locals(struct lf_epoch *epoch, struct lf_retired *retired)
{
    struct lf_version *version = (struct lf_version *)retired;

    (void)epoch;
    lf_locals_version_free(version->older);
    version->older = NULL;
}

static void free_entry(struct lf_epoch *epoch, struct lf_retired *retired)
{
    (void)epoch;
    free(retired);
}

static void free_prefix(struct lf_epoch *epoch, struct lf_retired *retired)
{
    struct lf_prefix *prefix = (struct lf_prefix *)retired;

    (void)epoch;
    free(atomic_load_explicit(&prefix->verdicts, memory_order_relaxed));
    free(prefix);
}

static void unlink_prefix(struct lf_table *table, struct lf_prefix *prefix)
{
    struct lf_space *space = prefix->space;
    uint64_t number = lf_epoch_next(&table->epoch);

    lf_index_remove(&table->index, &prefix->entry);
    lf_epoch_retire(&table->epoch, &prefix->entry.retired, number, free_prefix);
    lf_space_drop(space, prefix->entry.key.length);
    if (space->prefixes == 0) {
        lf_index_remove(&table->index, &space->entry);
        lf_epoch_retire(&table->epoch, &space->entry.retired, number, free_entry);
    }
}

/* As cut_source; and where the prefix is absent for everybody, it goes itself. */
static void cut_verdict(struct lf_epoch *epoch, struct lf_retired *retired)
{
    struct lf_verdict_version *version = (struct lf_verdict_version *)retired;
    struct lf_prefix *prefix = version->prefix;

    free(version->version.older);
    version->version.older = NULL;
    if (version->verdict.kind == LF_ABSENT &&
        atomic_load_explicit(&prefix->verdicts, memory_order_relaxed) == &version->version)
        unlink_prefix(epoch->owner, prefix);
}

static struct lf_prefix *prefix_make(struct lf_table *table, const struct lf_key *key)
{
    struct lf_prefix *prefix = calloc(1, sizeof *prefix + table->workers * sizeof prefix->usage[0]);
    struct lf_space *space = lf_space_make(&table->index, key->iid, key->family);

    if (!prefix || !space) {
        if (space && space->prefixes == 0) {
            lf_index_remove(&table->index, &space->entry);
            lf_epoch_retire(&table->epoch, &space->entry.retired, lf_epoch_next(&table->epoch), free_entry);
        }
        free(prefix);
        return NULL;
    }
    prefix->entry.key = *key;
    prefix->space = space;
    lf_space_add(space, key->length);
    lf_index_insert(&table->index, &prefix->entry);
    return prefix;
}

static bool prefix_absent(const struct lf_prefix *prefix)
{
    const struct lf_version *version = atomic_load_explicit(&prefix->verdicts, memory_order_relaxed);

    return !version || ((const struct lf_verdict_version *)version)->verdict.kind == LF_ABSENT;
}

static enum lf_error prepare_change(struct lf_table *table, struct change *change)
{
    const struct lf_verdict *verdict = &change->version->verdict;

    if (!change->sound)
        return LF_PREFIX_LENGTH;
    if (verdict->kind == LF_ENCAPSULATE && verdict->count == 0)
        return LF_LOCATORS_EMPTY;
    for (unsigned i = 0; i < verdict->count; i++)
        if (verdict->locators[i].slot >= LF_SLOTS)
            return LF_SLOT_RANGE;
    change->prefix = (struct lf_prefix *)lf_index_find(&table->index, &change->key);
    if (change->prefix && change->prefix->touched == table->transactions)
        return LF_PREFIX_TWICE;
    if (verdict->kind == LF_ABSENT && (!change->prefix || prefix_absent(change->prefix)))
        return LF_PREFIX_ABSENT;
    if (!change->prefix) {
        change->prefix = prefix_make(table, &change->key);
        change->made = change->prefix != NULL;
        if (!change->made)
            return LF_NO_MEMORY;
    }
    change->prefix->touched = table->transactions;
    change->version->prefix = change->prefix;
    return LF_OK;
}

static struct lf_problem prepare_list(struct lf_table *table, struct change *change, enum lf_part part)
{
    for (size_t item = 0; change; change = change->next, item++) {
        enum lf_error error = prepare_change(table, change);

        if (error)
            return (struct lf_problem){.error = error, .part = part, .item = item};
    }
    return (struct lf_problem){0};
}

static struct lf_problem prepare(struct lf_table *table, struct lf_transaction *transaction)
{
    uint64_t seen = 0;
    size_t item = 0;

    if (table->epoch.waiting > LF_WAITING_MAX)
        return (struct lf_problem){.error = LF_WAITING};
    for (const struct move *move = transaction->moves; move; move = move->next, item++) {
        if (move->slot >= LF_SLOTS)
            return (struct lf_problem){.error = LF_SLOT_RANGE, .part = LF_PART_SOURCE, .item = item};
        if (seen & UINT64_C(1) << move->slot)
            return (struct lf_problem){.error = LF_SLOT_TWICE, .part = LF_PART_SOURCE, .item = item};
        seen |= UINT64_C(1) << move->slot;
    }
    /* A prefix may bring its space with it. */
    if (!lf_index_reserve(&table->index, &table->epoch, transaction->count * 2))
        return (struct lf_problem){.error = LF_NO_MEMORY};

    struct lf_problem problem = prepare_list(table, transaction->puts, LF_PART_PUT);

    return problem.error ? problem : prepare_list(table, transaction->withdrawals, LF_PART_WITHDRAW);
}

static void push(struct lf_table *table, lf_chain *chain, struct lf_version *version,
                 void (*cut)(struct lf_epoch *, struct lf_retired *))
{
    uint64_t number = lf_epoch_next(&table->epoch);

    version->born = number;
    version->older = atomic_load_explicit(chain, memory_order_relaxed);
    atomic_store_explicit(chain, version, memory_order_release);
    lf_epoch_retire(&table->epoch, &version->retired, number, cut);
}

static void apply(struct lf_table *table, struct lf_transaction *transaction)
{
    struct change *lists[] = {transaction->puts, transaction->withdrawals};

    for (unsigned i = 0; i < 2; i++)
        for (struct change *change = lists[i]; change; change = change->next) {
            push(table, &change->prefix->verdicts, &change->version->version, cut_verdict);
            change->version = NULL;
        }
    for (struct move *move = transaction->moves; move; move = move->next) {
        push(table, &table->slots[move->slot], &move->source->version, cut_source);
        move->source = NULL;
    }
    if (transaction->locals)
        push(table, &table->locals, &transaction->locals->version, cut_locals);
    transaction->locals = NULL;
}

static void take_back(struct lf_table *table, struct lf_transaction *transaction)
{
    for (struct change *change = transaction->puts; change; change = change->next)
        if (change->made)
            unlink_prefix(table, change->prefix);
}

struct lf_problem lf_table_commit(struct lf_table *table, struct lf_transaction *transaction)
{
    table->transactions++;

    struct lf_problem problem = prepare(table, transaction);

    if (problem.error)
        take_back(table, transaction);
    else
        apply(table, transaction);
    /* An error publishes too: nothing has changed, and what it took back can go. */
    lf_epoch_publish(&table->epoch);
    lf_epoch_reclaim(&table->epoch);
    lf_transaction_free(transaction);
    return problem;
}

size_t lf_table_reclaim(struct lf_table *table)
{
    lf_epoch_reclaim(&table->epoch);
    return table->epoch.waiting;
}

const char *lf_error_text(enum lf_error error)
{
    static const char *const texts[] = {
        [LF_OK] = "no error",
        [LF_NO_MEMORY] = "no memory",
        [LF_PREFIX_LENGTH] = "the prefix does not fit its family or instance-ID, or has host bits",
        [LF_PREFIX_TWICE] = "the prefix stands twice in the transaction",
        [LF_PREFIX_ABSENT] = "the prefix is not there to withdraw",
        [LF_LOCATORS_EMPTY] = "no locators to encapsulate to",
        [LF_SLOT_RANGE] = "no such source slot",
        [LF_SLOT_TWICE] = "the source slot stands twice in the transaction",
        [LF_WAITING] = "too much waits to be freed",
    };

    return (size_t)error < sizeof texts / sizeof *texts ? texts[error] : "unknown error";
}
