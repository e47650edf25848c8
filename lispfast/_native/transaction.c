#include "transaction.h"

#include <stdlib.h>

#include "plan.h"

/* A transaction's journey: opened (packed.c), planned (plan.c), which takes all memory and is the only step that can
 * fail, applied: new versions in front of their chains, where no pin shows them yet; then published. What they replace
 * goes into the queue (epoch.c), whose order is that in which things were left: a version is cut off its successor
 * before its prefix goes. */

void lf_release_space(void *owner, void *thing)
{
    struct lf_space *space = thing;

    (void)owner;
    free(lf_chain_newest(&space->roots));
    free(space);
}

static void release_verdict(void *owner, void *thing)
{
    struct lf_table *table = owner;
    struct lf_verdict_version *version = thing;
    struct lf_prefix *prefix = lf_prefix_at(&table->prefixes, version->verdict.value);

    lf_prefix_version_free(prefix, (struct lf_verdict_version *)lf_version_cut(&version->version));
}

static void release_prefix(void *owner, void *thing)
{
    struct lf_table *table = owner;
    struct lf_prefix *prefix = thing;

    lf_prefix_version_free(prefix, (struct lf_verdict_version *)lf_chain_newest(&prefix->verdicts));
    lf_prefix_give(&table->prefixes, prefix);
}

static void release_locators(void *owner, void *version)
{
    (void)owner;
    lf_locators_free((struct lf_locators *)lf_version_cut(version));
}

static void release_set(void *owner, void *set)
{
    (void)owner;
    lf_set_free(set);
}

static void release_source(void *owner, void *version)
{
    (void)owner;
    free(lf_version_cut(version));
}

static void release_locals(void *owner, void *version)
{
    struct lf_locals_version *older = (struct lf_locals_version *)lf_version_cut(version);

    (void)owner;
    if (older)
        lf_locals_free(older->locals);
    free(older);
}

static void release_pieces(void *owner, void *pieces)
{
    struct lf_table *table = owner;

    lf_pieces_free(pieces, &table->blocks);
    free(pieces);
}

/* A space where nobody sees a prefix any more is taken out, and freed when nobody can be looking at it. */
static void release_root(void *owner, void *thing)
{
    struct lf_table *table = owner;
    struct lf_root *root = thing;
    struct lf_space *space = root->space;

    free(lf_version_cut(&root->version));
    if (root->trie == LF_TRIE_EMPTY && lf_chain_newest(&space->roots) == &root->version) {
        lf_index_remove(&table->spaces, &space->entry);
        lf_epoch_retire(&table->epoch, space, sizeof *space, lf_release_space);
    }
}

/* A set without a name goes with the last verdict that refers to it, once. */
static void leave_set(struct lf_table *table, struct lf_set *set)
{
    if (!set || set->entry.key || set->references || set->marked)
        return;
    set->marked = 1;
    lf_epoch_retire(&table->epoch, set, sizeof *set + sizeof(struct lf_locators), release_set);
}

static void apply_change(struct lf_table *table, const struct lf_change *change)
{
    struct lf_prefix *prefix = lf_prefix_at(&table->prefixes, change->value);
    struct lf_verdict_version *old = (struct lf_verdict_version *)lf_chain_newest(&prefix->verdicts);

    if (prefix->key.mark == LF_LEAVING) {
        lf_epoch_retire(&table->epoch, prefix, sizeof *prefix, release_prefix);
    } else if (change->version) {
        lf_chain_push(&prefix->verdicts, &change->version->version, lf_epoch_next(&table->epoch));
        lf_epoch_retire(&table->epoch, change->version, sizeof *change->version, release_verdict);
    }
    if (prefix->key.mark != LF_FRESH)
        leave_set(table, old->verdict.set);
    if (prefix->key.mark != LF_LEAVING)
        prefix->key.mark = LF_UNMARKED;
}

static void apply_spaces(struct lf_table *table, struct lf_plan *plan)
{
    for (struct lf_space *space = plan->spaces, *next; space; space = next) {
        next = space->next;
        lf_chain_push(&space->roots, &space->made->version, lf_epoch_next(&table->epoch));
        lf_epoch_retire(&table->epoch, space->made, sizeof *space->made, release_root);
        space->prefixes += space->coming;
        space->prefixes -= space->going;
        space->made = NULL;
        space->next = NULL;
        space->first = space->coming = space->going = 0;
    }
    for (unsigned i = 0; i < 2; i++) {
        size_t bytes = 0;

        if (!plan->edits[i].number)
            continue;
        *plan->pieces[i] = lf_trie_edit_settle(&plan->edits[i]);
        for (size_t at = 0; at < plan->pieces[i]->count; at++)
            bytes += plan->pieces[i]->piece[at].size;
        lf_epoch_retire(&table->epoch, plan->pieces[i], bytes, release_pieces);
        plan->pieces[i] = NULL;
    }
}

/* A set that puts brought along and none of them refers to was never seen. */
static void apply_sets(struct lf_table *table, const struct lf_plan *plan)
{
    for (size_t i = 0; i < plan->going_count; i++) {
        lf_index_remove(&table->sets, &plan->going[i]->entry);
        lf_epoch_retire(&table->epoch, plan->going[i], sizeof(struct lf_set), release_set);
    }
    for (size_t i = 0; i < plan->set_count; i++) {
        struct lf_set *set = plan->sets[i].set;
        struct lf_locators *version = plan->sets[i].version;

        set->marked = 0;
        if (version) {
            lf_chain_push(&set->versions, &version->version, lf_epoch_next(&table->epoch));
            lf_epoch_retire(&table->epoch, version, sizeof *version, release_locators);
        } else if (!set->entry.key && !set->references) {
            lf_set_free(set);
        }
    }
}

static void apply(struct lf_table *table, struct lf_plan *plan)
{
    const uint64_t number = lf_epoch_next(&table->epoch);

    for (size_t i = 0; i < plan->count; i++)
        apply_change(table, &plan->changes[i]);
    apply_spaces(table, plan);
    apply_sets(table, plan);
    for (unsigned i = 0; i < LF_SLOTS; i++) {
        if (!plan->sources[i])
            continue;
        lf_chain_push(&table->slots[i], &plan->sources[i]->version, number);
        lf_epoch_retire(&table->epoch, plan->sources[i], sizeof *plan->sources[i], release_source);
    }
    if (plan->locals) {
        lf_chain_push(&table->locals, &plan->locals->version, number);
        lf_epoch_retire(&table->epoch, plan->locals, sizeof *plan->locals, release_locals);
    }
}

struct lf_problem lf_table_commit_packed(struct lf_table *table, const void *buffer, size_t length)
{
    struct lf_problem problem = {.error = LF_MALFORMED, .part = LF_PART_BUFFER};
    struct lf_packed packed;
    struct lf_plan plan;

    if (!lf_packed_open(&packed, buffer, length, &problem.item))
        return problem;
    table->transactions++;
    problem = lf_plan_make(&plan, table, &packed);
    if (problem.error)
        lf_plan_undo(&plan);
    else
        apply(table, &plan);
    lf_plan_free(&plan);
    /* An error publishes too: nothing has changed, and what the undo retired can go. */
    lf_epoch_publish(&table->epoch);
    lf_epoch_reclaim(&table->epoch);
    return problem;
}

size_t lf_table_reclaim(struct lf_table *table)
{
    lf_epoch_reclaim(&table->epoch);
    return table->epoch.waiting;
}

bool lf_table_settled(const struct lf_table *table)
{
    return lf_epoch_settled(&table->epoch);
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
        [LF_SET_UNKNOWN] = "no such locator-set",
        [LF_SET_TWICE] = "the locator-set stands twice in the transaction",
        [LF_SET_IN_USE] = "prefixes refer to the locator-set",
        [LF_FULL] = "the table holds no more prefixes",
        [LF_MALFORMED] = "not a packed transaction",
    };

    return (size_t)error < sizeof texts / sizeof *texts ? texts[error] : "unknown error";
}
