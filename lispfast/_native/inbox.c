#define _GNU_SOURCE
#include "inbox.h"

#include <stdlib.h>

enum { CONTROL = 4 * CMSG_SPACE(sizeof(int)) };

struct lf_inbox_message {
    union lf_sockaddr name;
    struct iovec vector;
    union {
        struct cmsghdr align;
        uint8_t bytes[CONTROL];
    } control;
};

bool lf_inbox_init(struct lf_inbox *inbox, struct lf_udp *udp)
{
    inbox->udp = udp;
    inbox->messages = calloc(LF_BATCH, sizeof *inbox->messages);
    inbox->headers = calloc(LF_BATCH, sizeof *inbox->headers);
    if (!lf_pool_init(&inbox->pool, LF_BATCH) || !inbox->messages || !inbox->headers)
        return false;
    for (unsigned i = 0; i < LF_BATCH; i++) {
        struct lf_inbox_message *message = &inbox->messages[i];

        message->vector = (struct iovec){.iov_base = lf_pool_take(&inbox->pool), .iov_len = LF_PACKET_MAX};
        inbox->headers[i].msg_hdr = (struct msghdr){.msg_name = &message->name,
                                                    .msg_iov = &message->vector,
                                                    .msg_iovlen = 1,
                                                    .msg_control = message->control.bytes};
    }
    return true;
}

void lf_inbox_close(struct lf_inbox *inbox)
{
    lf_pool_close(&inbox->pool);
    free(inbox->messages);
    free(inbox->headers);
    inbox->messages = NULL;
    inbox->headers = NULL;
}

/* A TTL that the kernel does not tell lowers nothing. IP_TOS comes as one byte, the others as an int. */
static struct lf_outer read_outer(struct msghdr *header)
{
    struct lf_outer outer = {.tos = 0, .ttl = 255};

    for (struct cmsghdr *control = CMSG_FIRSTHDR(header); control; control = CMSG_NXTHDR(header, control)) {
        int value = 0;

        if (control->cmsg_level == IPPROTO_IP && control->cmsg_type == IP_TOS) {
            outer.tos = *CMSG_DATA(control);
            continue;
        }
        memcpy(&value, CMSG_DATA(control), sizeof value);
        if (control->cmsg_level == IPPROTO_IP && control->cmsg_type == IP_TTL)
            outer.ttl = (uint8_t)value;
        else if (control->cmsg_level == IPPROTO_IPV6 && control->cmsg_type == IPV6_HOPLIMIT)
            outer.ttl = (uint8_t)value;
        else if (control->cmsg_level == IPPROTO_IPV6 && control->cmsg_type == IPV6_TCLASS)
            outer.tos = (uint8_t)value;
    }
    return outer;
}

unsigned lf_inbox_receive(struct lf_inbox *inbox, struct lf_arrival arrivals[LF_BATCH])
{
    int got;

    for (unsigned i = 0; i < LF_BATCH; i++) {
        inbox->headers[i].msg_hdr.msg_namelen = sizeof inbox->messages[i].name;
        inbox->headers[i].msg_hdr.msg_controllen = CONTROL;
    }
    got = recvmmsg(inbox->udp->fd, inbox->headers, LF_BATCH, MSG_DONTWAIT, NULL);
    for (int i = 0; i < got; i++)
        arrivals[i] = (struct lf_arrival){.datagram = inbox->messages[i].vector.iov_base,
                                          .length = inbox->headers[i].msg_len,
                                          .outer = read_outer(&inbox->headers[i].msg_hdr),
                                          .source = lf_sockaddr_address(&inbox->messages[i].name)};
    return got > 0 ? (unsigned)got : 0;
}
