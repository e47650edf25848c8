/* What the network said of datagrams that we sent: the error queue of a socket. */
#ifndef LF_ERRQUEUE_H
#define LF_ERRQUEUE_H

#include "address.h"

/* An error about a datagram to `peer`, whatever is sent next: `mtu` is what would have passed where it was too big, else
 * 0; `unreachable` where ICMP says destination unreachable, whatever its code beside that; `local` where our own interface
 * said so, at once, and not the network. */
struct lf_trouble {
    struct lf_address peer;
    uint32_t mtu;
    bool unreachable;
    bool local;
};

/* Takes the oldest error from the queue; false where there is none. Taking it also clears the socket's pending error, which
 * would fail the next send, to whomever. */
bool lf_errqueue_take(int fd, struct lf_trouble *trouble);

#endif
