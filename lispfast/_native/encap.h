/* The way out of one packet: is it ours to tunnel, and the LISP header in front of it. */
#ifndef LF_ENCAP_H
#define LF_ENCAP_H

#include "forward.h"
#include "frame.h"
#include "reasons.h"

/* From RFC 9300 section 5.3. */
enum { LF_HEADER = 8 };

/* Reads a packet that came from the TUN and checks that it may leave: LF_PASS with the packet and the instance-ID that
 * its source belongs to, or the reason to drop it. A packet to an EID-prefix of our own is LF_NOT_UNICAST: the kernel
 * routes those itself, so one that gets here would loop. Its source need not be this host: we may be a site's router. */
enum lf_reason lf_encap_check(struct lf_view view, uint8_t *data, size_t length, struct lf_packet *packet,
                              uint32_t *iid);

/* Writes what stands in front of an inner packet of this family on its way to the locator: LF_HEADER bytes, the next
 * protocol of the GPE forms with them (RFC 9305 section 3). */
void lf_encap_header(uint8_t *header, const struct lf_locator *locator, uint8_t family);

#endif
