#define _GNU_SOURCE
#include "publications.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "measure.h"
#include "packing.h"

/* Ours. So many commits are timed; what is inserted stays until so many more were. */
enum { TIMED = 20000, STAY = 64 };

struct lf_publications {
    struct lf_ours *ours;
    pthread_t thread;
    _Atomic(bool) stop;
    unsigned a_second;
    size_t made;
    double seconds;
};

/* A host route of one of the misses: with it no key that hits gets another answer. */
static void visit(struct lf_ours *ours, size_t turn, bool leaves)
{
    const struct lf_cell_head *head = &ours->cell.head;
    struct lf_bits bits = lf_cell_key(ours->cell.misses, head->family, turn % head->misses);
    unsigned length = head->family == 4 ? 32 : 128;
    uint8_t buffer[LF_PACKING_ONE];

    lf_ours_commit(ours, buffer,
                   leaves ? lf_packing_withdraw(buffer, head->family, bits, length)
                          : lf_packing_put(buffer, head->family, bits, length, (uint32_t)turn));
}

static void replace(struct lf_ours *ours, size_t number)
{
    size_t at = (number * UINT64_C(0x9e3779b97f4a7c15) >> 16) % ours->cell.head.prefixes;
    const struct lf_cell_prefix *prefix = &ours->cell.prefixes[at];
    uint8_t buffer[LF_PACKING_ONE];

    lf_ours_commit(ours, buffer,
                   lf_packing_put(buffer, ours->cell.head.family, prefix->bits, prefix->length, (uint32_t)number));
}

static void publish(struct lf_ours *ours, size_t number)
{
    if (number % 2 == 0)
        replace(ours, number);
    else if (number % 4 == 1)
        visit(ours, number / 4 + STAY, false);
    else
        visit(ours, number / 4, true);
}

/* STAY visitors before the first publication, none after the last. */
static void begin_visits(struct lf_ours *ours)
{
    for (size_t turn = 0; turn < STAY; turn++)
        visit(ours, turn, false);
}

static void end_visits(struct lf_ours *ours, size_t made)
{
    for (size_t turn = made / 4; turn < (made + 2) / 4 + STAY; turn++)
        visit(ours, turn, true);
}

void lf_publications_time(struct lf_ours *ours, double *median, double *late)
{
    static double taken[TIMED];

    begin_visits(ours);
    for (size_t number = 0; number < TIMED; number++) {
        double begun = lf_clock();

        publish(ours, number);
        taken[number] = (lf_clock() - begun) * 1e6;
    }
    end_visits(ours, TIMED);
    *late = lf_share(taken, TIMED, 0.99);
    *median = lf_share(taken, TIMED, 0.5);
}

static void until(double when)
{
    struct timespec at = {.tv_sec = (time_t)when, .tv_nsec = (long)((when - (double)(time_t)when) * 1e9)};

    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

static void *work(void *context)
{
    struct lf_publications *publications = context;
    double begun;

    lf_run_aside();
    begin_visits(publications->ours);
    begun = lf_clock();
    while (!atomic_load_explicit(&publications->stop, memory_order_relaxed)) {
        publish(publications->ours, publications->made++);
        until(begun + (double)publications->made / publications->a_second); /* behind it does not wait */
    }
    publications->seconds = lf_clock() - begun;
    end_visits(publications->ours, publications->made);
    return NULL;
}

struct lf_publications *lf_publications_begin(struct lf_ours *ours, unsigned a_second)
{
    struct lf_publications *publications = calloc(1, sizeof(*publications));

    if (!publications)
        lf_refuse("no memory");
    publications->ours = ours;
    publications->a_second = a_second;
    if (pthread_create(&publications->thread, NULL, work, publications) != 0)
        lf_refuse("no thread");
    return publications;
}

double lf_publications_end(struct lf_publications *publications)
{
    double a_second;

    atomic_store_explicit(&publications->stop, true, memory_order_relaxed);
    pthread_join(publications->thread, NULL);
    a_second = (double)publications->made / publications->seconds;
    free(publications);
    return a_second;
}
