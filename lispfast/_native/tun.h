/* One queue of the TUN device: one packet a read, one a write. Where offloads come in, they come in here. */
#ifndef LF_TUN_H
#define LF_TUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum lf_tun_read { LF_TUN_PACKET, LF_TUN_EMPTY, LF_TUN_LOST };

/* Makes the descriptor non-blocking; false where it is none. */
bool lf_tun_prepare(int fd);

/* Reads the next packet into `data`. LF_TUN_LOST: the device is gone and nothing more will come. */
enum lf_tun_read lf_tun_read(int fd, uint8_t *data, size_t room, size_t *length);

/* False where the kernel refused the packet. */
bool lf_tun_write(int fd, const uint8_t *data, size_t length);

#endif
