/* Transactions that are refused leave no trace, under ASan: one that touches everything is tried with each allocation
 * failing once and with each mistake at its end; every time the table has to be what it was, seen by walking it and by
 * looking up, until nothing fails and the same transaction is taken. To be linked with --wrap for each __wrap_ function
 * below. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define CHANGE_MAX 256
#include "change.h"

enum { HOSTS = 200, FILLING = 3840, ROWS = 8192, OLD = 5, SPARE = 6, NEW = 7 };

#define CHECK(condition) \
    do \
        if (!(condition)) { \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            abort(); \
        } \
    while (0)

static struct lf_table *table;
static struct change change;
static unsigned calls, failing; /* which of the calls fails, 0 for none */

static bool fails(void)
{
    return ++calls == failing;
}

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size)
{
    return fails() ? NULL : __real_realloc(old, size);
}

void *__real_mmap(void *at, size_t length, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t length, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t length, int protection, int flags, int fd, off_t offset)
{
    return fails() ? MAP_FAILED : __real_mmap(at, length, protection, flags, fd, offset);
}

/* The table as its readers see it. */
struct seen {
    size_t rows;
    struct {
        struct lf_key key;
        uint32_t value, found; /* `found`: by looking its network up */
        uint8_t kind, code, ports;
        uint16_t port[4];
    } row[ROWS];
    size_t held; /* by the tries */
    uint32_t ifindex[LF_SLOTS];
    size_t locals;
    size_t waiting;
};

static struct lf_address network_of(const struct lf_key *key)
{
    struct lf_address address = {.family = key->family};

    for (unsigned i = 0; i < 16; i++)
        address.bytes[i] = (uint8_t)((i < 8 ? key->high : key->low) >> (56 - i % 8 * 8));
    return address;
}

static void see_row(struct seen *seen, const struct lf_row *from)
{
    const struct lf_match *match = &from->match;
    const struct lf_address network = network_of(&match->prefix->key);
    const struct lf_match found = lf_table_lookup(lf_table_view(table), match->prefix->key.iid, &network);

    CHECK(seen->rows < ROWS && match->prefix->key.mark == LF_UNMARKED && found.prefix);

    const size_t at = seen->rows++;

    seen->row[at].key = match->prefix->key;
    seen->row[at].value = from->value;
    seen->row[at].found = lf_prefix_value(found.prefix);
    seen->row[at].kind = match->verdict->kind;
    seen->row[at].code = match->verdict->reject_code;
    for (unsigned i = 0; match->locators && i < match->locators->count && i < 4; i++)
        seen->row[at].port[seen->row[at].ports++] = match->locators->locator[i].port;
}

static void see(struct seen *seen)
{
    const struct lf_view view = lf_table_view(table);
    struct lf_space *space;
    uint32_t from = 0;
    struct lf_row row;

    memset(seen, 0, sizeof *seen);
    while (lf_table_walk(table, &from, &row, 1))
        see_row(seen, &row);
    for (unsigned i = 0; i < LF_SLOTS; i++)
        seen->ifindex[i] = lf_table_source(view, i) ? lf_table_source(view, i)->ifindex : 0;
    seen->locals = lf_table_locals(view) ? lf_table_locals(view)->count : 0;
    for (size_t cell = 0; (space = (struct lf_space *)lf_index_next(&table->spaces, &cell));) {
        CHECK(!space->first && !space->coming && !space->going && !space->made);
        CHECK(lf_trie_count(space->family, lf_space_newest(space)) == space->prefixes);
        seen->held += space->prefixes;
    }
    seen->waiting = lf_table_reclaim(table);
    CHECK(seen->waiting == 0 && seen->held == seen->rows && seen->rows == table->prefixes.live);
}

static struct lf_address host(unsigned family, unsigned number)
{
    const uint8_t v4[4] = {10, (uint8_t)(number >> 8), (uint8_t)number, 1};
    const uint8_t v6[16] = {0xfd, [6] = (uint8_t)(number >> 8), [7] = (uint8_t)number, [15] = 1};

    return lf_address_make((uint8_t)family, family == 4 ? v4 : v6);
}

static struct lf_locator locator(uint16_t port)
{
    return (struct lf_locator){.address = host(4, port), .port = port, .priority = 1};
}

static void put_host(unsigned family, uint32_t iid, unsigned number, uint32_t set)
{
    const struct lf_address network = host(family, number);
    const struct lf_locator own = locator((uint16_t)(1000 + number));

    if (!set)
        set = change_set(&change, 0, &own);
    change_put_set(&change, iid, &network, family == 4 ? 32 : 128, set);
}

static void withdraw_host(unsigned family, uint32_t iid, unsigned number)
{
    const struct lf_address network = host(family, number);

    change_withdraw(&change, iid, &network, family == 4 ? 32 : 128);
}

/* What is there before: hosts of both families, of which some refer to the set OLD, and so many more that new ones need
 * another chunk of prefixes. SPARE is nobody's. */
static void begin(void)
{
    const struct lf_locator to = locator(5);
    const struct lf_address own = host(4, 9999);

    change_begin(&change);
    change_set(&change, OLD, &to);
    change_set(&change, SPARE, &to);
    for (unsigned i = 0; i < HOSTS / 2; i++) {
        put_host(4, 0, i, i % 2 ? OLD : 0);
        put_host(6, 0, i, i % 2 ? OLD : 0);
    }
    change_local(&change, &own, 0);
    change_source(&change, 1, &own, 11);
    CHECK(change_commit(&change, table).error == LF_OK);
    for (unsigned i = 0; i < FILLING; i++) {
        if (i % (FILLING / 16) == 0)
            change_begin(&change);
        put_host(6, 1, i, OLD);
        if ((i + 1) % (FILLING / 16) == 0)
            CHECK(change_commit(&change, table).error == LF_OK);
    }
}

/* All kinds of change; so many in IPv4 that its trie is made anew, and a new space. */
static void change_everything(void)
{
    const struct lf_locator to = locator(6);
    const struct lf_address own = host(6, 9999);

    change_begin(&change);
    change_set(&change, OLD, &to);
    change_set(&change, NEW, &to);
    for (unsigned i = 0; i < HOSTS / 2; i++)
        put_host(4, 0, 50 + i, i % 3 ? NEW : 0); /* half replaced, half new */
    put_host(6, 0, 7, NEW);
    put_host(6, 0, 500, 0);
    put_host(4, 1, 1, OLD);
    for (unsigned i = 0; i < 60; i++)
        put_host(4, 2, i, OLD);
    withdraw_host(4, 0, 3);
    withdraw_host(6, 0, 9);
    withdraw_host(6, 1, 9);
    change_local(&change, &own, 0);
    change_source(&change, 1, &own, 12);
    change_source(&change, 2, &own, 13);
    change_set_withdraw(&change, SPARE);
}

static unsigned run_out_of_memory(const struct seen *before)
{
    static struct seen after;
    unsigned refused = 0;

    for (unsigned number = 1;; number++) {
        struct lf_problem problem;

        change_everything();
        (void)change_end(&change);
        calls = 0;
        failing = number;
        problem = lf_table_commit_packed(table, change.buffer, change_end(&change));
        failing = 0;
        if (problem.error == LF_OK && calls < number)
            return refused;
        CHECK(problem.error == LF_NO_MEMORY);
        refused++;
        see(&after);
        CHECK(memcmp(before, &after, sizeof after) == 0);
    }
}

static void spoil_prefix_length(void)
{
    const struct lf_address odd = host(4, 1);

    change_withdraw(&change, 0, &odd, 24);
}

static void spoil_twice(void)
{
    withdraw_host(4, 0, 50);
}

static void spoil_twice_new(void)
{
    withdraw_host(4, 1, 1);
}

static void spoil_twice_anew(void)
{
    put_host(4, 0, 149, NEW);
}

static void spoil_twice_by_one(void)
{
    put_host(6, 0, 500, NEW);
}

static void spoil_absent(void)
{
    withdraw_host(6, 3, 1);
}

static void spoil_slot(void)
{
    const struct lf_address none = {.family = 0};

    change_source(&change, LF_SLOTS, &none, 0);
}

static void spoil_slot_twice(void)
{
    const struct lf_address none = {.family = 0};

    change_source(&change, 2, &none, 0);
}

static void spoil_set(void)
{
    put_host(4, 0, 3000, 99);
}

static void spoil_own_set(void)
{
    put_host(4, 0, 3000, LF_PACKED_OWN | 300);
}

static void spoil_set_twice(void)
{
    const struct lf_locator to = locator(6);

    change_set(&change, NEW, &to);
}

static void spoil_in_use(void)
{
    change_set_withdraw(&change, OLD);
}

static void spoil_absent_set(void)
{
    change_set_withdraw(&change, 98);
}

static void spoil_kind(void)
{
    put_host(4, 0, 3000, 0);
    change.puts[change.count.puts - 1].kind = LF_KINDS;
}

static void spoil_locators(void)
{
    put_host(4, 0, 3000, 0);
    change.puts[change.count.puts - 1].set = 0;
}

static void spoil_form(void)
{
    put_host(4, 0, 3000, 0);
    change.sets[change.count.sets - 1].locator.family = 4 | LF_FORMS << 4;
}

static void spoil_local(void)
{
    const struct lf_address none = {.family = 5};

    change_local(&change, &none, 0);
}

static void spoil_local_length(void)
{
    const struct lf_address own = {.bytes = {10, 9, 8}, .family = 4};

    change_local(&change, &own, 0);
    change_local_prefix(&change, 16, 0);
}

static void spoil_tunnels(void)
{
    put_host(4, 0, 3000, 0);
    change.sets[change.count.sets - 1].set.tunnels = 2;
}

static const struct {
    void (*spoil)(void);
    enum lf_error error;
    enum lf_part part;
} mistakes[] = {
    {spoil_prefix_length, LF_PREFIX_LENGTH, LF_PART_WITHDRAW}, {spoil_twice, LF_PREFIX_TWICE, LF_PART_WITHDRAW},
    {spoil_twice_anew, LF_PREFIX_TWICE, LF_PART_PUT},          {spoil_twice_by_one, LF_PREFIX_TWICE, LF_PART_PUT},
    {spoil_twice_new, LF_PREFIX_TWICE, LF_PART_WITHDRAW},      {spoil_absent, LF_PREFIX_ABSENT, LF_PART_WITHDRAW},
    {spoil_slot, LF_SLOT_RANGE, LF_PART_SOURCE},               {spoil_slot_twice, LF_SLOT_TWICE, LF_PART_SOURCE},
    {spoil_set, LF_SET_UNKNOWN, LF_PART_PUT},                  {spoil_own_set, LF_SET_UNKNOWN, LF_PART_PUT},
    {spoil_set_twice, LF_SET_TWICE, LF_PART_SET},              {spoil_in_use, LF_SET_TWICE, LF_PART_SET_WITHDRAWAL},
    {spoil_absent_set, LF_SET_UNKNOWN, LF_PART_SET_WITHDRAWAL}, {spoil_kind, LF_MALFORMED, LF_PART_BUFFER},
    {spoil_locators, LF_LOCATORS_EMPTY, LF_PART_PUT},          {spoil_form, LF_MALFORMED, LF_PART_BUFFER},
    {spoil_local, LF_MALFORMED, LF_PART_BUFFER},               {spoil_local_length, LF_PREFIX_LENGTH, LF_PART_LOCAL},
    {spoil_tunnels, LF_MALFORMED, LF_PART_BUFFER},
};

static void make_mistakes(const struct seen *before)
{
    static struct seen after;

    for (unsigned i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        struct lf_problem problem;

        change_everything();
        mistakes[i].spoil();
        problem = change_commit(&change, table);
        CHECK(problem.error == mistakes[i].error && problem.part == mistakes[i].part);
        see(&after);
        CHECK(memcmp(before, &after, sizeof after) == 0);
    }
}

/* Cut anywhere, with a byte too many, and lying anywhere in memory. */
static void cut_off(const struct seen *before)
{
    static struct seen after;
    size_t length;

    change_everything();
    length = change_end(&change);
    for (size_t i = 0; i <= length + 1; i += i < 64 ? 1 : 37) {
        uint8_t *copy = malloc(i + 1); /* no byte more than it is said to have */

        CHECK(copy);
        copy[i] = 0;
        memcpy(copy + 1, change.buffer, i < length ? i : length);
        if (i != length)
            CHECK(lf_table_commit_packed(table, copy + 1, i).error == LF_MALFORMED);
        free(copy);
    }
    see(&after);
    CHECK(memcmp(before, &after, sizeof after) == 0);
}

/* Bytes changed anywhere: refused or taken, never half of it. */
static unsigned damage(void)
{
    enum { TRIES = 300 };
    static struct seen before, after;
    unsigned taken = 0;
    uint64_t state = 1;

    for (unsigned i = 0; i < TRIES; i++) {
        size_t length;

        change_everything();
        length = change_end(&change);
        for (unsigned changes = 0; changes < 1 + i % 3; changes++) {
            state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
            change.buffer[(state >> 33) % length] ^= (uint8_t)(1u << (state >> 20) % 8);
        }
        see(&before);
        if (lf_table_commit_packed(table, change.buffer, length).error == LF_OK) {
            taken++;
            lf_table_free(table);
            table = lf_table_new(1, 5);
            CHECK(table);
            begin();
            continue;
        }
        see(&after);
        CHECK(memcmp(&before, &after, sizeof after) == 0);
    }
    return taken;
}

int main(void)
{
    static struct seen before, after;
    unsigned refused;

    table = lf_table_new(1, 5);
    CHECK(table);
    begin();
    see(&before);
    make_mistakes(&before);
    cut_off(&before);
    CHECK(damage() > 0);
    see(&before);
    refused = run_out_of_memory(&before);
    see(&after);
    CHECK(after.rows == before.rows + HOSTS / 4 + 59 && memcmp(&before, &after, sizeof after) != 0);
    CHECK(after.ifindex[2] == 13 && refused > 20);
    lf_table_free(table);
    printf("%u allocations failed\n", refused);
    return 0;
}
