#include <stdlib.h>

#include "icmp.h"
#include "plan.h"

/* Puts and withdrawals to changes, one each in their order. A prefix that stands is found in its trie and marked, so
 * that a second mention shows. One that is new is in no trie yet: roots.c sees whether it comes twice. */

static struct lf_problem problem_of(const struct lf_plan *plan, enum lf_error error, enum lf_part part, size_t item,
                                    const uint8_t *record)
{
    if (error == LF_MALFORMED)
        return (struct lf_problem){
            .error = error, .part = LF_PART_BUFFER, .item = (size_t)(record - plan->packed->buffer)};
    return (struct lf_problem){.error = error, .part = part, .item = item};
}

bool lf_key_sound(const struct lf_key *key)
{
    const unsigned length = key->length;

    if (key->iid >= 1u << 24 || (key->family != 4 && key->family != 6) || length > (key->family == 4 ? 32 : 128))
        return false;
    return (length >= 64 || !(key->high << length)) &&
           (length >= 128 || !(length > 64 ? key->low << (length - 64) : key->low));
}

static bool make_key(struct lf_key *key, const uint8_t *network, uint32_t iid, uint8_t family, uint8_t length)
{
    *key = (struct lf_key){.high = lf_address_number(network),
                           .low = lf_address_number(network + 8),
                           .iid = iid,
                           .family = family,
                           .length = length};
    return lf_key_sound(key);
}

static struct lf_bits key_bits(const struct lf_key *key)
{
    return (struct lf_bits){.high = key->high, .low = key->low};
}

size_t lf_plan_newest(const struct lf_plan *plan, const struct lf_key *key)
{
    for (size_t place = plan->count; place > 0; place--) {
        const struct lf_prefix *prefix = lf_prefix_at(&plan->table->prefixes, plan->changes[place - 1].value);

        if (prefix->key.mark == LF_FRESH && lf_key_equal(&prefix->key, key))
            return place;
    }
    return 0;
}

void lf_plan_touch(struct lf_plan *plan, struct lf_space *space)
{
    if (space->coming || space->going)
        return;
    space->next = plan->spaces;
    plan->spaces = space;
}

static void link_change(struct lf_plan *plan, struct lf_space *space)
{
    plan->changes[plan->count - 1].next = space->first;
    space->first = (uint32_t)plan->count;
}

static struct lf_space *make_space(struct lf_plan *plan, const struct lf_key *key)
{
    struct lf_table *table = plan->table;
    struct lf_space *space;

    /* A place in the queue for each that may be undone: at most one a put. */
    if (!lf_index_reserve(&table->spaces, &table->epoch, 1) || !lf_epoch_reserve(&table->epoch, plan->retiring + 1))
        return NULL;
    space = lf_space_make(&table->spaces, key->iid, key->family);
    plan->retiring += space != NULL;
    return space;
}

/* All but the number, which is the prefix's. */
static void fill(struct lf_verdict_version *version, const struct lf_verdict *verdict)
{
    version->verdict.set = verdict->set;
    version->verdict.kind = verdict->kind;
    version->verdict.reject_code = verdict->reject_code;
}

/* A prefix that is not there yet, with its verdict: nobody sees it before a trie has it. */
static enum lf_error add_fresh(struct lf_plan *plan, struct lf_space *space, const struct lf_key *key,
                               const struct lf_verdict *verdict)
{
    struct lf_table *table = plan->table;
    struct lf_prefix *prefix;
    bool full;

    if (!space)
        space = make_space(plan, key);
    if (!space)
        return LF_NO_MEMORY;
    lf_plan_touch(plan, space);
    space->coming++;
    prefix = lf_prefix_take(&table->prefixes, key, &full);
    if (!prefix)
        return full ? LF_FULL : LF_NO_MEMORY;
    fill(&prefix->own, verdict);
    lf_chain_push(&prefix->verdicts, &prefix->own.version, lf_epoch_next(&table->epoch));
    plan->changes[plan->count++] = (struct lf_change){.value = lf_prefix_value(prefix)};
    link_change(plan, space);
    return LF_OK;
}

static struct lf_set *newest_set(const struct lf_prefix *prefix)
{
    return ((struct lf_verdict_version *)lf_chain_newest(&prefix->verdicts))->verdict.set;
}

static enum lf_error replace(struct lf_plan *plan, struct lf_prefix *prefix, const struct lf_verdict *verdict)
{
    struct lf_verdict_version *version;

    if (prefix->key.mark != LF_UNMARKED)
        return LF_PREFIX_TWICE;
    version = lf_prefix_version(prefix);
    if (!version)
        return LF_NO_MEMORY;
    fill(version, verdict);
    prefix->key.mark = LF_REPLACED;
    if (newest_set(prefix))
        newest_set(prefix)->references--;
    plan->changes[plan->count++] = (struct lf_change){.version = version, .value = lf_prefix_value(prefix)};
    plan->retiring += 2; /* the version and a set without a name */
    return LF_OK;
}

/* The set that a put refers to. */
static enum lf_error find_set(const struct lf_plan *plan, const struct lf_packed_put *put, struct lf_set **set)
{
    const uint32_t own = put->set & ~LF_PACKED_OWN;

    *set = NULL;
    if (put->kind != LF_ENCAPSULATE)
        return put->set ? LF_MALFORMED : LF_OK;
    if (!put->set)
        return LF_LOCATORS_EMPTY;
    if (!(put->set & LF_PACKED_OWN))
        *set = (struct lf_set *)lf_index_find(&plan->table->sets, put->set);
    else if (own < plan->set_count)
        *set = plan->sets[own].set;
    return *set ? LF_OK : LF_SET_UNKNOWN;
}

static enum lf_error put(struct lf_plan *plan, const struct lf_packed_put *put, struct lf_space **recent)
{
    struct lf_verdict verdict = {.kind = put->kind, .reject_code = put->reject_code};
    struct lf_key key;
    enum lf_error error;
    uint32_t value = 0;

    if (!make_key(&key, put->network, put->iid, put->family, put->length))
        return LF_PREFIX_LENGTH;
    if (put->kind >= LF_KINDS || put->reject_code >= LF_ICMP_CODES)
        return LF_MALFORMED;
    error = find_set(plan, put, &verdict.set);
    if (error)
        return error;
    if (!*recent || (*recent)->entry.key != (key.iid << 1 | (key.family == 6)))
        *recent = lf_space_find(&plan->table->spaces, key.iid, key.family);
    if (*recent)
        value = lf_trie_exact(key.family, lf_space_newest(*recent), key_bits(&key), key.length);
    error = value ? replace(plan, lf_prefix_at(&plan->table->prefixes, value), &verdict)
                  : add_fresh(plan, *recent, &key, &verdict);
    if (!error && verdict.set)
        verdict.set->references++;
    return error;
}

static enum lf_error withdraw(struct lf_plan *plan, const struct lf_packed_withdrawal *withdrawal)
{
    struct lf_space *space = NULL;
    struct lf_prefix *prefix;
    struct lf_key key;
    uint32_t value = 0;

    if (!make_key(&key, withdrawal->network, withdrawal->iid, withdrawal->family, withdrawal->length))
        return LF_PREFIX_LENGTH;
    space = lf_space_find(&plan->table->spaces, key.iid, key.family);
    if (space)
        value = lf_trie_exact(key.family, lf_space_newest(space), key_bits(&key), key.length);
    if (!value)
        return lf_plan_newest(plan, &key) ? LF_PREFIX_TWICE : LF_PREFIX_ABSENT;
    prefix = lf_prefix_at(&plan->table->prefixes, value);
    if (prefix->key.mark != LF_UNMARKED)
        return LF_PREFIX_TWICE;
    prefix->key.mark = LF_LEAVING;
    if (newest_set(prefix))
        newest_set(prefix)->references--;
    lf_plan_touch(plan, space);
    space->going++;
    plan->changes[plan->count++] = (struct lf_change){.value = value};
    plan->retiring += 2; /* the prefix and a set without a name */
    link_change(plan, space);
    return LF_OK;
}

struct lf_problem lf_plan_changes(struct lf_plan *plan)
{
    const struct lf_packed_header *count = &plan->packed->count;
    struct lf_space *recent = NULL;

    plan->changes = malloc(((size_t)count->puts + count->withdrawals + 1) * sizeof *plan->changes);
    if (!plan->changes)
        return (struct lf_problem){.error = LF_NO_MEMORY};
    for (size_t item = 0; item < count->puts; item++) {
        const struct lf_packed_put record = lf_packed_read_put(plan->packed, item);
        enum lf_error error = put(plan, &record, &recent);

        if (error)
            return problem_of(plan, error, LF_PART_PUT, item, plan->packed->puts + item * sizeof record);
    }
    for (size_t item = 0; item < count->withdrawals; item++) {
        const struct lf_packed_withdrawal record = lf_packed_read_withdrawal(plan->packed, item);
        enum lf_error error = withdraw(plan, &record);

        if (error)
            return problem_of(plan, error, LF_PART_WITHDRAW, item, plan->packed->withdrawals + item * sizeof record);
    }
    return (struct lf_problem){0};
}
