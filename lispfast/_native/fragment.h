/* IPv4 fragmentation of an inner packet that may be fragmented (RFC 9300 section 7.1, RFC 791). */
#ifndef LF_FRAGMENT_H
#define LF_FRAGMENT_H

#include "packet.h"

struct lf_fragments {
    size_t count; /* as few as fit, all of nearly the same size; 2 where 2 fit */
    size_t each;  /* payload bytes of each but the last, a multiple of 8 */
    /* fragment.c's own. */
    const struct lf_packet *packet;
    size_t done;       /* payload bytes that were written */
    size_t later_size; /* of the header of every fragment but the first */
    uint8_t later[60];
};

/* Readies an IPv4 packet for fragments of at most `room` bytes each; `packet` must stay until the last one was written,
 * and a transport checksum that is partial is to be completed first (segment.h). False where it may not (DF, IPv6) or
 * cannot be: too little room, options without an end, an offset beyond what the header can say. */
bool lf_fragments_begin(struct lf_fragments *fragments, const struct lf_packet *packet, size_t room);

/* Writes the next fragment, header and payload, at `out` (`room` bytes); returns its length. Options go on the first
 * fragment, and on the others where their copied flag says so; MF and the offset of what is a fragment already hold. */
size_t lf_fragments_next(struct lf_fragments *fragments, uint8_t *out);

#endif
