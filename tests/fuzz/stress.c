/* A table under everything at once: readers that pin, look up singly and in batches, count, punt into rings that are full,
 * sleep and wake; and one writer that inserts, replaces and withdraws prefixes, one by one and many at once, replaces
 * and withdraws locator-sets, moves source slots and fails on purpose.
 *
 * Each IPv4 prefix of instance-ID 0 has a twin in IPv6 of instance-ID 5, put and withdrawn with it and sent the same way:
 * an address and its twin always have the same answer, or the reader has seen half a transaction. What readers count is
 * in the prefixes and in the totals of those that are gone. Usage: stress SEED TRANSACTIONS. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#define CHANGE_MAX 2048
#include "change.h"
#include "fuzz.h"
#include "ring.h"

enum { READERS = 4, PAIRS = 2048, BATCH = 32, SIX = 5, FEW = 8, MANY = 700, MANY_EVERY = 128 };
enum { NEVER = 0xffff }; /* the port in transactions that fail */
enum { SETS = 8, SET4 = 100, SET6 = 200, PASSING4 = 300, PASSING6 = 301 };

static const uint64_t high6 = UINT64_C(0xfd) << 56;

struct reader {
    unsigned number;
    uint64_t looks, counted;
    uint32_t punted, refused;
    uint32_t generation; /* the newest that it saw */
    uint64_t random;
    struct lf_ring ring;
};

static struct lf_table *table;
static struct reader *readers;
static _Atomic(bool) done;
static uint32_t taken[READERS];

static uint32_t draw(uint64_t *random, uint32_t below)
{
    *random = *random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((*random >> 33) % below);
}

static struct lf_address make4(uint32_t number)
{
    const uint8_t bytes[4] = {(uint8_t)(number >> 24), (uint8_t)(number >> 16), (uint8_t)(number >> 8),
                              (uint8_t)number};

    return lf_address_make(4, bytes);
}

static struct lf_address make6(uint32_t number)
{
    const uint8_t bytes[16] = {0xfd, [12] = (uint8_t)(number >> 24), (uint8_t)(number >> 16), (uint8_t)(number >> 8),
                               (uint8_t)number};

    return lf_address_make(6, bytes);
}

/* The prefixes overlap: some hold hundreds of the others. */
struct network {
    uint32_t address;
    uint8_t length;
};

static struct network network_of(unsigned pair)
{
    const uint32_t address = UINT32_C(10) << 24 | pair * 16;

    if (pair % 256 == 0)
        return (struct network){.address = address, .length = 20};
    if (pair % 32 == 0)
        return (struct network){.address = address, .length = (uint8_t)(23 + pair / 32 % 2)};
    return (struct network){.address = address, .length = (uint8_t)(28 + pair % 5)};
}

static uint32_t draw_address(uint64_t *random)
{
    return (UINT32_C(10) << 24) + draw(random, PAIRS * 16 + 64);
}

/* The writer. */

static void put_twins(struct change *change, const struct network *network, uint32_t set4, uint32_t set6)
{
    const struct lf_address four = make4(network->address), six = make6(network->address);

    change_put_set(change, 0, &four, network->length, set4);
    change_put_set(change, SIX, &six, (uint8_t)(96 + network->length), set6);
}

static void withdraw_twins(struct change *change, const struct network *network)
{
    const struct lf_address four = make4(network->address), six = make6(network->address);

    change_withdraw(change, 0, &four, network->length);
    change_withdraw(change, SIX, &six, (uint8_t)(96 + network->length));
}

static struct lf_locator locator(uint32_t generation)
{
    return (struct lf_locator){.address = make4(generation), .port = (uint16_t)(generation % NEVER), .priority = 1};
}

static void verdicts(struct change *change, uint32_t kind)
{
    for (uint32_t i = change->count.puts - 2; i < change->count.puts; i++) {
        change->puts[i].kind = (uint8_t)kind;
        change->puts[i].set = kind == LF_ENCAPSULATE ? change->puts[i].set : 0;
    }
}

/* Pairs come, change and go; `next` is what stands afterwards. */
static void change_pairs(struct change *change, uint64_t *random, uint32_t anonymous, bool *next, unsigned count)
{
    const unsigned start = draw(random, PAIRS), stride = draw(random, PAIRS / 2) * 2 + 1; /* each at most once */

    for (unsigned i = 0; i < count; i++) {
        const unsigned pair = (start + i * stride) % PAIRS, set = pair % SETS;
        const struct network network = network_of(pair);
        const bool named = draw(random, 2);

        if (next[pair] && draw(random, 2)) {
            withdraw_twins(change, &network);
            next[pair] = false;
            continue;
        }
        put_twins(change, &network, named ? SET4 + set : anonymous, named ? SET6 + set : anonymous);
        if (draw(random, 8) == 0)
            verdicts(change, LF_DROP);
        next[pair] = true;
    }
}

/* A pair of sets that come with a pair of prefixes, are replaced, and go with them. */
static void change_passing(struct change *change, uint32_t generation, const struct lf_locator *to)
{
    const struct network network = {.address = UINT32_C(12) << 24, .length = 32};

    if (generation % 4 < 2) {
        change_set(change, PASSING4, to);
        change_set(change, PASSING6, to);
    }
    if (generation % 4 == 0) {
        put_twins(change, &network, PASSING4, PASSING6);
    } else if (generation % 4 == 2) {
        withdraw_twins(change, &network);
        change_set_withdraw(change, PASSING4);
        change_set_withdraw(change, PASSING6);
    }
}

static void change_named(struct change *change, unsigned set, const struct lf_locator *to)
{
    change_set(change, SET4 + set, to);
    change_set(change, SET6 + set, to);
}

static struct lf_problem commit(struct change *change)
{
    struct lf_problem problem;

    while ((problem = change_commit(change, table)).error == LF_WAITING) {
        sched_yield();
        lf_table_reclaim(table);
    }
    return problem;
}

/* A transaction; one of five fails at its last item and is to leave no trace. */
static void change_all(uint32_t generation, uint64_t *random, bool *there)
{
    static struct change change;
    static bool next[PAIRS];
    const bool fails = draw(random, 5) == 0;
    struct lf_locator to = locator(generation);
    const struct lf_address own = make4(generation), stranger = make4(1);
    const unsigned few = 1 + draw(random, FEW);

    if (fails)
        to.port = NEVER;
    memcpy(next, there, sizeof next);
    change_begin(&change);

    const uint32_t anonymous = change_set(&change, 0, &to);

    change_named(&change, draw(random, SETS), &to);
    if (!fails)
        change_passing(&change, generation, &to);
    change_pairs(&change, random, anonymous, next, generation % MANY_EVERY == 1 ? MANY : few);
    change_local(&change, &own, 0);
    change_source(&change, 0, &own, generation);
    change_source(&change, 1, &own, generation);
    if (fails)
        change_withdraw(&change, 0, &stranger, 32);
    CHECK(commit(&change).error == (fails ? LF_PREFIX_ABSENT : LF_OK));
    if (!fails) {
        memcpy(there, next, sizeof next);
        return;
    }
    const struct lf_locator passing = locator(generation); /* which keeps step */

    change_begin(&change);
    change_passing(&change, generation, &passing);
    CHECK(commit(&change).error == LF_OK);
}

static void prepare(void)
{
    static struct change change;
    const struct network all = {.address = 0, .length = 0};
    const struct lf_locator to = locator(0);
    const struct lf_address own = make4(0);

    change_begin(&change);
    for (unsigned set = 0; set < SETS; set++)
        change_named(&change, set, &to);
    put_twins(&change, &all, 0, 0);
    verdicts(&change, LF_RESOLVE);
    change_local(&change, &own, 0);
    change_source(&change, 0, &own, 0);
    change_source(&change, 1, &own, 0);
    CHECK(commit(&change).error == LF_OK);
}

/* Takes punts too slowly: they are in order, and those that found no room are not among them. */
static void take_punts(unsigned number, unsigned count)
{
    const struct lf_punt *punt;

    while (count-- && (punt = lf_ring_oldest(&readers[number].ring))) {
        CHECK(punt->value == taken[number]++);
        lf_ring_take(&readers[number].ring);
    }
}

/* The readers. */

static void punt(struct reader *reader, uint32_t address)
{
    const struct lf_punt record = {.kind = LF_PUNT_MISS, .destination = make4(address), .value = reader->punted};

    if (lf_ring_put(&reader->ring, &record))
        reader->punted++;
    else
        reader->refused++;
}

static void compare(const struct lf_match *four, const struct lf_match *six)
{
    CHECK(four->prefix && six->prefix && four->verdict->kind == six->verdict->kind);
    CHECK(four->prefix->key.family == 4 && six->prefix->key.family == 6);
    CHECK(four->prefix->key.length + 96 == six->prefix->key.length);
    CHECK(four->prefix->key.high >> 32 == six->prefix->key.low && six->prefix->key.high == high6);
    CHECK(!four->locators == !six->locators && !four->locators == (four->verdict->kind != LF_ENCAPSULATE));
    if (four->locators) {
        CHECK(four->locators->count == 1 && four->locators->locator[0].port != NEVER);
        CHECK(four->locators->locator[0].port == six->locators->locator[0].port);
    }
}

static void look_up(struct lf_view view, struct reader *reader)
{
    uint32_t four[BATCH], values4[BATCH], values6[BATCH];
    struct lf_bits six[BATCH];

    for (unsigned i = 0; i < BATCH; i++) {
        four[i] = i ? draw_address(&reader->random) : UINT32_C(12) << 24;
        six[i] = (struct lf_bits){.high = high6, .low = four[i]};
    }
    lf_table_find4(view, 0, four, values4, BATCH);
    lf_table_find6(view, SIX, six, values6, BATCH);
    for (unsigned i = 0; i < BATCH; i++) {
        const struct lf_match match4 = lf_table_match(view, values4[i]), match6 = lf_table_match(view, values6[i]);
        struct lf_usage *usage;

        compare(&match4, &match6);
        if (i % 8 == 0) {
            const struct lf_address one = make4(four[i]), other = make6(four[i]);

            CHECK(lf_table_lookup(view, 0, &one).verdict == match4.verdict);
            CHECK(lf_table_lookup(view, SIX, &other).locators == match6.locators);
        }
        usage = lf_table_usage_of(table, match4.prefix, reader->number);
        lf_count(&usage->packets, 1);
        lf_usage_changed(usage, reader->looks + 1);
        reader->counted++;
        if (match4.verdict->kind == LF_RESOLVE)
            punt(reader, four[i]);
    }
}

static void look_round(struct lf_view view, struct reader *reader)
{
    const struct lf_source *source = lf_table_source(view, 0), *other = lf_table_source(view, 1);
    const struct lf_address own = make4(source->ifindex);

    CHECK(source->ifindex == other->ifindex && source->ifindex >= reader->generation);
    CHECK(lf_address_equal(&source->address, &own) && lf_locals_source(lf_table_locals(view), &own));
    reader->generation = source->ifindex;
}

static void *read_all(void *argument)
{
    struct reader *reader = argument;

    while (!atomic_load_explicit(&done, memory_order_relaxed)) {
        const struct lf_view view = {.table = table, .pin = lf_epoch_pin(&table->epoch, reader->number)};

        look_round(view, reader);
        look_up(view, reader);
        look_round(view, reader);
        reader->looks++;
        if (draw(&reader->random, 4) == 0) {
            lf_epoch_sleep(&table->epoch, reader->number);
            for (unsigned rest = draw(&reader->random, 4); rest; rest--)
                sched_yield();
        }
    }
    lf_epoch_sleep(&table->epoch, reader->number);
    return NULL;
}

static uint64_t counted_in_table(void)
{
    struct lf_usage_row rows[100];
    uint64_t packets = lf_table_left(table).packets;
    uint32_t from = 0;
    size_t count;

    do {
        count = lf_table_usage(table, 0, &from, rows, 100);
        for (size_t i = 0; i < count; i++)
            packets += rows[i].use.packets;
    } while (count == 100);
    return packets;
}

static void finish(const pthread_t *threads)
{
    uint64_t looks = 0, counted = 0, refused = 0;

    atomic_store_explicit(&done, true, memory_order_relaxed);
    for (unsigned i = 0; i < READERS; i++) {
        pthread_join(threads[i], NULL);
        take_punts(i, LF_RING);
        CHECK(taken[i] == readers[i].punted && readers[i].looks > 0);
        looks += readers[i].looks;
        counted += readers[i].counted;
        refused += readers[i].refused;
    }
    lf_table_reclaim(table);
    CHECK(lf_table_reclaim(table) == 0); /* everybody sleeps: nothing waits */
    CHECK(counted_in_table() == counted);
    CHECK(refused > 0);
    printf("%llu looks, %llu punts refused\n", (unsigned long long)looks, (unsigned long long)refused);
}

int main(int argc, char **argv)
{
    uint64_t random = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
    const uint32_t transactions = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 0) : 2000;
    static bool there[PAIRS];
    pthread_t threads[READERS];

    table = lf_table_new(READERS, random);
    CHECK(posix_memalign((void **)&readers, 64, READERS * sizeof *readers) == 0);
    memset(readers, 0, READERS * sizeof *readers);
    prepare();
    for (unsigned i = 0; i < READERS; i++) {
        readers[i].number = i;
        readers[i].random = random * READERS + i;
        CHECK(pthread_create(&threads[i], NULL, read_all, &readers[i]) == 0);
    }
    for (uint32_t generation = 4; generation < 4 + transactions; generation++) {
        change_all(generation, &random, there);
        take_punts(generation % READERS, 8);
    }
    finish(threads);
    lf_table_free(table);
    free(readers);
    return 0;
}
