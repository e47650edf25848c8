/* How long things live, under ASan: a number is free again when every reader has passed and not before, counters are
 * kept while a prefix lives and added up after, a replaced set is every prefix's at once, what waits is bounded, and a
 * space without prefixes goes. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "change.h"
#include "engine.h"

enum { NAMED = 9 };

#define CHECK(condition) \
    do \
        if (!(condition)) { \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            abort(); \
        } \
    while (0)

static struct change change;

static struct lf_address host(unsigned number)
{
    const uint8_t bytes[4] = {10, (uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number};

    return lf_address_make(4, bytes);
}

static struct lf_locator locator(uint16_t port)
{
    return (struct lf_locator){.address = host(port), .port = port, .priority = 1};
}

static enum lf_error put(struct lf_table *table, unsigned number, uint16_t port)
{
    const struct lf_address network = host(number);
    const struct lf_locator to = locator(port);

    change_begin(&change);
    change_put(&change, 0, &network, 32, &to);
    return change_commit(&change, table).error;
}

static enum lf_error withdraw(struct lf_table *table, unsigned number)
{
    const struct lf_address network = host(number);

    change_begin(&change);
    change_withdraw(&change, 0, &network, 32);
    return change_commit(&change, table).error;
}

static struct lf_view pin(struct lf_table *table, unsigned reader)
{
    return (struct lf_view){.table = table, .pin = lf_epoch_pin(&table->epoch, reader)};
}

static uint32_t value_of(struct lf_view view, unsigned number)
{
    uint32_t address = 10u << 24 | number, value;

    lf_table_find4(view, 0, &address, &value, 1);
    return value;
}

static uint16_t port_of(struct lf_view view, unsigned number)
{
    const struct lf_match match = lf_table_match(view, value_of(view, number));

    return match.locators ? match.locators->locator[0].port : 0;
}

static void numbers(void)
{
    struct lf_table *table = lf_table_new(2, 1);
    struct lf_view early;
    uint32_t first;

    CHECK(table && put(table, 1, 1) == LF_OK);
    early = pin(table, 0);
    first = value_of(early, 1);
    CHECK(first && port_of(early, 1) == 1);
    CHECK(put(table, 1, 2) == LF_OK && put(table, 1, 3) == LF_OK);
    CHECK(value_of(lf_table_view(table), 1) == first);
    CHECK(withdraw(table, 1) == LF_OK && put(table, 1, 4) == LF_OK && put(table, 2, 5) == LF_OK);
    CHECK(port_of(early, 1) == 1 && port_of(early, 2) == 0);
    CHECK(value_of(lf_table_view(table), 1) != first && value_of(lf_table_view(table), 2) != first);
    (void)pin(table, 1); /* one that has passed does not let it go while the other has not */
    CHECK(lf_table_reclaim(table) > 0 && port_of(early, 1) == 1);
    lf_epoch_sleep(&table->epoch, 0);
    CHECK(lf_table_reclaim(table) == 0);
    CHECK(put(table, 3, 6) == LF_OK && value_of(lf_table_view(table), 3) == first);
    CHECK(port_of(lf_table_view(table), 1) == 4);
    lf_epoch_sleep(&table->epoch, 1);
    lf_table_free(table);
}

static void use(struct lf_table *table, uint32_t value, unsigned worker, uint64_t now_ms)
{
    struct lf_usage *usage = lf_prefix_usage(&table->prefixes, value, worker);

    lf_count(&usage->packets, 1);
    lf_count(&usage->bytes, 100);
    atomic_store_explicit(&usage->last_ms, now_ms, memory_order_relaxed);
    lf_usage_changed(usage, now_ms);
}

static size_t used_since(struct lf_table *table, uint64_t since_ms, struct lf_usage_row *rows, size_t room)
{
    uint32_t from = 0;

    return lf_table_usage(table, since_ms, &from, rows, room);
}

static void counters(void)
{
    enum { MANY = 1000, SLICE = 7 };
    struct lf_table *table = lf_table_new(2, 1);
    struct lf_usage_row rows[MANY];
    uint32_t value, from = 0;
    size_t count, sum = 0;

    CHECK(table);
    for (unsigned i = 1; i <= MANY; i++)
        CHECK(put(table, i, 1) == LF_OK);
    CHECK(used_since(table, 0, rows, MANY) == 0);
    value = value_of(lf_table_view(table), 500);
    use(table, value, 0, 20);
    use(table, value, 1, 30);
    use(table, value_of(lf_table_view(table), 900), 1, 25);
    lf_usage_drop(lf_prefix_usage(&table->prefixes, value_of(lf_table_view(table), 70), 0), 3, 28);
    CHECK(put(table, 500, 2) == LF_OK && put(table, 500, 3) == LF_OK); /* whatever replaces its verdict */
    CHECK(used_since(table, 0, rows, MANY) == 3 && used_since(table, 26, rows, MANY) == 2);
    CHECK(rows[0].key.high >> 32 == (10u << 24 | 70) && rows[0].use.drops == 3 && rows[0].use.last_ms == 0);
    CHECK(rows[1].value == value && rows[1].use.packets == 2 && rows[1].use.bytes == 200 && rows[1].use.last_ms == 30);
    CHECK(used_since(table, 31, rows, MANY) == 0);
    for (unsigned i = 1; i <= MANY; i++)
        use(table, value_of(lf_table_view(table), i), i % 2, 40);
    do
        sum += count = lf_table_usage(table, 40, &from, rows, SLICE);
    while (count == SLICE);
    CHECK(sum == MANY);
    CHECK(lf_table_left(table).packets == 0);
    CHECK(withdraw(table, 500) == LF_OK && lf_table_reclaim(table) == 0);
    CHECK(lf_table_left(table).packets == 3 && lf_table_left(table).bytes == 300);
    CHECK(put(table, 500, 1) == LF_OK && value_of(lf_table_view(table), 500) == value);
    CHECK(lf_table_use(table, lf_table_prefix(table, value)).packets == 0); /* another life */
    CHECK(used_since(table, 1, rows, MANY) == MANY - 1);
    lf_table_free(table);
}

static void sets(void)
{
    enum { MANY = 50 };
    struct lf_table *table = lf_table_new(1, 1);
    struct lf_locator to = locator(1);
    struct lf_view early;

    CHECK(table);
    change_begin(&change);
    change_set(&change, NAMED, &to);
    for (unsigned i = 0; i < MANY; i++) {
        const struct lf_address network = host(i);

        change_put_set(&change, 0, &network, 32, NAMED);
    }
    CHECK(change_commit(&change, table).error == LF_OK);
    early = pin(table, 0);
    to = locator(2);
    change_begin(&change);
    change_set(&change, NAMED, &to);
    CHECK(change_commit(&change, table).error == LF_OK);
    for (unsigned i = 0; i < MANY; i++)
        CHECK(port_of(early, i) == 1 && port_of(lf_table_view(table), i) == 2);
    change_begin(&change);
    change_set_withdraw(&change, NAMED);
    CHECK(change_commit(&change, table).error == LF_SET_IN_USE);
    change_begin(&change); /* with the last of its prefixes, some replaced and some gone */
    change_set_withdraw(&change, NAMED);
    for (unsigned i = 0; i < MANY; i++) {
        const struct lf_address network = host(i);

        if (i % 2)
            change_put(&change, 0, &network, 32, &to);
        else
            change_withdraw(&change, 0, &network, 32);
    }
    CHECK(change_commit(&change, table).error == LF_OK);
    for (unsigned i = 0; i < MANY; i++)
        CHECK(port_of(early, i) == 1);
    lf_epoch_sleep(&table->epoch, 0);
    CHECK(lf_table_reclaim(table) == 0 && table->sets.live == 0);
    lf_table_free(table);
}

/* A reader that does not pass: by count for one table, by bytes for another, whose prefixes come and go. */
static void bounds(void)
{
    struct lf_table *table = lf_table_new(1, 1);
    const struct lf_locator to = locator(1);
    const struct lf_address steady = host(1);
    struct lf_view early;
    unsigned commits = 0;
    enum lf_error error;

    CHECK(table && put(table, 1, 1) == LF_OK);
    early = pin(table, 0);
    change_begin(&change);
    change_set(&change, NAMED, &to);
    for (unsigned i = 0; i < LF_SLOTS; i++)
        change_source(&change, (uint8_t)i, &steady, i);
    while ((error = change_commit(&change, table).error) == LF_OK)
        commits++;
    CHECK(error == LF_WAITING && commits > LF_WAITING_MAX / 80 && table->epoch.waiting <= LF_WAITING_MAX);
    CHECK(table->epoch.bytes <= LF_WAITING_BYTES && port_of(early, 1) == 1);
    CHECK(put(table, 2, 2) == LF_WAITING || table->epoch.waiting + 16 < LF_WAITING_MAX);
    lf_epoch_sleep(&table->epoch, 0);
    CHECK(put(table, 2, 2) == LF_OK && change_commit(&change, table).error == LF_OK && lf_table_reclaim(table) == 0);
    early = pin(table, 0);
    for (commits = 0; (error = put(table, 10 + commits % 2000, 3)) == LF_OK; commits++)
        if (commits % 2000 == 1999)
            for (unsigned i = 0; i < 2000; i++)
                CHECK((error = withdraw(table, 10 + i)) == LF_OK || error == LF_WAITING);
    CHECK((error == LF_WAITING || error == LF_PREFIX_ABSENT) && table->epoch.bytes <= LF_WAITING_BYTES);
    CHECK(port_of(early, 1) == 1);
    lf_epoch_sleep(&table->epoch, 0);
    CHECK(lf_table_reclaim(table) == 0 && table->epoch.bytes == 0);
    lf_table_free(table);
}

static void spaces(void)
{
    struct lf_table *table = lf_table_new(1, 1);

    CHECK(table);
    for (unsigned iid = 0; iid < 5000; iid++) {
        const struct lf_address network = host(iid);
        const struct lf_locator to = locator(1);

        change_begin(&change);
        change_put(&change, iid, &network, 32, &to);
        CHECK(change_commit(&change, table).error == LF_OK);
        change_begin(&change);
        change_withdraw(&change, iid, &network, 32);
        CHECK(change_commit(&change, table).error == LF_OK);
    }
    CHECK(lf_table_reclaim(table) == 0 && table->spaces.live == 0 && table->prefixes.live == 0);
    CHECK(table->prefixes.fresh < 10);
    lf_table_free(table);
}

static _Atomic(bool) full;

static void *pass_when_full(void *engine)
{
    while (!atomic_load(&full))
        ;
    lf_epoch_sleep(&lf_engine_table(engine)->epoch, 0);
    return NULL;
}

/* An engine waits for a worker that is about to pass, and gives up on one that does not. */
static void patience(void)
{
    const struct lf_options options = {.port = 4341, .source_ports = 1};
    const struct lf_address steady = host(1);
    const int none[1] = {-1};
    struct lf_engine *engine = lf_engine_new(none, 1, &options);
    pthread_t thread;
    size_t length;
    enum lf_error error;

    CHECK(engine);
    (void)lf_epoch_pin(&lf_engine_table(engine)->epoch, 0);
    change_begin(&change);
    for (unsigned i = 0; i < LF_SLOTS; i++)
        change_source(&change, (uint8_t)i, &steady, i);
    length = change_end(&change);
    while ((error = lf_engine_commit_packed(engine, change.buffer, length).error) == LF_OK)
        ;
    CHECK(error == LF_WAITING);
    CHECK(pthread_create(&thread, NULL, pass_when_full, engine) == 0);
    atomic_store(&full, true);
    CHECK(lf_engine_commit_packed(engine, change.buffer, length).error == LF_OK);
    pthread_join(thread, NULL);
    CHECK(lf_table_reclaim(lf_engine_table(engine)) == 0);
    lf_engine_free(engine);
}

int main(void)
{
    numbers();
    counters();
    sets();
    bounds();
    spaces();
    patience();
    printf("all lives\n");
    return 0;
}
