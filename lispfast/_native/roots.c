#include <stdlib.h>

#include "entries.h"
#include "plan.h"

/* The tries of a transaction: a new root for each space where prefixes come or go. */

/* Ours: from this part of a space on that comes or goes, its trie is made anew: one by one a change copies its way each
 * time, and all at once is many times faster a prefix. */
enum { ANEW_MIN = 64, ANEW_PART = 4 };

static struct lf_trie_entry entry_of(const struct lf_prefix *prefix)
{
    return (struct lf_trie_entry){.bits = {.high = prefix->key.high, .low = prefix->key.low},
                                  .value = lf_prefix_value(prefix),
                                  .length = prefix->key.length};
}

/* What a visit of the old trie gathers. */
struct gathering {
    const struct lf_prefixes *prefixes;
    bool all; /* nothing leaves */
    struct lf_trie_entry *end;
};

static bool gather(void *context, const struct lf_trie_entry *entry)
{
    struct gathering *gathering = context;

    if (gathering->all || lf_prefix_at(gathering->prefixes, entry->value)->key.mark != LF_LEAVING)
        *gathering->end++ = *entry;
    return true;
}

/* A new prefix with this number is there already: it comes twice. */
static enum lf_error twice(struct lf_plan *plan, uint32_t value)
{
    plan->twice = value;
    return LF_PREFIX_TWICE;
}

static enum lf_error build(struct lf_plan *plan, struct lf_trie_edit *edit, struct lf_trie_entry *entries, size_t count,
                           lf_trie *trie)
{
    if (!lf_entries_sort(entries, count))
        return LF_NO_MEMORY;
    for (size_t i = 1; i < count; i++)
        if (lf_entry_is(&entries[i], entries[i - 1].bits, entries[i - 1].length))
            return twice(plan, entries[i].value);
    return lf_trie_build(edit, trie, entries, count) ? LF_OK : LF_NO_MEMORY;
}

static enum lf_error make_anew(struct lf_plan *plan, struct lf_trie_edit *edit, struct lf_space *space, lf_trie *trie)
{
    const struct lf_prefixes *prefixes = &plan->table->prefixes;
    const lf_trie old = lf_space_newest(space);
    struct lf_trie_entry *entries = malloc((space->prefixes + space->coming + 1) * sizeof *entries);
    struct gathering gathering = {.prefixes = prefixes, .all = space->going == 0, .end = entries};
    enum lf_error error;

    if (!entries)
        return LF_NO_MEMORY;
    lf_trie_walk(space->family, old, gather, &gathering);
    for (uint32_t at = space->first; at; at = plan->changes[at - 1].next) {
        const struct lf_prefix *prefix = lf_prefix_at(prefixes, plan->changes[at - 1].value);

        if (prefix->key.mark == LF_FRESH)
            *gathering.end++ = entry_of(prefix);
    }
    error = build(plan, edit, entries, (size_t)(gathering.end - entries), trie);
    free(entries);
    return error || lf_trie_drop(edit, old) ? error : LF_NO_MEMORY;
}

static enum lf_error change_one_by_one(struct lf_plan *plan, struct lf_trie_edit *edit, struct lf_space *space,
                                       lf_trie *trie)
{
    for (uint32_t at = space->first; at; at = plan->changes[at - 1].next) {
        const struct lf_prefix *prefix = lf_prefix_at(&plan->table->prefixes, plan->changes[at - 1].value);
        const struct lf_trie_entry entry = entry_of(prefix);
        bool done;

        if (prefix->key.mark == LF_LEAVING)
            done = lf_trie_take(edit, trie, entry.bits, entry.length);
        else if (lf_trie_exact(space->family, *trie, entry.bits, entry.length))
            return twice(plan, entry.value);
        else
            done = lf_trie_put(edit, trie, &entry);
        if (!done)
            return LF_NO_MEMORY;
    }
    return LF_OK;
}

static enum lf_error make_root(struct lf_plan *plan, struct lf_space *space)
{
    struct lf_trie_edit *edit = &plan->edits[space->family == 6];
    const size_t changes = (size_t)space->coming + space->going;
    lf_trie trie = lf_space_newest(space);
    enum lf_error error;

    if (!edit->number) {
        lf_trie_edit_begin(edit, &plan->table->blocks, space->family,
                           plan->table->transactions * 2 + (space->family == 6));
        plan->retiring++;
    }
    if (changes >= ANEW_MIN && changes * ANEW_PART >= space->prefixes)
        error = make_anew(plan, edit, space, &trie);
    else
        error = change_one_by_one(plan, edit, space, &trie);
    if (error)
        return error;
    space->made = malloc(sizeof *space->made);
    if (!space->made)
        return LF_NO_MEMORY;
    *space->made = (struct lf_root){.trie = trie, .space = space};
    plan->retiring++;
    return LF_OK;
}

static struct lf_problem problem_of(const struct lf_plan *plan, enum lf_error error)
{
    if (error != LF_PREFIX_TWICE)
        return (struct lf_problem){.error = error};
    return (struct lf_problem){
        .error = error,
        .part = LF_PART_PUT,
        .item = lf_plan_newest(plan, &lf_prefix_at(&plan->table->prefixes, plan->twice)->key) - 1};
}

struct lf_problem lf_plan_roots(struct lf_plan *plan)
{
    for (struct lf_space *space = plan->spaces; space; space = space->next) {
        enum lf_error error = make_root(plan, space);

        if (error)
            return problem_of(plan, error);
    }
    for (unsigned i = 0; i < 2; i++) {
        plan->pieces[i] = plan->edits[i].number ? malloc(sizeof *plan->pieces[i]) : NULL;
        if (plan->edits[i].number && !plan->pieces[i])
            return problem_of(plan, LF_NO_MEMORY);
    }
    return problem_of(plan, LF_OK);
}
