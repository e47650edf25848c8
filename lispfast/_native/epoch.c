#include "epoch.h"

void lf_epoch_init(struct lf_epoch *epoch, void *owner)
{
    for (unsigned i = 0; i < LF_READERS_MAX; i++)
        atomic_init(&epoch->readers[i].pin, LF_ASLEEP);
    atomic_init(&epoch->current, 1);
    epoch->first = NULL;
    epoch->last = &epoch->first;
    epoch->waiting = 0;
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

uint64_t lf_epoch_newest(struct lf_epoch *epoch)
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

void lf_epoch_retire(struct lf_epoch *epoch, struct lf_retired *retired, uint64_t number,
                     void (*release)(struct lf_epoch *, struct lf_retired *))
{
    retired->next = NULL;
    retired->epoch = number;
    retired->release = release;
    *epoch->last = retired;
    epoch->last = &retired->next;
    epoch->waiting++;
    if (number >= lf_epoch_next(epoch))
        epoch->again = true;
}

/* The newest number that every reader has passed. One that sleeps, or wakes while we scan, sees `current` or newer. */
static uint64_t passed(struct lf_epoch *epoch)
{
    uint64_t oldest = atomic_load_explicit(&epoch->current, memory_order_seq_cst);

    for (unsigned i = 0; i < LF_READERS_MAX; i++) {
        uint64_t pin = atomic_load_explicit(&epoch->readers[i].pin, memory_order_seq_cst);

        if (pin < oldest)
            oldest = pin;
    }
    return oldest;
}

static void release_up_to(struct lf_epoch *epoch, uint64_t number)
{
    while (epoch->first && epoch->first->epoch <= number) {
        struct lf_retired *retired = epoch->first;

        epoch->first = retired->next;
        if (!epoch->first)
            epoch->last = &epoch->first;
        epoch->waiting--;
        retired->release(epoch, retired);
    }
}

void lf_epoch_reclaim(struct lf_epoch *epoch)
{
    for (int round = 0; round < 2; round++) {
        if (!epoch->first)
            return;
        epoch->again = false;
        release_up_to(epoch, passed(epoch));
        if (!epoch->again)
            return;
        lf_epoch_publish(epoch); /* what was just unlinked waits for a number of its own */
    }
}

void lf_epoch_drain(struct lf_epoch *epoch)
{
    while (epoch->first)
        release_up_to(epoch, UINT64_MAX);
}
