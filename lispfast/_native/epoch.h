/* Who may still see what: version numbers, the pins of readers, and what waits to be freed.
 *
 * There is one writer. Each change of the table has a number; the writer makes it whole and then publishes the number.
 * A reader pins the newest number once a batch and sees the table as it was at that number. What a change took out is
 * freed when every reader has pinned that number or a later one; a reader that sleeps does not hold anything up.
 *
 * Orders: `current` and `pin` are stored and loaded sequentially consistent, so that of a reader that wakes and a writer
 * that scans the pins at least one sees the other. Everything reached through a published pointer is released by the
 * store of that pointer.
 */
#ifndef LF_EPOCH_H
#define LF_EPOCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Ours. */
enum { LF_READERS_MAX = 64 };

struct lf_epoch;

/* Stands first in whatever is to be freed later, so that retiring needs no memory. */
struct lf_retired {
    struct lf_retired *next;
    uint64_t epoch;
    void (*release)(struct lf_epoch *epoch, struct lf_retired *retired);
};

struct lf_reader {
    _Alignas(64) _Atomic(uint64_t) pin; /* LF_ASLEEP or the number seen */
};

struct lf_epoch {
    struct lf_reader readers[LF_READERS_MAX];
    _Alignas(64) _Atomic(uint64_t) current;
    struct lf_retired *first; /* by rising epoch; the writer's alone, as all below */
    struct lf_retired **last;
    size_t waiting;
    bool again; /* a release retired something that only a further number lets go */
    void *owner;
};

#define LF_ASLEEP UINT64_MAX

void lf_epoch_init(struct lf_epoch *epoch, void *owner);

/* For readers. Returns the number that this reader sees from now until it pins again or sleeps. */
uint64_t lf_epoch_pin(struct lf_epoch *epoch, unsigned reader);
void lf_epoch_sleep(struct lf_epoch *epoch, unsigned reader);

/* For readers: the newest number, not pinned. */
uint64_t lf_epoch_newest(struct lf_epoch *epoch);

/* For the writer. `publish` makes the next number the current one. `retire` has `release` called once every reader has
 * passed `number`, which must not fall from one call to the next. `reclaim` calls what is due. `drain` calls everything;
 * no reader may be left. */
uint64_t lf_epoch_next(const struct lf_epoch *epoch);
void lf_epoch_publish(struct lf_epoch *epoch);
void lf_epoch_retire(struct lf_epoch *epoch, struct lf_retired *retired, uint64_t number,
                     void (*release)(struct lf_epoch *, struct lf_retired *));
void lf_epoch_reclaim(struct lf_epoch *epoch);
void lf_epoch_drain(struct lf_epoch *epoch);

#endif
