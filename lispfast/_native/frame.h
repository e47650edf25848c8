/* What crosses the TUN in one read or write: an IP packet, or one that stands for many (a virtio-net header says so). */
#ifndef LF_FRAME_H
#define LF_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* linux/virtio_net.h's struct virtio_net_hdr, in the machine's byte order as a TUN has it by default. */
struct lf_vnet {
    uint8_t flags;
    uint8_t gso_type;
    uint16_t hdr_len;
    uint16_t gso_size;
    uint16_t csum_start;
    uint16_t csum_offset;
};

enum { LF_VNET = 10 }; /* its bytes */
enum { LF_VNET_NEEDS_CSUM = 1 };
enum { LF_VNET_NONE = 0, LF_VNET_TCPV4 = 1, LF_VNET_TCPV6 = 4, LF_VNET_UDP_L4 = 5, LF_VNET_ECN = 0x80 };

/* Bytes free in front of each frame: for the LISP header and the virtio-net header. */
enum { LF_HEADROOM = 64 };

enum lf_gso { LF_GSO_NONE, LF_GSO_TCP, LF_GSO_UDP };

/* A packet as the TUN gave it. Where `gso` is not none it stands for packets with the same headers and `gso_size` bytes
 * of payload each, the last one maybe fewer. Where `partial`, the checksum at csum_start + csum_offset is not there yet:
 * it covers everything from csum_start on, and its field holds the sum of the pseudo header. Nothing in it is checked. */
struct lf_frame {
    uint8_t *data;
    size_t length;
    enum lf_gso gso;
    uint16_t gso_size;
    bool partial;
    uint16_t csum_start;
    uint16_t csum_offset;
};

#endif
