#define _GNU_SOURCE
#include "worker.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "tun.h"

/* Ours: buffers for a full stage, two full outboxes and the one in hand. */
enum { BUFFERS = LF_STAGE_PACKETS + 2 * LF_BATCH + 1 };

enum { EVENT_WAKE, EVENT_TUN, EVENT_UDP4, EVENT_UDP6, EVENTS };

static int watch(struct lf_worker *worker, int fd, uint32_t event)
{
    struct epoll_event interest = {.events = EPOLLIN, .data.u32 = event};

    return epoll_ctl(worker->epoll, EPOLL_CTL_ADD, fd, &interest) ? errno : 0;
}

static int open_sockets(struct lf_worker *worker, const struct lf_worker_config *config)
{
    worker->epoll = epoll_create1(EPOLL_CLOEXEC);
    worker->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (worker->epoll < 0 || worker->wake < 0)
        return errno;
    if (!lf_tun_prepare(worker->tun))
        return errno;

    int error = watch(worker, worker->wake, EVENT_WAKE);

    if (!error)
        error = watch(worker, worker->tun, EVENT_TUN);
    for (unsigned i = 0; i < 2 && !error; i++) {
        error = lf_udp_open(&worker->udp[i], i ? 6 : 4, config->port, config->shared);
        if (!error && worker->udp[i].fd >= 0)
            error = watch(worker, worker->udp[i].fd, EVENT_UDP4 + i);
    }
    return error;
}

static bool take_memory(struct lf_worker *worker)
{
    bool enough = lf_pool_init(&worker->pool, BUFFERS);

    for (unsigned i = 0; i < 2; i++) {
        enough = lf_outbox_init(&worker->outboxes[i], &worker->udp[i]) && enough;
        enough = lf_inbox_init(&worker->inboxes[i], &worker->udp[i]) && enough;
    }
    return enough;
}

int lf_worker_new(struct lf_worker **made, const struct lf_worker_config *config)
{
    struct lf_worker *worker;
    int error = posix_memalign((void **)&worker, 64, sizeof *worker);

    if (error)
        return error;
    memset(worker, 0, sizeof *worker);
    worker->number = config->number;
    worker->table = config->table;
    worker->tun = config->tun;
    worker->punted = config->punted;
    worker->epoll = worker->wake = worker->udp[0].fd = worker->udp[1].fd = -1;
    error = take_memory(worker) ? open_sockets(worker, config) : ENOMEM;
    if (error) {
        lf_worker_free(worker);
        return error;
    }
    *made = worker;
    return 0;
}

void lf_worker_free(struct lf_worker *worker)
{
    if (!worker)
        return;
    for (unsigned i = 0; i < 2; i++) {
        lf_outbox_close(&worker->outboxes[i]);
        lf_inbox_close(&worker->inboxes[i]);
        lf_udp_close(&worker->udp[i]);
    }
    lf_pool_close(&worker->pool);
    if (worker->epoll >= 0)
        close(worker->epoll);
    if (worker->wake >= 0)
        close(worker->wake);
    free(worker);
}

static void read_clock(struct lf_worker *worker)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    worker->now_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* How long to sleep, -1 for ever. A commit that did not see our stage filled is one that we see here: both sides store
 * before they load, sequentially consistent. */
static int sleep_ms(struct lf_worker *worker)
{
    const struct lf_staged *oldest = lf_stage_oldest(&worker->stage);

    atomic_store_explicit(&worker->waiting, worker->stage.count, memory_order_seq_cst);
    if (!oldest)
        return -1;
    if (lf_epoch_newest(&worker->table->epoch) != worker->view.pin)
        return 0;

    uint64_t expiry = oldest->since_ms + LF_STAGE_MS;
    uint64_t next = worker->repeat_ms < expiry ? worker->repeat_ms : expiry;

    return next > worker->now_ms ? (int)(next - worker->now_ms) : 0;
}

static void handle(struct lf_worker *worker, uint32_t event)
{
    uint64_t ignored;

    switch (event) {
    case EVENT_WAKE:
        (void)!read(worker->wake, &ignored, sizeof ignored);
        break;
    case EVENT_TUN:
        if (!lf_outbound_read(worker)) {
            /* A descriptor in error is always ready: leave it, or the worker spins. */
            (void)epoll_ctl(worker->epoll, EPOLL_CTL_DEL, worker->tun, NULL);
            atomic_store_explicit(&worker->tun_lost, true, memory_order_relaxed);
        }
        lf_outbound_flush(worker);
        break;
    default:
        lf_inbound_receive(worker, event - EVENT_UDP4);
    }
}

/* One round: pin, what the stage holds first, then one batch of each descriptor that is ready, so that no direction
 * starves the other. */
static void look_round(struct lf_worker *worker, const struct epoll_event *events, int count)
{
    uint64_t before = worker->view.pin;

    read_clock(worker);
    worker->view.pin = lf_epoch_pin(&worker->table->epoch, worker->number);
    if (worker->stage.count) {
        if (worker->view.pin != before)
            lf_outbound_release(worker);
        lf_outbound_expire(worker);
        if (worker->now_ms >= worker->repeat_ms)
            lf_outbound_repeat(worker);
        lf_outbound_flush(worker);
    }
    for (int i = 0; i < count; i++)
        handle(worker, events[i].data.u32);
    lf_epoch_sleep(&worker->table->epoch, worker->number);
}

static void *run(void *argument)
{
    struct lf_worker *worker = argument;
    struct epoll_event events[EVENTS];

    worker->view = (struct lf_view){.table = worker->table, .pin = 0};
    read_clock(worker);
    while (!atomic_load_explicit(&worker->stop, memory_order_acquire))
        look_round(worker, events, epoll_wait(worker->epoll, events, EVENTS, sleep_ms(worker)));
    return NULL;
}

int lf_worker_start(struct lf_worker *worker)
{
    sigset_t all, before;
    char name[16];
    int error;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the control thread's */
    error = pthread_create(&worker->thread, NULL, run, worker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error)
        return error;
    snprintf(name, sizeof name, "lispfast-%u", worker->number % 1000);
    pthread_setname_np(worker->thread, name);
    return 0;
}

void lf_worker_wake(struct lf_worker *worker)
{
    const uint64_t one = 1;

    (void)!write(worker->wake, &one, sizeof one);
}

void lf_worker_end(struct lf_worker *worker)
{
    atomic_store_explicit(&worker->stop, true, memory_order_release);
    lf_worker_wake(worker);
    pthread_join(worker->thread, NULL);
}
