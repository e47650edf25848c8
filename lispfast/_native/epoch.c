#include "epoch.h"

#include <stdlib.h>

/* Ours: a queue up to this long stays, for the next commit. */
enum { ROOM_MIN = 64, ROOM_KEPT = 1024 };

void lf_epoch_init(struct lf_epoch *epoch, unsigned readers, void *owner)
{
    for (unsigned i = 0; i < LF_READERS_MAX; i++)
        atomic_init(&epoch->readers[i].pin, LF_ASLEEP);
    atomic_init(&epoch->current, 1);
    epoch->count = readers;
    epoch->queue = NULL;
    epoch->room = epoch->first = epoch->waiting = epoch->bytes = 0;
    epoch->again = false;
    epoch->owner = owner;
}

/* A writer that scanned the pins just before ours was stored may have freed what `number` shows; it had published
 * before it scanned, so loading `current` again after the store tells. */
uint64_t lf_epoch_pin(struct lf_epoch *epoch, unsigned reader)
{
    uint64_t number = atomic_load_explicit(&epoch->current, memory_order_seq_cst);

    for (;;) {
        atomic_store_explicit(&epoch->readers[reader].pin, number, memory_order_seq_cst);

        uint64_t newest = atomic_load_explicit(&epoch->current, memory_order_seq_cst);

        if (newest == number)
            return number;
        number = newest;
    }
}

void lf_epoch_sleep(struct lf_epoch *epoch, unsigned reader)
{
    atomic_store_explicit(&epoch->readers[reader].pin, LF_ASLEEP, memory_order_seq_cst);
}

uint64_t lf_epoch_newest(const struct lf_epoch *epoch)
{
    return atomic_load_explicit(&epoch->current, memory_order_seq_cst);
}

uint64_t lf_epoch_next(const struct lf_epoch *epoch)
{
    /* The writer reads what it alone writes. */
    return atomic_load_explicit(&epoch->current, memory_order_relaxed) + 1;
}

void lf_epoch_publish(struct lf_epoch *epoch)
{
    atomic_store_explicit(&epoch->current, lf_epoch_next(epoch), memory_order_seq_cst);
}

bool lf_epoch_reserve(struct lf_epoch *epoch, size_t more)
{
    size_t room = epoch->room ? epoch->room : ROOM_MIN;
    struct lf_retired *queue;

    if (epoch->room && epoch->waiting + more <= epoch->room)
        return true;
    while (room < epoch->waiting + more)
        room *= 2;
    queue = malloc(room * sizeof *queue);
    if (!queue)
        return false;
    for (size_t i = 0; i < epoch->waiting; i++)
        queue[i] = epoch->queue[(epoch->first + i) & (epoch->room - 1)];
    free(epoch->queue);
    epoch->queue = queue;
    epoch->room = room;
    epoch->first = 0;
    return true;
}

void lf_epoch_retire(struct lf_epoch *epoch, void *thing, size_t bytes, lf_release release)
{
    epoch->queue[(epoch->first + epoch->waiting) & (epoch->room - 1)] =
        (struct lf_retired){.number = lf_epoch_next(epoch), .thing = thing, .release = release, .bytes = bytes};
    epoch->waiting++;
    epoch->bytes += bytes;
    epoch->again = true;
}

/* The newest number that every reader has passed. One that sleeps, or wakes while we scan, sees `current` or newer. */
static uint64_t passed(const struct lf_epoch *epoch)
{
    uint64_t oldest = atomic_load_explicit(&epoch->current, memory_order_seq_cst);

    for (unsigned i = 0; i < epoch->count; i++) {
        uint64_t pin = atomic_load_explicit(&epoch->readers[i].pin, memory_order_seq_cst);

        if (pin < oldest)
            oldest = pin;
    }
    return oldest;
}

bool lf_epoch_settled(const struct lf_epoch *epoch)
{
    return passed(epoch) == lf_epoch_newest(epoch);
}

static void release_up_to(struct lf_epoch *epoch, uint64_t number)
{
    while (epoch->waiting && epoch->queue[epoch->first].number <= number) {
        const struct lf_retired due = epoch->queue[epoch->first];

        epoch->first = (epoch->first + 1) & (epoch->room - 1);
        epoch->waiting--;
        epoch->bytes -= due.bytes;
        due.release(epoch->owner, due.thing);
    }
}

static void free_queue(struct lf_epoch *epoch)
{
    free(epoch->queue);
    epoch->queue = NULL;
    epoch->room = epoch->first = 0;
}

void lf_epoch_reclaim(struct lf_epoch *epoch)
{
    for (int round = 0; round < 2 && epoch->waiting; round++) {
        epoch->again = false;
        release_up_to(epoch, passed(epoch));
        if (!epoch->again)
            break;
        lf_epoch_publish(epoch); /* what was just unlinked waits for a number of its own */
    }
    if (!epoch->waiting && epoch->room > ROOM_KEPT)
        free_queue(epoch);
}

void lf_epoch_drain(struct lf_epoch *epoch)
{
    release_up_to(epoch, UINT64_MAX);
    free_queue(epoch);
}
