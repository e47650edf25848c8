#define _GNU_SOURCE
#include "udp.h"

#include <errno.h>
#include <netinet/udp.h>
#include <unistd.h>

#ifndef UDP_NO_CHECK6_RX
#define UDP_NO_CHECK6_RX 102
#endif

/* Ours: a burst of some 2,000 full packets while the worker writes to the TUN. The send buffer stays the kernel's default:
 * more of it would only be queueing delay on a slow link. */
enum { RECEIVE_BUFFER = 4 << 20 };

struct option {
    int level, name, value;
};

static const struct option options4[] = {
    {IPPROTO_IP, IP_RECVTTL, 1},
    {IPPROTO_IP, IP_RECVTOS, 1},
    {IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT}, /* the outer packet may be fragmented */
};

static const struct option options6[] = {
    {IPPROTO_IPV6, IPV6_V6ONLY, 1},
    {IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1},
    {IPPROTO_IPV6, IPV6_RECVTCLASS, 1},
    {IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DONT},
    {IPPROTO_UDP, UDP_NO_CHECK6_RX, 1}, /* RFC 9300 section 5.3: a zero checksum is accepted */
};

static int set_options(int fd, const struct option *options, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof options[i].value))
            return errno;
    return 0;
}

static int configure(int fd, uint8_t family, uint16_t port, bool shared)
{
    const struct lf_address any = {.family = family};
    const int receive = RECEIVE_BUFFER, one = 1;
    union lf_sockaddr name;
    socklen_t length = lf_sockaddr_make(&name, &any, port);
    int error = family == 4 ? set_options(fd, options4, sizeof options4 / sizeof *options4)
                            : set_options(fd, options6, sizeof options6 / sizeof *options6);

    if (error)
        return error;
    if (shared && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one))
        return errno;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &receive, sizeof receive))
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive, sizeof receive);
    return bind(fd, &name.any, length) ? errno : 0;
}

int lf_udp_open(struct lf_udp *udp, uint8_t family, uint16_t port, bool shared)
{
    int fd = socket(family == 4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int error;

    *udp = (struct lf_udp){.fd = -1, .family = family};
    if (fd < 0)
        return errno == EAFNOSUPPORT ? 0 : errno;
    error = configure(fd, family, port, shared);
    if (error) {
        close(fd);
        return error == EADDRNOTAVAIL ? 0 : error; /* IPv6 is there but disabled on every interface */
    }
    udp->fd = fd;
    return 0;
}

void lf_udp_close(struct lf_udp *udp)
{
    if (udp->fd >= 0)
        close(udp->fd);
    udp->fd = -1;
}

socklen_t lf_sockaddr_make(union lf_sockaddr *name, const struct lf_address *address, uint16_t port)
{
    memset(name, 0, sizeof *name);
    if (address->family == 4) {
        name->v4.sin_family = AF_INET;
        name->v4.sin_port = htons(port);
        memcpy(&name->v4.sin_addr, address->bytes, 4);
        return sizeof name->v4;
    }
    name->v6.sin6_family = AF_INET6;
    name->v6.sin6_port = htons(port);
    memcpy(&name->v6.sin6_addr, address->bytes, 16);
    return sizeof name->v6;
}

struct lf_address lf_sockaddr_address(const union lf_sockaddr *name)
{
    if (name->any.sa_family == AF_INET)
        return lf_address_make(4, (const uint8_t *)&name->v4.sin_addr);
    return lf_address_make(6, (const uint8_t *)&name->v6.sin6_addr);
}
