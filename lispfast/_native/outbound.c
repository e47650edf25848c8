#define _GNU_SOURCE
#include <time.h>
#include <unistd.h>

#include "encap.h"
#include "segment.h"
#include "worker.h"

/* A packet's journey out: read with headroom in front -> checked -> matched -> departs. Without a mapping it goes to the
 * stage, its EID to the control thread, and it comes back in by `release`. */

/* Ours: how soon it is tried again to punt what found no room; how many frames one batch has, and how many bytes of them
 * wait until they are sent: one of the biggest, so that the far end can begin while we read on. And after how many bytes
 * the other direction has its turn, whose socket holds a few times as much. */
enum { RETRY_MS = 50, FRAMES = 256, BATCH_BYTES = 60 << 10, TURN_BYTES = 1 << 20 };

bool lf_worker_punt(struct lf_worker *worker, const struct lf_punt *punt)
{
    const uint64_t one = 1;
    struct lf_punt record = *punt;
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    record.when_ns = (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
    if (!lf_ring_put(&worker->ring, &record))
        return false;
    lf_count(&worker->counters.punts, 1);
    (void)!write(worker->punted, &one, sizeof one); /* full means that it is readable already */
    return true;
}

static void punt_miss(struct lf_worker *worker, const struct lf_staged *staged)
{
    const struct lf_punt punt = {.kind = LF_PUNT_MISS,
                                 .destination = staged->destination,
                                 .source = staged->source,
                                 .iid = staged->iid};

    if (lf_marks_hold(&worker->marks, staged->iid, &staged->destination, worker->now_ms))
        return;
    if (lf_marks_set(&worker->marks, staged->iid, &staged->destination, worker->now_ms)) {
        if (lf_worker_punt(worker, &punt))
            return;
        lf_marks_clear(&worker->marks, staged->iid, &staged->destination);
    }
    worker->repeat_ms = worker->now_ms + RETRY_MS;
}

static void drop_oldest(struct lf_worker *worker, enum lf_reason reason)
{
    const struct lf_staged oldest = lf_stage_pop(&worker->stage);

    lf_pool_give(&worker->pool, oldest.buffer);
    lf_worker_drop(worker, reason, 1);
}

static void stage(struct lf_worker *worker, const struct lf_frame *frame, const struct lf_packet *packet, uint32_t iid)
{
    struct lf_staged staged = {.frame = *frame,
                               .since_ms = worker->now_ms,
                               .iid = iid,
                               .destination = packet->destination,
                               .source = packet->source};

    while (!lf_stage_room(&worker->stage, frame->length))
        drop_oldest(worker, LF_STAGE_FULL);
    if (worker->stage.count == 0)
        worker->repeat_ms = worker->now_ms + LF_MARK_MS;
    staged.buffer = lf_pool_take(&worker->pool);
    staged.frame.data = staged.buffer;
    memcpy(staged.buffer, frame->data, frame->length);
    lf_stage_push(&worker->stage, &staged);
    lf_count(&worker->counters.staged, 1);
    punt_miss(worker, &staged);
}

static void answer(struct lf_worker *worker, const struct lf_packet *packet, enum lf_icmp_unreachable code)
{
    uint8_t message[LF_ICMP_MAX];

    lf_depart_answer(worker, message, lf_icmp_unreachable(message, packet, code));
}

/* Carries out a verdict other than resolve. */
static void dispatch(struct lf_worker *worker, const struct lf_frame *frame, struct lf_packet *packet,
                     const struct lf_route *route)
{
    enum lf_reason reason = LF_MAPPING_DROP;

    if (route->kind == LF_ENCAPSULATE && route->locator) {
        lf_depart(worker, frame, packet, route);
        return;
    }
    if (route->kind == LF_ENCAPSULATE) {
        reason = LF_NO_LOCATOR;
    } else if (route->kind == LF_NATIVE) {
        if (lf_native_depart(worker, frame, packet, route->prefix))
            return;
        answer(worker, packet, LF_ICMP_NO_ROUTE);
        reason = LF_NATIVE_UNAVAILABLE;
    } else if (route->kind == LF_REJECT) {
        answer(worker, packet, (enum lf_icmp_unreachable)route->reject_code);
        reason = LF_MAPPING_REJECT;
    }
    lf_worker_drop(worker, reason, 1);
    lf_usage_drop(lf_table_usage_of(worker->table, route->prefix, worker->number), 1, worker->now_ms);
}

static void forward(struct lf_worker *worker, struct lf_frame *frame)
{
    struct lf_packet packet;
    uint32_t iid;
    enum lf_reason reason = LF_INNER_MALFORMED;

    if (frame->gso != LF_GSO_NONE || lf_frame_complete(frame))
        reason = lf_encap_check(worker->view, frame->data, frame->length, &packet, &iid);
    if (reason != LF_PASS) {
        lf_worker_drop(worker, reason, 1);
        return;
    }

    const struct lf_route route = lf_forward_again(worker->view, &worker->recent, iid, &packet);

    if (route.kind == LF_RESOLVE)
        stage(worker, frame, &packet, iid);
    else
        dispatch(worker, frame, &packet, &route);
}

static void begin_batch(struct lf_worker *worker)
{
    lf_depart_flush(worker);
    worker->arena.used = worker->mark = 0;
}

/* Whether a socket was full in this turn: then the rest is better left in the TUN's queue, where senders notice. */
static bool waited(const struct lf_worker *worker)
{
    return worker->outboxes[0].waits || worker->outboxes[1].waits;
}

bool lf_outbound_read(struct lf_worker *worker)
{
    enum lf_tun_read got = LF_TUN_FRAME;
    size_t bytes = 0;

    worker->arena.used = worker->mark = 0;
    for (unsigned i = 0; i < FRAMES && bytes < TURN_BYTES && !waited(worker); i++) {
        struct lf_frame frame;

        if (worker->arena.used >= BATCH_BYTES)
            begin_batch(worker);
        got = lf_tun_read(&worker->tun, &worker->arena, &frame);
        if (got != LF_TUN_FRAME)
            break;
        worker->mark = worker->arena.used;
        bytes += frame.length;
        forward(worker, &frame);
    }
    lf_depart_flush(worker);
    return got != LF_TUN_LOST;
}

/* A frame back from the stage, in the arena as if it had just been read. */
static void bring_back(struct lf_worker *worker, const struct lf_staged *staged, struct lf_frame *frame)
{
    if (worker->arena.used >= BATCH_BYTES)
        begin_batch(worker);
    *frame = staged->frame;
    frame->data = lf_arena_take(&worker->arena, LF_HEADROOM + frame->length) + LF_HEADROOM;
    memcpy(frame->data, staged->buffer, frame->length);
    worker->mark = worker->arena.used;
}

/* The packet was checked when it came; what is checked again is whether its source is still ours. */
static bool take_matched(void *context, const struct lf_staged *staged)
{
    struct lf_worker *worker = context;
    struct lf_frame frame = staged->frame;
    struct lf_packet packet;
    uint32_t iid;
    enum lf_reason reason = lf_encap_check(worker->view, frame.data, frame.length, &packet, &iid);
    const struct lf_route route =
        reason == LF_PASS ? lf_forward(worker->view, iid, &packet) : (struct lf_route){.kind = LF_DROP};

    if (route.kind == LF_RESOLVE)
        return false;
    if (reason == LF_PASS) {
        lf_marks_clear(&worker->marks, staged->iid, &staged->destination);
        bring_back(worker, staged, &frame);
        packet.data = frame.data;
        dispatch(worker, &frame, &packet, &route);
    } else {
        lf_worker_drop(worker, reason, 1);
    }
    lf_pool_give(&worker->pool, staged->buffer);
    return true;
}

void lf_outbound_release(struct lf_worker *worker)
{
    worker->arena.used = worker->mark = 0;
    lf_stage_sweep(&worker->stage, take_matched, worker);
    lf_depart_flush(worker);
}

void lf_outbound_expire(struct lf_worker *worker)
{
    const struct lf_staged *oldest;

    while ((oldest = lf_stage_oldest(&worker->stage)) && worker->now_ms - oldest->since_ms >= LF_STAGE_MS)
        drop_oldest(worker, LF_STAGE_AGED);
}

static bool punt_waiting(void *context, const struct lf_staged *staged)
{
    punt_miss(context, staged);
    return false;
}

void lf_outbound_repeat(struct lf_worker *worker)
{
    worker->repeat_ms = worker->now_ms + LF_MARK_MS;
    lf_stage_sweep(&worker->stage, punt_waiting, worker);
}
