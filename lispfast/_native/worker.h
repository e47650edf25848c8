/* One thread with its TUN queue and its sockets: packets out, packets in, and sleep. */
#ifndef LF_WORKER_H
#define LF_WORKER_H

#include <pthread.h>
#include <stdatomic.h>

#include "counters.h"
#include "icmp.h"
#include "inbox.h"
#include "outbox.h"
#include "peers.h"
#include "pool.h"
#include "ring.h"
#include "staging.h"
#include "table.h"

struct lf_worker {
    /* Shared with the control thread. */
    struct lf_ring ring;
    struct lf_peers peers;
    struct lf_counters counters;
    _Atomic(bool) stop;
    _Atomic(bool) tun_lost;
    _Atomic(unsigned) waiting; /* packets in the stage, stored before the worker sleeps */
    int wake;                  /* eventfd: written to make the worker look round */
    int punted;                /* eventfd of the engine: written after a punt */
    pthread_t thread;

    /* The worker's own. */
    unsigned number;
    struct lf_table *table;
    struct lf_view view;
    uint64_t now_ms;
    int tun;
    int epoll;
    struct lf_udp udp[2]; /* IPv4, IPv6 */
    struct lf_outbox outboxes[2];
    struct lf_inbox inboxes[2];
    struct lf_pool pool;
    struct lf_stage stage;
    struct lf_marks marks;
    struct lf_bucket answers;
    uint64_t repeat_ms; /* when to punt again what still waits in the stage */
};

/* Opens sockets and takes memory; does not start. 0 with `*worker`, or an errno. `shared`: further workers are on the
 * same port. The TUN descriptor and `punted` stay the caller's. Ended by lf_worker_free once the thread has ended. */
struct lf_worker_config {
    unsigned number;
    struct lf_table *table;
    int tun;
    int punted;
    uint16_t port;
    bool shared;
};
int lf_worker_new(struct lf_worker **worker, const struct lf_worker_config *config);
void lf_worker_free(struct lf_worker *worker);

/* Starts the thread; 0 or an errno. `end` stops and joins it. `wake` makes it look round. All for the control thread. */
int lf_worker_start(struct lf_worker *worker);
void lf_worker_end(struct lf_worker *worker);
void lf_worker_wake(struct lf_worker *worker);

static inline void lf_worker_drop(struct lf_worker *worker, enum lf_reason reason)
{
    lf_count(&worker->counters.drops[reason], 1);
}

/* outbound.c. `read` takes a batch from the TUN, false once the device is gone; `release` forwards what the stage holds
 * and the table now matches; `expire` drops what waited too long; `repeat` punts what still waits and was not
 * punted within a second; `flush` sends. */
bool lf_outbound_read(struct lf_worker *worker);
void lf_outbound_release(struct lf_worker *worker);
void lf_outbound_expire(struct lf_worker *worker);
void lf_outbound_repeat(struct lf_worker *worker);
void lf_outbound_flush(struct lf_worker *worker);

/* inbound.c. Receives a batch of a family (0 IPv4, 1 IPv6) and delivers it to the TUN. */
void lf_inbound_receive(struct lf_worker *worker, unsigned family);

#endif
