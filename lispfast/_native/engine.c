#define _GNU_SOURCE
#include "engine.h"

#include <errno.h>
#include <linux/random.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "probe.h"
#include "steer.h"
#include "worker.h"

/* Ours: how long a commit waits for workers to pass. A worker's batch takes a few milliseconds at the worst. */
enum { PASS_WAIT_US = 500, PASS_WAITS = 1000 };

struct lf_engine {
    struct lf_table *table;
    struct lf_worker *workers[LF_READERS_MAX];
    int tuns[LF_READERS_MAX];
    unsigned count;
    struct lf_options options;
    struct lf_features features;
    int punted;
    bool running;
    bool stopped;
    uint64_t wrong_checksums; /* of the network namespace at the start */
    struct lf_totals ended;   /* what workers had counted when they were freed */
};

struct lf_engine *lf_engine_new(const int *tuns, unsigned workers, const struct lf_options *options)
{
    struct lf_engine *engine = calloc(1, sizeof *engine);
    uint64_t seed = 0;

    if (!engine || workers > LF_READERS_MAX) {
        free(engine);
        return NULL;
    }
    /* Not the libc's getrandom: glibc has it since 2.25, the oldest wheel's is 2.17. */
    (void)syscall(SYS_getrandom, &seed, sizeof seed, GRND_NONBLOCK);
    engine->count = workers;
    engine->options = *options;
    engine->table = lf_table_new(workers, seed);
    engine->punted = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    for (unsigned i = 0; i < workers; i++)
        engine->tuns[i] = tuns[i];
    if (!engine->table || engine->punted < 0) {
        lf_engine_free(engine);
        return NULL;
    }
    return engine;
}

static void free_workers(struct lf_engine *engine)
{
    for (unsigned i = 0; i < engine->count; i++) {
        lf_worker_free(engine->workers[i]);
        engine->workers[i] = NULL;
    }
}

static int start_threads(struct lf_engine *engine)
{
    for (unsigned i = 0; i < engine->count; i++) {
        int error = lf_worker_start(engine->workers[i]);

        if (error) {
            while (i-- > 0)
                lf_worker_end(engine->workers[i]);
            return error;
        }
    }
    return 0;
}

/* Both directions of a flow at one worker, where there are several. */
static void steer(struct lf_engine *engine)
{
    int error = lf_steer_tun(engine->tuns[0], engine->count);

    for (unsigned i = 0; i < 2; i++) {
        const struct lf_udp *udp = &engine->workers[0]->udp[i];

        if (udp->receive >= 0 && !error)
            error = lf_steer_udp(udp->receive, engine->count);
        if (udp->vxlan >= 0 && !error)
            error = lf_steer_udp(udp->vxlan, engine->count);
    }
    engine->features.steered = error == 0;
    engine->features.steer_error = error;
}

int lf_engine_start(struct lf_engine *engine)
{
    unsigned segments = engine->options.offload ? lf_probe_segments() : 1;
    int error = 0;

    if (engine->running || engine->stopped)
        return EALREADY;
    engine->wrong_checksums = lf_udp_wrong_checksums();
    for (unsigned i = 0; i < engine->count && !error; i++) {
        const struct lf_worker_config config = {.number = i,
                                                .table = engine->table,
                                                .tun = engine->tuns[i],
                                                .punted = engine->punted,
                                                .shared = engine->count > 1,
                                                .segments = segments,
                                                .options = &engine->options};

        error = lf_worker_new(&engine->workers[i], &config);
    }
    if (!error) {
        engine->features = engine->workers[0]->features;
        if (engine->count > 1)
            steer(engine);
        error = start_threads(engine);
    }
    if (error)
        free_workers(engine);
    engine->running = error == 0;
    return error;
}

void lf_engine_stop(struct lf_engine *engine)
{
    if (engine->running) {
        for (unsigned i = 0; i < engine->count; i++)
            lf_worker_end(engine->workers[i]);
        engine->ended = lf_engine_totals(engine);
        free_workers(engine);
    }
    engine->running = false;
    engine->stopped = true;
    if (engine->punted >= 0)
        close(engine->punted);
    engine->punted = -1;
}

void lf_engine_free(struct lf_engine *engine)
{
    if (!engine)
        return;
    lf_engine_stop(engine);
    lf_table_free(engine->table);
    free(engine);
}

static void wake_all(struct lf_engine *engine)
{
    for (unsigned i = 0; i < engine->count && engine->running; i++)
        lf_worker_wake(engine->workers[i]);
}

/* One that is refused is tried again each time that something was freed. */
static struct lf_problem commit_patiently(struct lf_engine *engine, const void *buffer, size_t length)
{
    struct lf_problem problem = lf_table_commit_packed(engine->table, buffer, length);
    size_t waiting = engine->table->epoch.waiting;

    for (int i = 0; i < PASS_WAITS && problem.error == LF_WAITING; i++) {
        wake_all(engine);
        usleep(PASS_WAIT_US);
        if (lf_table_reclaim(engine->table) == waiting)
            continue;
        problem = lf_table_commit_packed(engine->table, buffer, length);
        waiting = engine->table->epoch.waiting;
    }
    return problem;
}

struct lf_problem lf_engine_commit_packed(struct lf_engine *engine, const void *buffer, size_t length)
{
    const struct lf_problem problem = commit_patiently(engine, buffer, length);

    for (unsigned i = 0; i < engine->count && engine->running; i++)
        if (atomic_load_explicit(&engine->workers[i]->waiting, memory_order_seq_cst))
            lf_worker_wake(engine->workers[i]);
    return problem;
}

int lf_engine_punt_fd(const struct lf_engine *engine)
{
    return engine->punted;
}

void lf_engine_punt_rearm(struct lf_engine *engine)
{
    uint64_t ignored;

    if (engine->punted >= 0)
        (void)!read(engine->punted, &ignored, sizeof ignored);
}

bool lf_engine_punt_take(struct lf_engine *engine, struct lf_punt *punt)
{
    struct lf_ring *oldest = NULL;

    for (unsigned i = 0; i < engine->count && engine->running; i++) {
        const struct lf_punt *candidate = lf_ring_oldest(&engine->workers[i]->ring);

        if (candidate && (!oldest || candidate->when_ns < lf_ring_oldest(oldest)->when_ns))
            oldest = &engine->workers[i]->ring;
    }
    if (!oldest)
        return false;
    *punt = *lf_ring_oldest(oldest);
    lf_ring_take(oldest);
    return true;
}

struct lf_table *lf_engine_table(struct lf_engine *engine)
{
    return engine->table;
}

unsigned lf_engine_workers(const struct lf_engine *engine)
{
    return engine->count;
}

/* What the kernel dropped at our sockets was either too much for the queue or had a wrong checksum. It says how many in
 * all, and how many had a wrong one among all sockets of the namespace. */
static void add_lost(const struct lf_engine *engine, struct lf_totals *totals)
{
    uint64_t lost = 0, wrong = lf_udp_wrong_checksums() - engine->wrong_checksums;

    for (unsigned i = 0; i < engine->count; i++)
        lost += lf_udp_lost(&engine->workers[i]->udp[0]) + lf_udp_lost(&engine->workers[i]->udp[1]);
    if (wrong > lost)
        wrong = lost;
    totals->drops[LF_OUTER_CHECKSUM] += wrong;
    totals->drops[LF_SOCKET_FULL] += lost - wrong;
}

struct lf_totals lf_engine_totals(const struct lf_engine *engine)
{
    struct lf_totals totals = engine->ended;

    for (unsigned i = 0; i < engine->count && engine->running; i++)
        lf_counters_add(&totals, &engine->workers[i]->counters);
    if (engine->running)
        add_lost(engine, &totals);
    return totals;
}

bool lf_engine_peer(const struct lf_engine *engine, uint32_t *place, struct lf_address *address, uint64_t *last_ms)
{
    while (engine->running && *place < engine->count * LF_PEERS) {
        uint32_t at = (*place)++;

        if (lf_peers_read(&engine->workers[at / LF_PEERS]->peers, at % LF_PEERS, address, last_ms))
            return true;
    }
    return false;
}

struct lf_features lf_engine_features(const struct lf_engine *engine)
{
    return engine->running ? engine->features : (struct lf_features){0};
}

bool lf_engine_has_family(const struct lf_engine *engine, unsigned family)
{
    return engine->running && engine->workers[0]->udp[family == 6].receive >= 0;
}

bool lf_engine_tun_lost(const struct lf_engine *engine)
{
    for (unsigned i = 0; i < engine->count && engine->running; i++)
        if (atomic_load_explicit(&engine->workers[i]->tun_lost, memory_order_relaxed))
            return true;
    return false;
}

uint64_t lf_engine_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}
