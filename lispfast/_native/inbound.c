#include "tun.h"
#include "worker.h"

/* A packet's journey in: received -> checked, stripped and merged with its outer header -> written to the TUN. */

void lf_inbound_receive(struct lf_worker *worker, unsigned family)
{
    struct lf_arrival arrivals[LF_BATCH];
    unsigned count = lf_inbox_receive(&worker->inboxes[family], arrivals);

    for (unsigned i = 0; i < count; i++) {
        const struct lf_arrival *arrival = &arrivals[i];
        struct lf_packet packet;
        uint32_t iid;
        enum lf_reason reason =
            lf_decap(worker->view, false, arrival->datagram, arrival->length, arrival->outer, &packet, &iid);

        if (reason == LF_PASS && !lf_tun_write(worker->tun, packet.data, packet.length))
            reason = LF_TUN_REFUSED;
        if (reason != LF_PASS) {
            lf_worker_drop(worker, reason);
            continue;
        }
        lf_count(&worker->counters.packets_in, 1);
        lf_count(&worker->counters.bytes_in, packet.length);
        lf_peers_heard(&worker->peers, &arrival->source, worker->now_ms);
    }
}
