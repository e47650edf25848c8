/* The way around LISP: inner packets as they are, by a raw socket, through the interface of a source RLOC. */
#ifndef LF_NATIVE_H
#define LF_NATIVE_H

#include <stdbool.h>

#include "frame.h"
#include "packet.h"
#include "table.h"

struct lf_worker;

/* The raw sockets of a worker, IPv4 and IPv6; -1 where there is none. They are opened at the start, which takes
 * CAP_NET_RAW; the interface is chosen for each packet and takes none. */
struct lf_native {
    int fd[2];
    uint64_t pin; /* the exits are those of this view */
    uint32_t exit[2];
};

void lf_native_clear(struct lf_native *native);

/* 0 or an errno; a host without the family is no error. */
int lf_native_open(struct lf_native *native);
void lf_native_close(struct lf_native *native);

/* Sends a frame from the TUN as it is, as the packets that it stands for, and counts them or why not. It leaves by the
 * interface of the first source slot of its family. What is too long for that is split where it may be, else answered on
 * the TUN. False where there is no socket, interface or route: then it is the caller's. (For IPv4 Linux takes whoever has no
 * route for its neighbour on that interface.) */
bool lf_native_depart(struct lf_worker *worker, const struct lf_frame *frame, struct lf_packet *packet,
                      struct lf_prefix *prefix);

#endif
