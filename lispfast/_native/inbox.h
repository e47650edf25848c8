/* Datagrams as they come in, a batch a system call; UDP_GRO brings many of one sender as one message. */
#ifndef LF_INBOX_H
#define LF_INBOX_H

#include <sys/socket.h>

#include "address.h"
#include "decap.h"

/* Ours: messages a system call. With UDP_GRO each may be 64 KiB: after large ones only a few are taken, which are still in
 * the core's cache when they are written to the TUN (measured: 9 % more TCP than with 32 of them). */
enum { LF_MESSAGES = 32, LF_MESSAGES_LARGE = 4, LF_LARGE = 16 << 10, LF_MESSAGE_MAX = 65536 };

/* A message: datagrams of `size` bytes one after the other, the last one maybe shorter. */
struct lf_arrival {
    uint8_t *data;
    size_t length;
    size_t size;
    struct lf_outer outer;
    struct lf_address source;
};

struct lf_inbox {
    uint8_t *slab;
    unsigned room; /* messages that the next call takes */
    struct lf_inbox_message *messages; /* LF_MESSAGES of them */
    struct mmsghdr *headers;
};

/* False where there is no memory. */
bool lf_inbox_init(struct lf_inbox *inbox);
void lf_inbox_close(struct lf_inbox *inbox);

/* Receives what is there on a socket, LF_MESSAGES at most; returns how many. They stay until the next call. */
unsigned lf_inbox_receive(struct lf_inbox *inbox, int fd, struct lf_arrival arrivals[LF_MESSAGES]);

#endif
