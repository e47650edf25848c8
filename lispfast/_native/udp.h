/* The UDP sockets of a worker: one a family, bound to the data port and to no address. */
#ifndef LF_UDP_H
#define LF_UDP_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "address.h"

struct lf_udp {
    int fd; /* -1 where the host has not got this family */
    uint8_t family;
};

/* Opens the socket of family 4 or 6 on `port`; `shared` lets further workers open theirs on the same. 0, or an errno. A
 * host without the family is no error: fd is -1 then. */
int lf_udp_open(struct lf_udp *udp, uint8_t family, uint16_t port, bool shared);
void lf_udp_close(struct lf_udp *udp);

union lf_sockaddr {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* The socket address of an address and port, and its length; and back. */
socklen_t lf_sockaddr_make(union lf_sockaddr *name, const struct lf_address *address, uint16_t port);
struct lf_address lf_sockaddr_address(const union lf_sockaddr *name);

#endif
