/* What the kernel can do for us, found out by trying. */
#ifndef LF_PROBE_H
#define LF_PROBE_H

/* How many datagrams one send with UDP_SEGMENT may carry: 128 since Linux 6.9, 64 since 4.18, 1 where there is none. Tried
 * with a datagram to ourselves over loopback; without a loopback that is up, the lower one. */
unsigned lf_probe_segments(void);

#endif
