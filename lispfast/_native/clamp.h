/* The TCP maximum segment size of a SYN, lowered to what the tunnel takes (RFC 9293 section 3.7.1). */
#ifndef LF_CLAMP_H
#define LF_CLAMP_H

#include "packet.h"

/* Lowers the MSS option of a TCP SYN to what fits packets of `mtu` bytes, the TCP checksum with it, in place; a SYN
 * without the option, and anything else, stays as it is. Whether it changed anything. The checksum must be there
 * already: a partial one is to be completed first (segment.h). */
bool lf_clamp_mss(struct lf_packet *packet, size_t mtu);

#endif
