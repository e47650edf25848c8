/* The UDP sockets of a worker and family: receiving ones on the data ports, bound to no address, so that a move rebinds
 * nothing, and sending ones on ports of their own, so that the source port carries the flow (RFC 9300 section 5.3). */
#ifndef LF_UDP_H
#define LF_UDP_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "address.h"
#include "options.h"

/* A source port. Runs leave with a checksum, packets alone without where the policy says so: that takes two sockets,
 * which share the port; on 4341 itself it is one, and `zero` says how it stands. */
struct lf_port {
    int run;
    int alone;
    bool zero;
    uint16_t number;
};

struct lf_udp {
    uint8_t family;
    int receive; /* -1 where the host has not got this family */
    int vxlan;   /* -1 where it is not wanted */
    unsigned count;
    struct lf_port ports[LF_PORTS_MAX + 1]; /* the last one is for outer fragments: alone may exceed the path's MTU */
};

/* Opens the sockets of family 4 or 6; `shared` lets further workers open theirs on the same ports. 0, or an errno, and
 * `features` has what came of UDP_GRO and UDP_SEGMENT. A host without the family is no error: receive is -1 then. */
int lf_udp_open(struct lf_udp *udp, uint8_t family, const struct lf_options *options, bool shared,
                struct lf_features *features);
void lf_udp_close(struct lf_udp *udp);

/* Nothing open. */
void lf_udp_clear(struct lf_udp *udp, uint8_t family);

/* Makes a port's socket send with or without a checksum; for the one that is both. */
void lf_udp_set_zero(const struct lf_udp *udp, struct lf_port *port, bool zero);

/* Datagrams that the kernel has dropped at the receiving sockets: its queue was full or the checksum wrong. */
uint64_t lf_udp_lost(const struct lf_udp *udp);

/* UDP datagrams with a wrong checksum in this network namespace, both families, all sockets. */
uint64_t lf_udp_wrong_checksums(void);

union lf_sockaddr {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* The socket address of an address and port, and its length; and back. */
socklen_t lf_sockaddr_make(union lf_sockaddr *name, const struct lf_address *address, uint16_t port);
struct lf_address lf_sockaddr_address(const union lf_sockaddr *name);

#endif
