#define _GNU_SOURCE
#include "errqueue.h"

#include <errno.h>
#include <time.h>
#include <linux/errqueue.h>

#include "udp.h"

enum { CONTROL = 256, QUOTED = 128 };

/* From RFC 792 and RFC 4443 section 3.1. */
enum { UNREACHABLE4 = 3, FRAGMENTATION_NEEDED = 4, UNREACHABLE6 = 1 };

static bool says_unreachable(const struct sock_extended_err *error)
{
    if (error->ee_origin == SO_EE_ORIGIN_ICMP)
        return error->ee_type == UNREACHABLE4 && error->ee_code != FRAGMENTATION_NEEDED;
    return error->ee_origin == SO_EE_ORIGIN_ICMP6 && error->ee_type == UNREACHABLE6;
}

static void read_error(const struct cmsghdr *control, struct lf_trouble *trouble)
{
    struct sock_extended_err error;

    if (control->cmsg_len < CMSG_LEN(sizeof error))
        return;
    memcpy(&error, CMSG_DATA(control), sizeof error);
    trouble->local = error.ee_origin == SO_EE_ORIGIN_LOCAL;
    if (error.ee_errno == EMSGSIZE)
        trouble->mtu = error.ee_info;
    else
        trouble->unreachable = says_unreachable(&error);
}

bool lf_errqueue_take(int fd, struct lf_trouble *trouble)
{
    union lf_sockaddr name = {.any.sa_family = AF_UNSPEC};
    union {
        struct cmsghdr align;
        uint8_t bytes[CONTROL];
    } room;
    uint8_t quoted[QUOTED];
    struct iovec vector = {quoted, sizeof quoted};
    struct msghdr header = {.msg_name = &name,
                            .msg_namelen = sizeof name,
                            .msg_iov = &vector,
                            .msg_iovlen = 1,
                            .msg_control = room.bytes,
                            .msg_controllen = sizeof room.bytes};

    if (recvmsg(fd, &header, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
        return false;
    *trouble = (struct lf_trouble){0};
    if (name.any.sa_family == AF_INET || name.any.sa_family == AF_INET6)
        trouble->peer = lf_sockaddr_address(&name);
    for (struct cmsghdr *control = CMSG_FIRSTHDR(&header); control; control = CMSG_NXTHDR(&header, control))
        if ((control->cmsg_level == IPPROTO_IP && control->cmsg_type == IP_RECVERR) ||
            (control->cmsg_level == IPPROTO_IPV6 && control->cmsg_type == IPV6_RECVERR))
            read_error(control, trouble);
    return true;
}
