#include "tun.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

bool lf_tun_prepare(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0;
}

enum lf_tun_read lf_tun_read(int fd, uint8_t *data, size_t room, size_t *length)
{
    ssize_t got;

    do
        got = read(fd, data, room);
    while (got < 0 && errno == EINTR);
    if (got > 0) {
        *length = (size_t)got;
        return LF_TUN_PACKET;
    }
    return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? LF_TUN_EMPTY : LF_TUN_LOST;
}

bool lf_tun_write(int fd, const uint8_t *data, size_t length)
{
    ssize_t put;

    do
        put = write(fd, data, length);
    while (put < 0 && errno == EINTR);
    return put == (ssize_t)length;
}
