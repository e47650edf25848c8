/* One thread with its TUN queue and its sockets: packets out, packets in, and sleep. */
#ifndef LF_WORKER_H
#define LF_WORKER_H

#include <pthread.h>
#include <stdatomic.h>

#include "arena.h"
#include "coalesce.h"
#include "counters.h"
#include "forward.h"
#include "icmp.h"
#include "hints.h"
#include "inbox.h"
#include "native.h"
#include "outbox.h"
#include "peers.h"
#include "pool.h"
#include "ring.h"
#include "staging.h"
#include "table.h"
#include "tun.h"

struct lf_worker {
    /* Shared with the control thread. */
    struct lf_ring ring;
    struct lf_peers peers;
    struct lf_counters counters;
    _Atomic(bool) stop;
    _Atomic(bool) tun_lost;
    _Atomic(unsigned) waiting; /* frames in the stage, stored before the worker sleeps */
    int wake;                  /* eventfd: written to make the worker look round */
    int punted;                /* eventfd of the engine: written after a punt */
    pthread_t thread;

    /* The worker's own. */
    unsigned number;
    bool mss_clamp;
    struct lf_features features; /* as found at the start */
    struct lf_table *table;
    struct lf_view view;
    struct lf_recent recent; /* of the way out */
    uint64_t now_ms;
    int epoll;
    struct lf_tun tun;
    struct lf_udp udp[2]; /* IPv4, IPv6 */
    struct lf_arena arena;
    size_t mark; /* the arena up to here is the frame in hand and those before it, beyond is scratch */
    struct lf_outbox outboxes[2];
    struct lf_inbox inbox;
    struct lf_coalescer *coalescer;
    struct lf_pool pool;
    struct lf_stage stage;
    struct lf_marks marks;
    struct lf_marks rumours; /* by kind of punt in place of an instance-ID: they cannot crowd out misses */
    bool judges;             /* what headers say */
    struct lf_hints hints;
    struct lf_native native;
    struct lf_bucket answers;
    uint64_t repeat_ms; /* when to punt again what still waits in the stage */
};

/* Opens sockets and takes memory; does not start. 0 with `*worker`, or an errno. `shared`: further workers are on the
 * same ports; `segments`: what lf_probe_segments found. The TUN descriptor and `punted` stay the caller's. Ended by
 * lf_worker_free once the thread has ended. */
struct lf_worker_config {
    unsigned number;
    struct lf_table *table;
    int tun;
    int punted;
    bool shared;
    unsigned segments;
    const struct lf_options *options;
};
int lf_worker_new(struct lf_worker **worker, const struct lf_worker_config *config);
void lf_worker_free(struct lf_worker *worker);

/* Starts the thread; 0 or an errno. `end` stops and joins it. `wake` makes it look round. All for the control thread. */
int lf_worker_start(struct lf_worker *worker);
void lf_worker_end(struct lf_worker *worker);
void lf_worker_wake(struct lf_worker *worker);

static inline void lf_worker_drop(struct lf_worker *worker, enum lf_reason reason, size_t packets)
{
    lf_count(&worker->counters.drops[reason], packets);
}

/* Tells the control thread something; false where the ring is full. */
bool lf_worker_punt(struct lf_worker *worker, const struct lf_punt *punt);

/* outbound.c. `read` takes a batch from the TUN, false once the device is gone; `release` forwards what the stage holds
 * and the table now matches; `expire` drops what waited too long; `repeat` punts what still waits and was not
 * punted within a second. */
bool lf_outbound_read(struct lf_worker *worker);
void lf_outbound_release(struct lf_worker *worker);
void lf_outbound_expire(struct lf_worker *worker);
void lf_outbound_repeat(struct lf_worker *worker);

/* departure.c. `depart` puts a frame that is to be encapsulated into an outbox, in as many datagrams as it takes; `flush`
 * sends them and punts what the network said; `listen` only hears what it says. `answer` writes an ICMP message to the TUN,
 * within a rate: the sender may be this host or one behind it. `scratch` gives memory that lasts until the flush, beyond the
 * frame in hand. */
void lf_depart(struct lf_worker *worker, const struct lf_frame *frame, struct lf_packet *packet,
               const struct lf_route *route);
void lf_depart_flush(struct lf_worker *worker);
uint8_t *lf_depart_scratch(struct lf_worker *worker, size_t size);
void lf_depart_listen(struct lf_worker *worker, unsigned family, int fd);
void lf_depart_answer(struct lf_worker *worker, uint8_t *message, size_t length);

/* inbound.c. Receives a batch on a socket and delivers it to the TUN; `vxlan` for the port of VXLAN-GPE. */
void lf_inbound_receive(struct lf_worker *worker, int fd, bool vxlan);

#endif
