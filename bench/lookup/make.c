/* make FILE FAMILY PREFIXES mixed|hosts HITS MISSES SEED: draws a cell (cell.h) from a seeded generator.
 *
 * The answers come from the plainest method there is: every prefix in one hash table, and a key is looked for with every
 * length that the table has, the longest first. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cell.h"
#include "draw.h"

struct maker {
    struct lf_draw draw;
    struct lf_cell_prefix *prefix;
    size_t count, wanted;
    uint32_t *place; /* the hash table: number of a prefix, 0 where free */
    size_t mask;
    uint64_t of_length[129];
};

static _Noreturn void give_up(const char *why)
{
    printf("reason=%s\n", why);
    exit(1);
}

static void *room_for(size_t count, size_t size)
{
    void *room = calloc(count, size);

    if (!room)
        give_up("no memory");
    return room;
}

static size_t hash(struct lf_bits bits, unsigned length)
{
    uint64_t mixed = (bits.high ^ length) * UINT64_C(0x9e3779b97f4a7c15);

    mixed = (mixed ^ mixed >> 32 ^ bits.low) * UINT64_C(0xbf58476d1ce4e5b9);
    return (size_t)(mixed ^ mixed >> 29);
}

/* Where this prefix stands in the hash table, or where it would. */
static uint32_t *place_of(const struct maker *maker, struct lf_bits bits, unsigned length)
{
    for (size_t at = hash(bits, length);; at++) {
        uint32_t *place = &maker->place[at & maker->mask];
        const struct lf_cell_prefix *there = *place ? &maker->prefix[*place - 1] : NULL;

        if (!there || (there->length == length && there->bits.high == bits.high && there->bits.low == bits.low))
            return place;
    }
}

static void draw_prefixes(struct maker *maker)
{
    while (maker->count < maker->wanted) {
        unsigned length = lf_draw_length(&maker->draw);

        if (maker->of_length[length] >= lf_draw_most(&maker->draw, length))
            continue;
        struct lf_bits bits = lf_draw_prefix(&maker->draw, length);
        uint32_t *place = place_of(maker, bits, length);
        if (*place != 0)
            continue;
        maker->prefix[maker->count] =
            (struct lf_cell_prefix){.bits = bits, .length = length, .number = (uint32_t)maker->count + 1};
        *place = (uint32_t)++maker->count;
        maker->of_length[length]++;
    }
}

/* The longest prefix that holds the address and is longer than `above`, 0 for none. */
static uint32_t longest(const struct maker *maker, struct lf_bits address, int above)
{
    for (int length = (int)maker->draw.bits; length > above; length--) {
        uint32_t number;

        if (maker->of_length[length] == 0)
            continue;
        number = *place_of(maker, lf_draw_first(address, (unsigned)length), (unsigned)length);
        if (number != 0)
            return number;
    }
    return 0;
}

static bool is_miss(const struct maker *maker, struct lf_bits address)
{
    for (unsigned length = 0; length <= maker->draw.bits; length++) /* short ones hold most: the other way round is slow */
        if (maker->of_length[length] && *place_of(maker, lf_draw_first(address, length), length) != 0)
            return false;
    return true;
}

static void put_key(const struct maker *maker, void *keys, size_t number, struct lf_bits key)
{
    if (maker->draw.family == 4)
        ((uint32_t *)keys)[number] = (uint32_t)(key.high >> 32);
    else
        ((struct lf_bits *)keys)[number] = key;
}

static void draw_hits(struct maker *maker, void *keys, uint32_t *expected, size_t count)
{
    for (size_t number = 0; number < count; number++) {
        uint32_t drawn = (uint32_t)lf_draw_below(&maker->draw, maker->count);
        const struct lf_cell_prefix *prefix = &maker->prefix[drawn];
        struct lf_bits key = lf_draw_within(&maker->draw, prefix->bits, prefix->length);
        uint32_t longer = longest(maker, key, (int)prefix->length);

        put_key(maker, keys, number, key);
        expected[number] = longer ? longer : drawn + 1;
    }
}

/* Ours. Where the table leaves this little room inside the sites, the misses are all outside. */
enum { TRIES = 4096 };

static void draw_misses(struct maker *maker, void *keys, size_t count)
{
    bool inside_full = false;

    for (size_t number = 0; number < count; number++) {
        bool inside = number % 2 == 0 && !inside_full;
        struct lf_bits key = lf_draw_miss(&maker->draw, inside);

        for (unsigned tries = 0; !is_miss(maker, key); tries++) {
            if (tries == TRIES) {
                if (!inside)
                    give_up("no address is outside the prefixes");
                inside = false;
                inside_full = true;
            }
            key = lf_draw_miss(&maker->draw, inside);
        }
        put_key(maker, keys, number, key);
    }
    if (inside_full)
        printf("misses_inside=0\n");
}

static void write_all(FILE *file, const void *data, size_t size, size_t count)
{
    if (fwrite(data, size, count, file) != count)
        give_up("the file cannot be written");
}

static void make(struct maker *maker, const char *path, const struct lf_cell_head *head)
{
    size_t key = lf_key_size(head->family);
    void *hits = room_for(head->hits + 1, key), *misses = room_for(head->misses + 1, key);
    uint32_t *expected = room_for(head->hits + 1, sizeof(*expected));
    FILE *file = fopen(path, "wb");

    if (!file)
        give_up("the file cannot be written");
    draw_prefixes(maker);
    draw_hits(maker, hits, expected, head->hits);
    draw_misses(maker, misses, head->misses);
    write_all(file, head, sizeof(*head), 1);
    write_all(file, maker->prefix, sizeof(*maker->prefix), head->prefixes);
    write_all(file, hits, key, head->hits);
    write_all(file, expected, sizeof(*expected), head->hits);
    write_all(file, misses, key, head->misses);
    if (fclose(file) != 0)
        give_up("the file cannot be written");
}

int main(int count, char **words)
{
    struct lf_cell_head head = {.magic = LF_CELL_MAGIC};
    struct maker maker;

    if (count != 8) {
        fprintf(stderr, "make FILE 4|6 PREFIXES mixed|hosts HITS MISSES SEED\n");
        return 2;
    }
    head.family = (uint32_t)atoi(words[2]);
    head.prefixes = strtoull(words[3], NULL, 10);
    head.hosts = strcmp(words[4], "hosts") == 0;
    head.hits = strtoull(words[5], NULL, 10);
    head.misses = strtoull(words[6], NULL, 10);
    head.seed = strtoull(words[7], NULL, 10);
    if (head.prefixes == 0 || head.prefixes > LF_VALUE_MAX)
        give_up("a table has 1 to 16,777,215 prefixes");
    maker = (struct maker){.wanted = head.prefixes, .mask = 1};
    while (maker.mask < 3 * maker.wanted)
        maker.mask *= 2;
    maker.mask--;
    maker.place = room_for(maker.mask + 1, sizeof(*maker.place));
    maker.prefix = room_for(maker.wanted, sizeof(*maker.prefix));
    lf_draw_begin(&maker.draw, (uint8_t)head.family, head.hosts, head.seed);
    make(&maker, words[1], &head);
    return 0;
}
