/* One writer and one reader on the ring of punts and on the table of peers, under TSan: every record arrives whole, in
 * order and once, and a peer is never a mix of two. Usage: ring COUNT. */
#define _GNU_SOURCE
#include "ring.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "peers.h"

#define CHECK(condition) \
    do \
        if (!(condition)) { \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            abort(); \
        } \
    while (0)

static struct lf_ring ring;
static struct lf_peers peers;
static unsigned count = 50000;

/* Every byte says the same, so that a mix of two shows. */
static struct lf_address same(unsigned number)
{
    struct lf_address address = {.family = 6};

    memset(address.bytes, (int)(number & 0xff), sizeof address.bytes);
    return address;
}

static void *write_all(void *argument)
{
    for (unsigned number = 0; number < count; number++) {
        const struct lf_punt punt = {.destination = same(number), .iid = number, .when_ns = number};

        while (!lf_ring_put(&ring, &punt))
            sched_yield();
        lf_peers_heard(&peers, &punt.destination, number + 1);
    }
    return argument;
}

static void look_at_peers(void)
{
    for (unsigned place = 0; place < LF_PEERS; place++) {
        struct lf_address address;
        uint64_t last;

        if (!lf_peers_read(&peers, place, &address, &last))
            continue;

        const struct lf_address whole = same(address.bytes[0]);

        CHECK(lf_address_equal(&address, &whole));
    }
}

int main(int argc, char **argv)
{
    pthread_t writer;
    unsigned full = 0;

    if (argc > 1)
        count = (unsigned)strtoul(argv[1], NULL, 0);
    CHECK(pthread_create(&writer, NULL, write_all, NULL) == 0);
    for (unsigned number = 0; number < count;) {
        const struct lf_punt *punt = lf_ring_oldest(&ring);

        if (!punt) {
            look_at_peers();
            sched_yield();
            continue;
        }

        const struct lf_address expected = same(number);

        CHECK(punt->iid == number && punt->when_ns == number);
        CHECK(lf_address_equal(&punt->destination, &expected));
        lf_ring_take(&ring);
        number++;
        full += number % LF_RING == 0;
    }
    pthread_join(writer, NULL);
    CHECK(!lf_ring_oldest(&ring));
    printf("%u punts, %u times round\n", count, full);
    return 0;
}
