/* One big packet into the many that it stands for: TCP (TSO) and UDP (USO).
 *
 * The payload is copied while its checksum is computed. Left in place, with headers beside it, it would go to the kernel as
 * two pieces a packet: that costs the kernel 2.7 us a frame of 62,000 bytes, the copy costs 0.6 us (AMD EPYC, Linux 6.18). */
#ifndef LF_SEGMENT_H
#define LF_SEGMENT_H

#include "frame.h"
#include "packet.h"

/* Fixed by `begin`; `headers` bytes of IP and transport headers stand in front of each of `count` packets, of which
 * none is longer than `largest` bytes. */
struct lf_segments {
    size_t headers;
    size_t count;
    size_t largest;
    /* segment.c's own from here on. */
    const uint8_t *front;   /* the headers of the frame */
    const uint8_t *payload; /* what the next packet begins with */
    size_t left;            /* payload not cut yet */
    size_t each;            /* payload of every packet but the last */
    size_t transport;       /* where the transport header begins */
    uint64_t network_sum;   /* the IPv4 header without length, identification and checksum */
    uint64_t transport_sum; /* pseudo and transport header without lengths, checksum and what changes with TCP */
    uint32_t sequence;
    uint16_t identification;
    uint8_t family;
    enum lf_gso gso;
    bool first;
};

/* Readies a frame with gso TCP or UDP for cutting; `packet` is the frame as lf_packet_parse read it. False where its
 * headers and its virtio-net header disagree, or it has no payload to cut: such a frame is LF_INNER_MALFORMED. The
 * bytes of the frame must stay as they are until the last packet was cut. */
bool lf_segments_begin(struct lf_segments *segments, const struct lf_frame *frame, const struct lf_packet *packet);

/* Writes the next packet at `packet`, outside the frame (`largest` bytes), and returns its length. Lengths, IPv4
 * identification and all checksums are complete: TCP sequence numbers rise, FIN and PSH stand on the last packet only and CWR on the first (RFC 3168
 * section 6.1.2), and a UDP checksum that comes out as zero is sent as 0xffff. To be called `count` times. */
size_t lf_segments_next(struct lf_segments *segments, uint8_t *packet);

/* Completes the checksum of a frame without gso in place, where it is partial; then it is not partial any more. False
 * where its fields lie outside. */
bool lf_frame_complete(struct lf_frame *frame);

#endif
