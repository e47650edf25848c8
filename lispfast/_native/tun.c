#define _GNU_SOURCE
#include "tun.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* From linux/if_tun.h of Linux 6.2. */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

_Static_assert(sizeof(struct lf_vnet) == LF_VNET, "the virtio-net header of a TUN");

static void ask_for_offloads(int fd, struct lf_features *features)
{
    const unsigned long tcp = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;

    features->uso = ioctl(fd, TUNSETOFFLOAD, tcp | TUN_F_USO4 | TUN_F_USO6) == 0;
    features->tso = features->uso || ioctl(fd, TUNSETOFFLOAD, tcp) == 0;
}

bool lf_tun_prepare(struct lf_tun *tun, int fd, const struct lf_options *options, struct lf_features *features)
{
    int flags = fcntl(fd, F_GETFL);
    struct ifreq request = {0};

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK))
        return false;
    if (ioctl(fd, TUNGETIFF, &request)) {
        features->vnet = features->tso = features->uso = options->framed && options->offload;
    } else {
        features->vnet = request.ifr_flags & IFF_VNET_HDR;
        if (features->vnet && options->offload)
            ask_for_offloads(fd, features);
    }
    *tun = (struct lf_tun){.fd = fd, .vnet = features->vnet};
    return true;
}

static bool describe(struct lf_frame *frame, const uint8_t *header)
{
    struct lf_vnet vnet;

    memcpy(&vnet, header, sizeof vnet);
    frame->partial = vnet.flags & LF_VNET_NEEDS_CSUM;
    frame->csum_start = vnet.csum_start;
    frame->csum_offset = vnet.csum_offset;
    frame->gso_size = vnet.gso_size;
    switch (vnet.gso_type & ~LF_VNET_ECN) {
    case LF_VNET_NONE:
        frame->gso = LF_GSO_NONE;
        return true;
    case LF_VNET_TCPV4:
    case LF_VNET_TCPV6:
        frame->gso = LF_GSO_TCP;
        return true;
    case LF_VNET_UDP_L4:
        frame->gso = LF_GSO_UDP;
        return true;
    default:
        return false;
    }
}

enum lf_tun_read lf_tun_read(const struct lf_tun *tun, struct lf_arena *arena, struct lf_frame *frame)
{
    size_t header = tun->vnet ? LF_VNET : 0;
    uint8_t *data = lf_arena_next(arena) + LF_HEADROOM;
    ssize_t got;

    do
        got = read(tun->fd, data - header, LF_FRAME_MAX + header);
    while (got < 0 && errno == EINTR);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return LF_TUN_EMPTY;
    if (got == 0 || (got < 0 && errno != EINVAL && errno != ENOMEM))
        return LF_TUN_LOST;
    if (got < 0)
        got = 0; /* a frame that the kernel could not describe, and dropped: the next one may be better */
    *frame = (struct lf_frame){.data = data, .length = (size_t)got > header ? (size_t)got - header : 0};
    if (header && ((size_t)got < header || !describe(frame, data - header)))
        frame->length = 0; /* nothing that the kernel would write: dropped as malformed */
    (void)lf_arena_take(arena, LF_HEADROOM + frame->length);
    return LF_TUN_FRAME;
}

static bool put_parts(int fd, const struct iovec *parts, unsigned count)
{
    ssize_t put;

    do
        put = writev(fd, parts, (int)count);
    while (put < 0 && errno == EINTR);
    return put >= 0;
}

bool lf_tun_write(const struct lf_tun *tun, const struct lf_delivery *delivery)
{
    unsigned from = tun->vnet ? 0 : 1;

    return put_parts(tun->fd, delivery->parts + from, delivery->count - from);
}

bool lf_tun_put(const struct lf_tun *tun, uint8_t *packet, size_t length)
{
    struct lf_vnet vnet = {0};
    const struct iovec parts[2] = {{&vnet, LF_VNET}, {packet, length}};
    unsigned from = tun->vnet ? 0 : 1;

    return put_parts(tun->fd, parts + from, 2 - from);
}
