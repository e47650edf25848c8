/* One writer and two readers on one table, under TSan and under ASan. Every transaction gives a set of prefixes, the
 * own EIDs and a source slot the same generation; a reader that sees two of them differ has seen half a transaction.
 * Around them prefixes come and go, so that pieces of tries and numbers are made and freed. Usage: table ROUNDS. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "change.h"

enum { READERS = 2, STEADY = 8, PASSING = 64, NAMED = 77 };

#define CHECK(condition) \
    do \
        if (!(condition)) { \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            abort(); \
        } \
    while (0)

static struct lf_table *table;
static _Atomic(bool) done;

static struct lf_address eid(unsigned number)
{
    const uint8_t bytes[4] = {10, (uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number};

    return lf_address_make(4, bytes);
}

static struct lf_locator locator(unsigned generation)
{
    return (struct lf_locator){.address = eid(generation), .port = (uint16_t)generation, .priority = 1};
}

static void pass(struct change *change, const struct lf_address *network, uint8_t length, unsigned generation,
                 bool there)
{
    const struct lf_locator to = locator(generation);

    if (there)
        change_withdraw(change, 0, network, length);
    else
        change_put(change, 0, network, length, &to);
}

/* Generation g: the steady prefixes, of which half refer to one named set, one local EID and slot 0 say g; the g-th
 * passing prefix comes or goes. Every fourth transaction fails at its last item and must leave no trace. */
static void commit(unsigned generation)
{
    static struct change change;
    const unsigned passing = generation % PASSING, number = 0x1000 + passing * 256;
    const uint8_t length = (uint8_t)(24 + passing % 9);
    const struct lf_address own = eid(generation), network = eid(number), stranger = eid(0x900000);
    const bool there = generation / PASSING % 2 != 0, fails = generation % 4 == 3;
    const struct lf_locator to = locator(fails ? 0xffff : generation);

    change_begin(&change);
    change_set(&change, NAMED, &to);
    for (unsigned i = 0; i < STEADY; i++) {
        const struct lf_address steady = eid(i);

        if (i % 2 == 0)
            change_put(&change, 0, &steady, 32, &to);
        else if (generation < 8) /* later the set alone says it */
            change_put_set(&change, 0, &steady, 32, NAMED);
    }
    pass(&change, &network, length, generation, there);
    change_local(&change, &own, 0);
    change_source(&change, 0, &own, generation);
    if (fails)
        change_withdraw(&change, 0, &stranger, 32);
    CHECK(change_commit(&change, table).error == (fails ? LF_PREFIX_ABSENT : LF_OK));
    if (fails) {
        change_begin(&change);
        pass(&change, &network, length, generation, there);
        CHECK(change_commit(&change, table).error == LF_OK);
    }
}

static void look(struct lf_view view, unsigned long *seen)
{
    const struct lf_source *source = lf_table_source(view, 0);

    if (!source)
        return;

    unsigned generation = source->ifindex;
    const struct lf_address own = eid(generation);

    CHECK(lf_locals_source(lf_table_locals(view), &own));
    for (unsigned i = 0; i < STEADY; i++) {
        const struct lf_address address = eid(i);
        const struct lf_match match = lf_table_lookup(view, 0, &address);

        CHECK(match.locators && match.locators->locator[0].port == (uint16_t)generation);
    }
    for (unsigned i = 0; i < PASSING; i++) {
        const struct lf_address address = eid(0x1000 + i * 256);
        const struct lf_match match = lf_table_lookup(view, 0, &address);

        CHECK(!match.locators || match.locators->locator[0].port <= generation + 1);
    }
    ++*seen;
}

static void *read_all(void *argument)
{
    unsigned reader = *(unsigned *)argument;
    unsigned long *seen = calloc(1, sizeof *seen);

    for (unsigned round = 0; !atomic_load(&done); round++) {
        const struct lf_view view = {.table = table, .pin = lf_epoch_pin(&table->epoch, reader)};

        look(view, seen);
        if (round % 3 == 0)
            lf_epoch_sleep(&table->epoch, reader);
    }
    lf_epoch_sleep(&table->epoch, reader);
    return seen;
}

int main(int argc, char **argv)
{
    unsigned rounds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 0) : 2000, numbers[READERS];
    unsigned long *seen[READERS];
    pthread_t threads[READERS];

    table = lf_table_new(READERS, 5);
    for (unsigned i = 0; i < READERS; i++) {
        numbers[i] = i;
        CHECK(pthread_create(&threads[i], NULL, read_all, &numbers[i]) == 0);
    }
    for (unsigned generation = 0; generation < rounds; generation++)
        commit(generation);
    atomic_store(&done, true);
    for (unsigned i = 0; i < READERS; i++)
        pthread_join(threads[i], (void **)&seen[i]);
    lf_table_reclaim(table);
    CHECK(lf_table_reclaim(table) == 0); /* everybody sleeps: nothing waits */
    printf("%lu and %lu looks\n", *seen[0], *seen[1]);
    CHECK(*seen[0] > 0 && *seen[1] > 0);
    free(seen[0]);
    free(seen[1]);
    lf_table_free(table);
    return 0;
}
