#define _GNU_SOURCE
#include "worker.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* What an event is about: its kind, and of a socket its family (0 IPv4, 1 IPv6), which one, and which of a port's two. */
enum { EVENT_WAKE, EVENT_TUN, EVENT_RECEIVE, EVENT_VXLAN, EVENT_PORT };
enum { FAMILY_SHIFT = 8, PORT_SHIFT = 16, ALONE_SHIFT = 24, EVENTS = 16 };

/* Ours: below the priority that a shell's user would choose by hand, above everything that does not ask. */
enum { NICENESS = -10 };

static int watch(struct lf_worker *worker, int fd, uint32_t events, uint32_t about)
{
    struct epoll_event interest = {.events = events, .data.u32 = about};

    if (fd < 0)
        return 0;
    return epoll_ctl(worker->epoll, EPOLL_CTL_ADD, fd, &interest) ? errno : 0;
}

/* The sending sockets are watched for what the network says, which comes unasked. */
static int watch_ports(struct lf_worker *worker, unsigned family)
{
    const struct lf_udp *udp = &worker->udp[family];
    int error = 0;

    for (unsigned i = 0; i <= LF_PORTS_MAX && !error; i++) {
        const struct lf_port *port = &udp->ports[i];
        uint32_t about = EVENT_PORT | family << FAMILY_SHIFT | i << PORT_SHIFT;

        if (port->run != udp->receive)
            error = watch(worker, port->run, 0, about);
        if (!error && port->alone != port->run)
            error = watch(worker, port->alone, 0, about | UINT32_C(1) << ALONE_SHIFT);
    }
    return error;
}

static int open_family(struct lf_worker *worker, const struct lf_worker_config *config, unsigned family)
{
    struct lf_udp *udp = &worker->udp[family];
    int error = lf_udp_open(udp, family ? 6 : 4, config->options, config->shared, &worker->features);

    if (!error)
        error = watch(worker, udp->receive, EPOLLIN, EVENT_RECEIVE | family << FAMILY_SHIFT);
    if (!error)
        error = watch(worker, udp->vxlan, EPOLLIN, EVENT_VXLAN | family << FAMILY_SHIFT);
    return error ? error : watch_ports(worker, family);
}

static int open_descriptors(struct lf_worker *worker, const struct lf_worker_config *config)
{
    int error;

    worker->epoll = epoll_create1(EPOLL_CLOEXEC);
    worker->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (worker->epoll < 0 || worker->wake < 0)
        return errno;
    if (!lf_tun_prepare(&worker->tun, config->tun, config->options, &worker->features))
        return errno;
    error = watch(worker, worker->wake, EPOLLIN, EVENT_WAKE);
    if (!error)
        error = watch(worker, worker->tun.fd, EPOLLIN, EVENT_TUN);
    for (unsigned family = 0; family < 2 && !error; family++)
        error = open_family(worker, config, family);
    if (!error && config->options->native)
        error = lf_native_open(&worker->native);
    return error;
}

static bool take_memory(struct lf_worker *worker, const struct lf_worker_config *config)
{
    const struct lf_options *options = config->options;
    bool runs = options->offload && options->checksum != LF_CHECKSUM_ZERO;
    bool enough = lf_pool_init(&worker->pool, LF_STAGE_PACKETS);

    worker->features.segments = runs ? config->segments : 1;
    enough = lf_arena_init(&worker->arena) && enough;
    enough = lf_inbox_init(&worker->inbox) && enough;
    for (unsigned i = 0; i < 2; i++)
        enough = lf_outbox_init(&worker->outboxes[i], &worker->udp[i], options, worker->features.segments,
                                &worker->counters) &&
                 enough;
    worker->coalescer = malloc(sizeof *worker->coalescer);
    if (worker->coalescer)
        lf_coalesce_init(worker->coalescer, worker->features.tso, worker->features.uso);
    return enough && worker->coalescer;
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
    worker->punted = config->punted;
    worker->mss_clamp = config->options->mss_clamp;
    worker->judges = config->options->hints;
    lf_native_clear(&worker->native);
    worker->features.gro = config->options->offload;
    worker->epoll = worker->wake = -1;
    for (unsigned i = 0; i < 2; i++)
        lf_udp_clear(&worker->udp[i], i ? 6 : 4);
    error = open_descriptors(worker, config);
    if (!error && !take_memory(worker, config))
        error = ENOMEM;
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
        lf_udp_close(&worker->udp[i]);
    }
    lf_native_close(&worker->native);
    free(worker->coalescer);
    lf_inbox_close(&worker->inbox);
    lf_arena_close(&worker->arena);
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

static void handle_tun(struct lf_worker *worker)
{
    if (lf_outbound_read(worker))
        return;
    /* A descriptor in error is always ready: leave it, or the worker spins. */
    (void)epoll_ctl(worker->epoll, EPOLL_CTL_DEL, worker->tun.fd, NULL);
    atomic_store_explicit(&worker->tun_lost, true, memory_order_relaxed);
}

static void handle(struct lf_worker *worker, const struct epoll_event *event)
{
    unsigned kind = event->data.u32 & 0xff, family = event->data.u32 >> FAMILY_SHIFT & 0xff;
    const struct lf_udp *udp = &worker->udp[family];
    const struct lf_port *port = &udp->ports[event->data.u32 >> PORT_SHIFT & 0xff];
    int fd = event->data.u32 >> ALONE_SHIFT ? port->alone : port->run;
    uint64_t ignored;

    switch (kind) {
    case EVENT_WAKE:
        (void)!read(worker->wake, &ignored, sizeof ignored);
        return;
    case EVENT_TUN:
        handle_tun(worker);
        return;
    case EVENT_RECEIVE:
    case EVENT_VXLAN:
        fd = kind == EVENT_VXLAN ? udp->vxlan : udp->receive;
        if (event->events & EPOLLIN)
            lf_inbound_receive(worker, fd, kind == EVENT_VXLAN);
        break;
    default:
        break;
    }
    if (event->events & EPOLLERR)
        lf_depart_listen(worker, family, fd);
}

/* One round: pin, what the stage holds first, then one batch of each descriptor that is ready, so that no direction
 * starves the other. */
static void look_round(struct lf_worker *worker, const struct epoll_event *events, int count)
{
    uint64_t before = worker->view.pin;

    read_clock(worker);
    worker->view.pin = lf_epoch_pin(&worker->table->epoch, worker->number);
    worker->outboxes[0].waits = worker->outboxes[1].waits = 0;
    if (worker->stage.count) {
        if (worker->view.pin != before)
            lf_outbound_release(worker);
        lf_outbound_expire(worker);
        if (worker->now_ms >= worker->repeat_ms)
            lf_outbound_repeat(worker);
    }
    for (int i = 0; i < count; i++)
        handle(worker, &events[i]);
    lf_epoch_sleep(&worker->table->epoch, worker->number);
}

/* A worker feeds the applications, one of which every packet that it delivers wakes. As a batch thread it does not interrupt
 * whoever produces packets, and finds more of them at once; with some priority it is not interrupted at each one that it
 * delivers (measured without offloads, all in one session: 25 % more TCP). Both are wishes: without the right to it the worker runs as it is. */
static void prefer_batches(void)
{
    const struct sched_param none = {0};

    (void)sched_setscheduler(0, SCHED_BATCH, &none);
    (void)setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), NICENESS);
}

static void *run(void *argument)
{
    struct lf_worker *worker = argument;
    struct epoll_event events[EVENTS];

    prefer_batches();
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
