/* One queue of the TUN device: a frame a read, a delivery a write. */
#ifndef LF_TUN_H
#define LF_TUN_H

#include <stdbool.h>

#include "arena.h"
#include "coalesce.h"
#include "frame.h"
#include "options.h"

/* The largest IP packet that a read brings; the arena must have room for it and its headroom. */
enum { LF_FRAME_MAX = 65535 };

struct lf_tun {
    int fd;
    bool vnet;
};

/* Makes the descriptor non-blocking and asks for its offloads as wanted; fills what came of it into `features`. False
 * where it is no descriptor. */
bool lf_tun_prepare(struct lf_tun *tun, int fd, const struct lf_options *options, struct lf_features *features);

/* Reads the next frame into the arena, headroom in front. LF_TUN_LOST: the device is gone and nothing more will come. */
enum lf_tun_read { LF_TUN_FRAME, LF_TUN_EMPTY, LF_TUN_LOST };
enum lf_tun_read lf_tun_read(const struct lf_tun *tun, struct lf_arena *arena, struct lf_frame *frame);

/* Both false where the kernel refused it. `put` writes a packet alone. */
bool lf_tun_write(const struct lf_tun *tun, const struct lf_delivery *delivery);
bool lf_tun_put(const struct lf_tun *tun, uint8_t *packet, size_t length);

#endif
