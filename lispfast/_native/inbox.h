/* Datagrams of one family as they come in, a batch a system call. */
#ifndef LF_INBOX_H
#define LF_INBOX_H

#include "decap.h"
#include "outbox.h"
#include "pool.h"
#include "udp.h"

struct lf_arrival {
    uint8_t *datagram;
    size_t length;
    struct lf_outer outer;
    struct lf_address source;
};

struct lf_inbox {
    struct lf_udp *udp;
    struct lf_pool pool;
    struct lf_inbox_message *messages; /* LF_BATCH of them */
    struct mmsghdr *headers;
};

/* False where there is no memory. */
bool lf_inbox_init(struct lf_inbox *inbox, struct lf_udp *udp);
void lf_inbox_close(struct lf_inbox *inbox);

/* Receives what is there, LF_BATCH at most; returns how many. They stay until the next call. */
unsigned lf_inbox_receive(struct lf_inbox *inbox, struct lf_arrival arrivals[LF_BATCH]);

#endif
