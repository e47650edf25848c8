/* Who may still see what: version numbers, the pins of readers, and what waits to be freed.
 *
 * There is one writer. Each change of the table has a number; the writer makes it whole and then publishes the number.
 * A reader pins the newest number once a batch and sees the table as it was at that number. What a change took out is
 * freed when every reader has pinned that number or a later one; a reader that sleeps does not hold anything up.
 *
 * Orders: `current` and `pin` are stored and loaded sequentially consistent, so that of a reader that wakes and a
 * writer that scans the pins at least one sees the other. Everything reached through a published pointer is released by
 * the store of that pointer. */
#ifndef LF_EPOCH_H
#define LF_EPOCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Ours. */
enum { LF_READERS_MAX = 64 };

#define LF_ASLEEP UINT64_MAX

struct lf_reader {
    _Alignas(64) _Atomic(uint64_t) pin; /* LF_ASLEEP or the number seen */
};

/* Frees a thing that nobody sees any more; may retire something else. `owner` is the one of the epoch. */
typedef void (*lf_release)(void *owner, void *thing);

struct lf_retired {
    uint64_t number;
    void *thing;
    lf_release release;
    size_t bytes;
};

struct lf_epoch {
    struct lf_reader readers[LF_READERS_MAX];
    _Alignas(64) _Atomic(uint64_t) current;
    unsigned count;            /* of readers; the writer's alone, as all below */
    struct lf_retired *queue;  /* a ring, by rising number */
    size_t room, first;        /* `room` is a power of two or 0 */
    size_t waiting, bytes;
    bool again; /* a release retired something that only a further number lets go */
    void *owner;
};

/* Readers are 0 to readers - 1. */
void lf_epoch_init(struct lf_epoch *epoch, unsigned readers, void *owner);

/* For readers. Returns the number that this reader sees from now until it pins again or sleeps. */
uint64_t lf_epoch_pin(struct lf_epoch *epoch, unsigned reader);
void lf_epoch_sleep(struct lf_epoch *epoch, unsigned reader);

/* For readers: the newest number, not pinned. */
uint64_t lf_epoch_newest(const struct lf_epoch *epoch);

/* For the writer: whether every reader sees the current number, or will when it wakes. */
bool lf_epoch_settled(const struct lf_epoch *epoch);

/* For the writer. `publish` makes the next number the current one. `reserve` makes room for `more` things to retire,
 * false where there is no memory. `retire` takes one of these places: `release` is called once every reader has passed
 * the next number; `bytes` is what that frees, about. A release that is called may retire one thing without a
 * reservation. `reclaim` calls what is due. `drain` calls everything and frees the queue; no reader may be left. */
uint64_t lf_epoch_next(const struct lf_epoch *epoch);
void lf_epoch_publish(struct lf_epoch *epoch);
bool lf_epoch_reserve(struct lf_epoch *epoch, size_t more);
void lf_epoch_retire(struct lf_epoch *epoch, void *thing, size_t bytes, lf_release release);
void lf_epoch_reclaim(struct lf_epoch *epoch);
void lf_epoch_drain(struct lf_epoch *epoch);

#endif
