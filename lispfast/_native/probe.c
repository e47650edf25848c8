#define _GNU_SOURCE
#include "probe.h"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

enum { MOST = 128, USUAL = 64 };

static int open_loopback(struct sockaddr_in *name)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    socklen_t length = sizeof *name;

    *name = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (fd >= 0 && (bind(fd, (struct sockaddr *)name, sizeof *name) ||
                    getsockname(fd, (struct sockaddr *)name, &length))) {
        close(fd);
        return -1;
    }
    return fd;
}

unsigned lf_probe_segments(void)
{
    struct sockaddr_in name;
    const uint8_t bytes[MOST] = {0};
    int one = 1, loopback, fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    unsigned found = USUAL;

    if (fd < 0)
        fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &one, sizeof one)) {
        if (fd >= 0)
            close(fd);
        return 1;
    }
    loopback = open_loopback(&name);
    if (loopback >= 0) {
        if (sendto(fd, bytes, sizeof bytes, MSG_DONTWAIT, (struct sockaddr *)&name, sizeof name) == MOST)
            found = MOST;
        close(loopback);
    }
    close(fd);
    return found;
}
