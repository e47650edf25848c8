#define _GNU_SOURCE
#include <time.h>
#include <unistd.h>

#include "tun.h"
#include "worker.h"

/* A packet's journey out: read with headroom in front -> checked -> matched -> LISP header in front -> outbox -> sent.
 * Without a mapping it goes to the stage, its EID to the control thread, and it comes back in by `release`. */

/* Ours: how soon a full ring is tried again. */
enum { RING_RETRY_MS = 50 };

static void punt(struct lf_worker *worker, const struct lf_staged *packet)
{
    const uint64_t one = 1;
    struct timespec now;

    if (lf_marks_hold(&worker->marks, packet->iid, &packet->destination, worker->now_ms))
        return;
    clock_gettime(CLOCK_MONOTONIC, &now);

    const struct lf_punt record = {.destination = packet->destination,
                                   .source = packet->source,
                                   .iid = packet->iid,
                                   .when_ns = (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec};

    if (!lf_ring_put(&worker->ring, &record)) {
        worker->repeat_ms = worker->now_ms + RING_RETRY_MS;
        return;
    }
    lf_marks_set(&worker->marks, packet->iid, &packet->destination, worker->now_ms);
    lf_count(&worker->counters.punts, 1);
    (void)!write(worker->punted, &one, sizeof one); /* full means that it is readable already */
}

static void drop_oldest(struct lf_worker *worker, enum lf_reason reason)
{
    const struct lf_staged oldest = lf_stage_pop(&worker->stage);

    lf_pool_give(&worker->pool, oldest.buffer);
    lf_worker_drop(worker, reason);
}

static void stage(struct lf_worker *worker, uint8_t *buffer, const struct lf_packet *packet, uint32_t iid)
{
    const struct lf_staged staged = {.buffer = buffer,
                                     .data = packet->data,
                                     .length = packet->length,
                                     .since_ms = worker->now_ms,
                                     .iid = iid,
                                     .destination = packet->destination,
                                     .source = packet->source};

    while (!lf_stage_room(&worker->stage, packet->length))
        drop_oldest(worker, LF_STAGE_FULL);
    if (worker->stage.count == 0)
        worker->repeat_ms = worker->now_ms + LF_MARK_MS;
    lf_stage_push(&worker->stage, &staged);
    lf_count(&worker->counters.staged, 1);
    punt(worker, &staged);
}

static void answer(struct lf_worker *worker, const struct lf_packet *packet, enum lf_icmp_unreachable code)
{
    uint8_t message[LF_ICMP_MAX];
    size_t length = lf_icmp_unreachable(message, packet, code);

    if (length && lf_bucket_take(&worker->answers, worker->now_ms) && !lf_tun_write(worker->tun, message, length))
        lf_worker_drop(worker, LF_TUN_REFUSED);
}

static void encapsulate(struct lf_worker *worker, uint8_t *buffer, const struct lf_packet *packet,
                 const struct lf_route *route)
{
    struct lf_outbox *outbox = &worker->outboxes[route->locator->address.family == 6];
    const struct lf_parcel parcel = {.buffer = buffer,
                                     .datagram = packet->data - LF_HEADER,
                                     .length = packet->length + LF_HEADER,
                                     .usage = &route->prefix->usage[worker->number]};

    lf_encap_header(parcel.datagram, route->locator, packet->family);
    if (lf_outbox_full(outbox))
        lf_outbox_flush(outbox, &worker->pool, &worker->counters, worker->now_ms);
    lf_outbox_add(outbox, &parcel, route, packet);
}

/* Carries out a verdict other than resolve; the buffer goes back to the pool or into an outbox. */
static void dispatch(struct lf_worker *worker, uint8_t *buffer, const struct lf_packet *packet,
                     const struct lf_route *route)
{
    enum lf_reason reason = LF_MAPPING_DROP;

    if (route->kind == LF_ENCAPSULATE && route->locator) {
        encapsulate(worker, buffer, packet, route);
        return;
    }
    if (route->kind == LF_ENCAPSULATE) {
        reason = LF_NO_LOCATOR;
    } else if (route->kind == LF_NATIVE) {
        answer(worker, packet, LF_ICMP_NO_ROUTE);
        reason = LF_NATIVE_UNAVAILABLE;
    } else if (route->kind == LF_REJECT) {
        answer(worker, packet, (enum lf_icmp_unreachable)route->reject_code);
        reason = LF_MAPPING_REJECT;
    }
    lf_worker_drop(worker, reason);
    lf_count(&route->prefix->usage[worker->number].drops, 1);
    lf_pool_give(&worker->pool, buffer);
}

static void forward(struct lf_worker *worker, uint8_t *buffer, uint8_t *data, size_t length)
{
    struct lf_packet packet;
    uint32_t iid;
    enum lf_reason reason = lf_encap_check(worker->view, data, length, &packet, &iid);

    if (reason != LF_PASS) {
        lf_worker_drop(worker, reason);
        lf_pool_give(&worker->pool, buffer);
        return;
    }

    const struct lf_route route = lf_forward(worker->view, iid, &packet);

    if (route.kind == LF_RESOLVE)
        stage(worker, buffer, &packet, iid);
    else
        dispatch(worker, buffer, &packet, &route);
}

bool lf_outbound_read(struct lf_worker *worker)
{
    for (unsigned i = 0; i < LF_BATCH; i++) {
        uint8_t *buffer = lf_pool_take(&worker->pool);
        uint8_t *data = buffer + LF_HEADROOM;
        size_t length = 0;
        enum lf_tun_read got = lf_tun_read(worker->tun, data, LF_PACKET_MAX, &length);

        if (got != LF_TUN_PACKET) {
            lf_pool_give(&worker->pool, buffer);
            return got == LF_TUN_EMPTY;
        }
        forward(worker, buffer, data, length);
    }
    return true;
}

/* The packet was checked when it came; what is checked again is whether its source is still ours. */
static bool take_matched(void *context, const struct lf_staged *staged)
{
    struct lf_worker *worker = context;
    struct lf_packet packet;
    uint32_t iid;
    enum lf_reason reason = lf_encap_check(worker->view, staged->data, staged->length, &packet, &iid);

    if (reason != LF_PASS) {
        lf_worker_drop(worker, reason);
        lf_pool_give(&worker->pool, staged->buffer);
        return true;
    }

    const struct lf_route route = lf_forward(worker->view, iid, &packet);

    if (route.kind == LF_RESOLVE)
        return false;
    lf_marks_clear(&worker->marks, staged->iid, &staged->destination);
    dispatch(worker, staged->buffer, &packet, &route);
    return true;
}

void lf_outbound_release(struct lf_worker *worker)
{
    lf_stage_sweep(&worker->stage, take_matched, worker);
}

void lf_outbound_expire(struct lf_worker *worker)
{
    const struct lf_staged *oldest;

    while ((oldest = lf_stage_oldest(&worker->stage)) && worker->now_ms - oldest->since_ms >= LF_STAGE_MS)
        drop_oldest(worker, LF_STAGE_AGED);
}

static bool punt_waiting(void *context, const struct lf_staged *packet)
{
    punt(context, packet);
    return false;
}

void lf_outbound_repeat(struct lf_worker *worker)
{
    worker->repeat_ms = worker->now_ms + LF_MARK_MS;
    lf_stage_sweep(&worker->stage, punt_waiting, worker);
}

void lf_outbound_flush(struct lf_worker *worker)
{
    for (unsigned i = 0; i < 2; i++)
        lf_outbox_flush(&worker->outboxes[i], &worker->pool, &worker->counters, worker->now_ms);
}
