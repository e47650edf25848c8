#include "clamp.h"
#include "tunnel.h"
#include "worker.h"

/* A packet's journey in: received -> checked, stripped and merged with its outer header -> coalesced with its flow ->
 * written to the TUN. */

/* From RFC 8200 section 5, and what stands in front of an inner packet at the most. */
enum { LEAST_MTU = 1280, OUTER_MAX = 40 + 8 + LF_HEADER };

/* What the packets of one source add up to; a batch is mostly one source's. */
struct tally {
    struct lf_address source;
    uint32_t iid;
    struct lf_match match;
    size_t mtu; /* that the way back leaves, for the MSS */
    uint64_t packets;
    uint64_t bytes;
};

static void settle(const struct lf_worker *worker, struct tally *tally)
{
    if (tally->packets && tally->match.prefix) {
        struct lf_usage *usage = lf_table_usage_of(worker->table, tally->match.prefix, worker->number);

        lf_count(&usage->packets_in, tally->packets);
        lf_count(&usage->bytes_in, tally->bytes);
        lf_usage_changed(usage, worker->now_ms);
    }
    tally->packets = tally->bytes = 0;
}

static size_t way_back(const struct lf_match *match)
{
    size_t least = 65535;

    for (unsigned i = 0; match->locators && i < match->locators->count; i++) {
        const struct lf_locator *locator = &match->locators->locator[i];
        const size_t inside = locator->tunnel ? lf_tunnel_size(lf_locator_inside(locator)) : 0;
        const size_t mtu = locator->mtu > inside ? locator->mtu - inside : 0;

        least = mtu < least ? mtu : least;
    }
    return least < LEAST_MTU + OUTER_MAX ? LEAST_MTU : least - OUTER_MAX;
}

static void count(const struct lf_worker *worker, struct tally *tally, const struct lf_packet *packet, uint32_t iid)
{
    if (tally->iid != iid || !lf_address_equal(&tally->source, &packet->source)) {
        settle(worker, tally);
        tally->source = packet->source;
        tally->iid = iid;
        tally->match = lf_table_lookup(worker->view, iid, &packet->source);
        tally->mtu = way_back(&tally->match);
    }
    tally->packets++;
    tally->bytes += packet->length;
}

static void deliver(struct lf_worker *worker)
{
    struct lf_coalescer *coalescer = worker->coalescer;

    lf_coalesce_finish(coalescer);
    for (unsigned i = 0; i < coalescer->count; i++) {
        const struct lf_delivery *delivery = &coalescer->deliveries[i];

        if (lf_tun_write(&worker->tun, delivery)) {
            lf_count(&worker->counters.packets_in, delivery->packets);
            lf_count(&worker->counters.bytes_in, delivery->bytes);
        } else {
            lf_worker_drop(worker, LF_TUN_REFUSED, delivery->packets);
        }
    }
    lf_coalesce_reset(coalescer);
}

/* What the header says is judged first: of a packet that is dropped nothing is told. */
static enum lf_reason hear(struct lf_worker *worker, const uint8_t *header, const struct lf_address *rloc,
                           const struct lf_packet *packet, uint32_t iid)
{
    const struct lf_saying said = lf_hint_read(header);
    const enum lf_reason reason = lf_hint_judge(worker->view, &said, packet, iid);
    const struct lf_punt punt = {
        .kind = LF_PUNT_HEADER, .destination = *rloc, .source = packet->source, .iid = iid, .said = said};

    if (reason == LF_PASS && said.flags && lf_hint_news(&worker->hints, rloc, &said, worker->now_ms) &&
        !lf_worker_punt(worker, &punt))
        lf_hint_forget(&worker->hints, rloc);
    return reason;
}

static bool take_in(struct lf_worker *worker, const struct lf_arrival *arrival, bool vxlan, struct tally *tally)
{
    bool passed = false;

    for (size_t at = 0; at < arrival->length || at == 0; at += arrival->size) {
        size_t left = arrival->length - at;
        struct lf_packet packet;
        uint32_t iid;
        enum lf_reason reason = lf_decap(worker->view, vxlan, arrival->data + at,
                                         left < arrival->size ? left : arrival->size, arrival->outer, &packet, &iid);

        if (worker->judges && !vxlan && reason == LF_PASS)
            reason = hear(worker, arrival->data + at, &arrival->source, &packet, iid);
        if (reason != LF_PASS) {
            lf_worker_drop(worker, reason, 1);
        } else {
            passed = true;
            count(worker, tally, &packet, iid);
            if (worker->mss_clamp)
                (void)lf_clamp_mss(&packet, tally->mtu);
            if (!lf_coalesce_add(worker->coalescer, &packet)) {
                deliver(worker);
                (void)lf_coalesce_add(worker->coalescer, &packet);
            }
        }
        if (arrival->size == 0)
            break;
    }
    return passed;
}

void lf_inbound_receive(struct lf_worker *worker, int fd, bool vxlan)
{
    struct lf_arrival arrivals[LF_MESSAGES];
    unsigned messages = lf_inbox_receive(&worker->inbox, fd, arrivals);
    struct tally tally = {.source.family = 0};

    for (unsigned i = 0; i < messages; i++)
        if (take_in(worker, &arrivals[i], vxlan, &tally))
            lf_peers_heard(&worker->peers, &arrivals[i].source, worker->now_ms);
    settle(worker, &tally);
    deliver(worker);
}
