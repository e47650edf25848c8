#define _GNU_SOURCE
#include "inbox.h"

#include <netinet/udp.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "udp.h"

#ifndef UDP_GRO
#define UDP_GRO 104
#endif

/* The odd size spreads the buffers over the cache's sets. Only pages that a datagram touched cost memory. */
enum { CONTROL = 4 * CMSG_SPACE(sizeof(int)), STRIDE = LF_MESSAGE_MAX + 4096 + 192 };

struct lf_inbox_message {
    union lf_sockaddr name;
    struct iovec vector;
    union {
        struct cmsghdr align;
        uint8_t bytes[CONTROL];
    } control;
};

bool lf_inbox_init(struct lf_inbox *inbox)
{
    void *slab = mmap(NULL, (size_t)LF_MESSAGES * STRIDE, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    *inbox = (struct lf_inbox){.slab = slab == MAP_FAILED ? NULL : slab,
                               .room = LF_MESSAGES,
                               .messages = calloc(LF_MESSAGES, sizeof *inbox->messages),
                               .headers = calloc(LF_MESSAGES, sizeof *inbox->headers)};
    if (!inbox->slab || !inbox->messages || !inbox->headers)
        return false;
    for (unsigned i = 0; i < LF_MESSAGES; i++) {
        struct lf_inbox_message *message = &inbox->messages[i];

        message->vector = (struct iovec){.iov_base = inbox->slab + (size_t)i * STRIDE, .iov_len = LF_MESSAGE_MAX};
        inbox->headers[i].msg_hdr = (struct msghdr){.msg_name = &message->name,
                                                    .msg_iov = &message->vector,
                                                    .msg_iovlen = 1,
                                                    .msg_control = message->control.bytes};
    }
    return true;
}

void lf_inbox_close(struct lf_inbox *inbox)
{
    if (inbox->slab)
        munmap(inbox->slab, (size_t)LF_MESSAGES * STRIDE);
    free(inbox->messages);
    free(inbox->headers);
    *inbox = (struct lf_inbox){0};
}

/* A TTL that the kernel does not tell lowers nothing. IP_TOS comes as one byte, the others as an int. */
static void read_control(struct msghdr *header, struct lf_arrival *arrival)
{
    arrival->outer = (struct lf_outer){.tos = 0, .ttl = 255};
    for (struct cmsghdr *control = CMSG_FIRSTHDR(header); control; control = CMSG_NXTHDR(header, control)) {
        int value = 0;

        if (control->cmsg_level == IPPROTO_IP && control->cmsg_type == IP_TOS) {
            arrival->outer.tos = *CMSG_DATA(control);
            continue;
        }
        memcpy(&value, CMSG_DATA(control), sizeof value);
        if (control->cmsg_level == IPPROTO_IP && control->cmsg_type == IP_TTL)
            arrival->outer.ttl = (uint8_t)value;
        else if (control->cmsg_level == IPPROTO_IPV6 && control->cmsg_type == IPV6_HOPLIMIT)
            arrival->outer.ttl = (uint8_t)value;
        else if (control->cmsg_level == IPPROTO_IPV6 && control->cmsg_type == IPV6_TCLASS)
            arrival->outer.tos = (uint8_t)value;
        else if (control->cmsg_level == IPPROTO_UDP && control->cmsg_type == UDP_GRO && value > 0)
            arrival->size = (size_t)value;
    }
}

unsigned lf_inbox_receive(struct lf_inbox *inbox, int fd, struct lf_arrival arrivals[LF_MESSAGES])
{
    size_t bytes = 0;
    int got;

    for (unsigned i = 0; i < inbox->room; i++) {
        inbox->headers[i].msg_hdr.msg_namelen = sizeof inbox->messages[i].name;
        inbox->headers[i].msg_hdr.msg_controllen = CONTROL;
    }
    got = recvmmsg(fd, inbox->headers, inbox->room, MSG_DONTWAIT, NULL);
    for (int i = 0; i < got; i++) {
        arrivals[i] = (struct lf_arrival){.data = inbox->messages[i].vector.iov_base,
                                          .length = inbox->headers[i].msg_len,
                                          .size = inbox->headers[i].msg_len,
                                          .source = lf_sockaddr_address(&inbox->messages[i].name)};
        read_control(&inbox->headers[i].msg_hdr, &arrivals[i]);
        bytes += arrivals[i].length;
    }
    if (got > 0)
        inbox->room = bytes / (size_t)got >= LF_LARGE ? LF_MESSAGES_LARGE : LF_MESSAGES;
    return got > 0 ? (unsigned)got : 0;
}
