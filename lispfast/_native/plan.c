#include "plan.h"

#include <stdlib.h>

/* Everything that a transaction wants, in the order in which one part needs the other: sets, prefixes with their tries,
 * sets that go, source slots, our own EIDs, and places in the queue for what they replace. */

static const struct lf_problem fine, no_memory = {.error = LF_NO_MEMORY};

static struct lf_problem malformed(const struct lf_plan *plan, const uint8_t *record)
{
    return (struct lf_problem){
        .error = LF_MALFORMED, .part = LF_PART_BUFFER, .item = (size_t)(record - plan->packed->buffer)};
}

/* A new set, or a further version of the one with this id. */
static enum lf_error open_set(struct lf_plan *plan, const struct lf_packed_set *record, struct lf_locators **locators)
{
    struct lf_index *sets = &plan->table->sets;
    struct lf_set *set = record->id ? (struct lf_set *)lf_index_find(sets, record->id) : NULL;
    struct lf_set_change *change = &plan->sets[plan->set_count];

    *change = (struct lf_set_change){.set = set};
    if (set && set->marked)
        return LF_SET_TWICE;
    if (set) {
        *locators = change->version = lf_locators_new(record->count, record->tunnels);
        if (!change->version)
            return LF_NO_MEMORY;
        plan->retiring++;
    } else {
        if (record->id && !lf_index_reserve(sets, &plan->table->epoch, 1))
            return LF_NO_MEMORY;
        set = change->set = lf_set_new(record->id, record->count, record->tunnels);
        if (!set)
            return LF_NO_MEMORY;
        *locators = lf_set_newest(set);
        (*locators)->version.born = lf_epoch_next(&plan->table->epoch);
        if (record->id)
            lf_index_insert(sets, &set->entry);
    }
    set->marked = 1;
    plan->set_count++;
    return LF_OK;
}

/* Behind the locators, one at most for each: a distance of 255 reaches from any locator to its own. False where two
 * are for one, or for none; `*wrong` is the record. */
static enum lf_error read_tunnels(const struct lf_packed_set *set, const uint8_t *tunnels,
                                  struct lf_locators *locators, const uint8_t **wrong)
{
    unsigned next = 0;

    for (unsigned i = 0; i < set->tunnels; i++) {
        struct lf_locator *tunnel = &locators->locator[set->count + i];
        unsigned place;

        if (!lf_packed_read_tunnel(tunnels, i, tunnel, &place) || place < next || place >= set->count) {
            *wrong = tunnels + i * sizeof(struct lf_packed_tunnel);
            return LF_MALFORMED;
        }
        if (tunnel->slot >= LF_SLOTS)
            return LF_SLOT_RANGE;
        next = place + 1;
        locators->locator[place].tunnel = (uint8_t)(set->count + i - place);
    }
    return LF_OK;
}

static struct lf_problem plan_set(struct lf_plan *plan, size_t item, const uint8_t **at)
{
    const uint8_t *record = *at, *packed;
    const struct lf_packed_set set = lf_packed_read_set(at, &packed);
    struct lf_problem problem = {.part = LF_PART_SET, .item = item};
    struct lf_locators *locators;

    if (set.id & LF_PACKED_OWN)
        return malformed(plan, record);
    if (set.count == 0) {
        problem.error = LF_LOCATORS_EMPTY;
        return problem;
    }
    problem.error = open_set(plan, &set, &locators);
    for (unsigned i = 0; i < set.count && !problem.error; i++) {
        if (!lf_packed_read_locator(packed, i, &locators->locator[i]))
            return malformed(plan, packed + i * sizeof(struct lf_packed_locator));
        if (locators->locator[i].slot >= LF_SLOTS)
            problem.error = LF_SLOT_RANGE;
    }
    if (!problem.error)
        problem.error = read_tunnels(&set, packed + set.count * sizeof(struct lf_packed_locator), locators, &record);
    if (problem.error == LF_MALFORMED)
        return malformed(plan, record);
    return problem.error ? problem : fine;
}

static struct lf_problem plan_sets(struct lf_plan *plan)
{
    const uint8_t *at = plan->packed->sets;

    plan->sets = malloc(((size_t)plan->packed->count.sets + 1) * sizeof *plan->sets);
    if (!plan->sets)
        return no_memory;
    for (size_t item = 0; item < plan->packed->count.sets; item++) {
        struct lf_problem problem = plan_set(plan, item, &at);

        if (problem.error)
            return problem;
    }
    return fine;
}

static struct lf_problem plan_going(struct lf_plan *plan)
{
    const size_t count = plan->packed->count.set_withdrawals;
    struct lf_problem problem = {.part = LF_PART_SET_WITHDRAWAL};

    plan->going = malloc((count + 1) * sizeof *plan->going);
    if (!plan->going)
        return no_memory;
    for (; problem.item < count; problem.item++) {
        const uint32_t id = lf_packed_read_set_withdrawal(plan->packed, problem.item);
        struct lf_set *set = id ? (struct lf_set *)lf_index_find(&plan->table->sets, id) : NULL;

        if (!set)
            problem.error = LF_SET_UNKNOWN;
        else if (set->marked)
            problem.error = LF_SET_TWICE;
        else if (set->references)
            problem.error = LF_SET_IN_USE;
        if (problem.error)
            return problem;
        set->marked = 1;
        plan->going[plan->going_count++] = set;
        plan->retiring++;
    }
    return fine;
}

static struct lf_problem plan_sources(struct lf_plan *plan)
{
    struct lf_problem problem = {.part = LF_PART_SOURCE};

    for (; problem.item < plan->packed->count.sources; problem.item++) {
        const struct lf_packed_source record = lf_packed_read_source(plan->packed, problem.item);
        struct lf_source *source;

        if (record.family != 0 && record.family != 4 && record.family != 6)
            return malformed(plan, plan->packed->sources + problem.item * sizeof record);
        if (record.slot >= LF_SLOTS)
            problem.error = LF_SLOT_RANGE;
        else if (plan->sources[record.slot])
            problem.error = LF_SLOT_TWICE;
        if (problem.error)
            return problem;
        source = plan->sources[record.slot] = calloc(1, sizeof *source);
        if (!source)
            return no_memory;
        if (record.family)
            source->address = lf_address_make(record.family, record.address);
        source->ifindex = record.ifindex;
        plan->retiring++;
    }
    return fine;
}

static enum lf_error read_local(const struct lf_plan *plan, size_t item, struct lf_local *local)
{
    const struct lf_packed_local record = lf_packed_read_local(plan->packed, item);
    const struct lf_key key = {.high = lf_address_number(record.network),
                               .low = lf_address_number(record.network + 8),
                               .iid = record.iid,
                               .family = record.family,
                               .length = record.length};

    if ((record.family != 4 && record.family != 6) || record.iid >= 1u << 24 || record.version >= 1u << 12)
        return LF_MALFORMED;
    *local = (struct lf_local){.network = lf_address_make(record.family, record.network),
                               .length = record.length,
                               .version = record.version,
                               .iid = record.iid};
    return lf_key_sound(&key) ? LF_OK : LF_PREFIX_LENGTH;
}

static struct lf_problem plan_locals(struct lf_plan *plan)
{
    const size_t count = plan->packed->count.locals;
    struct lf_problem problem = {.part = LF_PART_LOCAL};
    struct lf_locals_version *version;
    struct lf_local *locals;

    if (!(plan->packed->count.flags & LF_PACKED_LOCAL))
        return fine;
    version = plan->locals = calloc(1, sizeof *version);
    locals = malloc((count + 1) * sizeof *locals);
    for (; locals && problem.item < count && !problem.error; problem.item++)
        problem.error = read_local(plan, problem.item, &locals[problem.item]);
    if (version && locals && !problem.error)
        version->locals = lf_locals_new(locals, count);
    free(locals);
    if (problem.error) {
        problem.item--;
        return problem.error == LF_MALFORMED
                   ? malformed(plan, plan->packed->locals + problem.item * sizeof(struct lf_packed_local))
                   : problem;
    }
    if (!version || !version->locals)
        return no_memory;
    plan->retiring++;
    return fine;
}

/* Something that is alone may be more than the bound: a transaction as large as the table. */
static struct lf_problem plan_queue(struct lf_plan *plan)
{
    const struct lf_epoch *epoch = &plan->table->epoch;
    size_t bytes = epoch->bytes;

    for (unsigned i = 0; i < 2; i++)
        for (size_t at = 0; plan->edits[i].number && at < plan->edits[i].left.count; at++)
            bytes += plan->edits[i].left.piece[at].size;
    if (epoch->waiting && (epoch->waiting + plan->retiring > LF_WAITING_MAX || bytes > LF_WAITING_BYTES))
        return (struct lf_problem){.error = LF_WAITING};
    return lf_epoch_reserve(&plan->table->epoch, plan->retiring) ? fine : no_memory;
}

struct lf_problem lf_plan_make(struct lf_plan *plan, struct lf_table *table, const struct lf_packed *packed)
{
    struct lf_problem problem;

    *plan = (struct lf_plan){.table = table, .packed = packed};
    problem = plan_sets(plan);
    if (!problem.error)
        problem = lf_plan_changes(plan);
    if (!problem.error)
        problem = lf_plan_roots(plan);
    if (!problem.error)
        problem = plan_going(plan);
    if (!problem.error)
        problem = plan_sources(plan);
    if (!problem.error)
        problem = plan_locals(plan);
    return problem.error ? problem : plan_queue(plan);
}

static void undo_change(struct lf_table *table, const struct lf_change *change)
{
    struct lf_prefix *prefix = lf_prefix_at(&table->prefixes, change->value);
    struct lf_verdict_version *newest = (struct lf_verdict_version *)lf_chain_newest(&prefix->verdicts);
    struct lf_set *set = newest->verdict.set;

    if (prefix->key.mark == LF_FRESH) {
        if (set)
            set->references--;
        lf_prefix_give(&table->prefixes, prefix);
        return;
    }
    prefix->key.mark = LF_UNMARKED;
    if (set)
        set->references++;
    if (!change->version)
        return;
    if (change->version->verdict.set)
        change->version->verdict.set->references--;
    lf_prefix_version_free(prefix, change->version);
}

static void undo_spaces(struct lf_plan *plan)
{
    struct lf_table *table = plan->table;

    for (struct lf_space *space = plan->spaces, *next; space; space = next) {
        next = space->next;
        free(space->made);
        space->made = NULL;
        space->next = NULL;
        space->first = space->coming = space->going = 0;
        if (!lf_chain_newest(&space->roots)) {
            lf_index_remove(&table->spaces, &space->entry);
            lf_epoch_retire(&table->epoch, space, sizeof *space, lf_release_space);
        }
    }
    for (unsigned i = 0; i < 2; i++)
        if (plan->edits[i].number)
            lf_trie_edit_abandon(&plan->edits[i]);
}

void lf_plan_undo(struct lf_plan *plan)
{
    for (size_t i = 0; i < plan->going_count; i++)
        plan->going[i]->marked = 0;
    for (size_t i = plan->count; i-- > 0;)
        undo_change(plan->table, &plan->changes[i]);
    undo_spaces(plan);
    for (size_t i = 0; i < plan->set_count; i++) {
        struct lf_set *set = plan->sets[i].set;

        set->marked = 0;
        lf_locators_free(plan->sets[i].version);
        if (plan->sets[i].version)
            continue;
        if (set->entry.key)
            lf_index_remove(&plan->table->sets, &set->entry);
        lf_set_free(set);
    }
    for (unsigned i = 0; i < LF_SLOTS; i++)
        free(plan->sources[i]);
    if (plan->locals)
        lf_locals_free(plan->locals->locals);
    free(plan->locals);
}

void lf_plan_free(struct lf_plan *plan)
{
    free(plan->sets);
    free(plan->changes);
    free(plan->going);
    for (unsigned i = 0; i < 2; i++)
        free(plan->pieces[i]);
}
