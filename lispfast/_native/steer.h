/* Both directions of a flow at one worker: the class of a flow, in C and as programs that the kernel runs. */
#ifndef LF_STEER_H
#define LF_STEER_H

#include "packet.h"

/* Ours: classes of flows, as many as there may be workers or source ports. The class picks the worker (class % workers)
 * and the source port (class % source ports): where the workers divide the ports, flows that share a port share a worker, and
 * what a receiver merges by port is of one worker. */
enum { LF_CLASSES = 64 };

/* The class of a packet's flow, 0 to LF_CLASSES - 1: the same for both directions. Addresses and protocol, and the ports of
 * TCP, UDP and SCTP where it is no fragment. The programs below compute the same. */
unsigned lf_steer_class(const struct lf_packet *packet);

/* Attaches a classic filter to a group of SO_REUSEPORT sockets that picks the socket (in the order of their bind) of the
 * inner packet's class % workers; `fd` is one of the group. 0 or an errno. */
int lf_steer_udp(int fd, unsigned workers);

/* Attaches a program to a TUN device that picks the queue, in the order of attachment. 0 or an errno, EPERM where the
 * kernel does not let us. */
int lf_steer_tun(int fd, unsigned workers);

#endif
