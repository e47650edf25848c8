/* A run as sendmsg wants it; for outbox.c and sending.c alone. */
#ifndef LF_MESSAGE_H
#define LF_MESSAGE_H

#include <sys/uio.h>

#include "outbox.h"

enum { LF_CONTROL = 128 }; /* source and interface, TTL, traffic class, segment size */

struct lf_outbox_message {
    union lf_sockaddr name;
    socklen_t name_length;
    size_t control_length; /* without the segment size, which comes last */
    union {
        struct cmsghdr align;
        uint8_t bytes[LF_CONTROL];
    } control;
    struct iovec parts[LF_RUN_DATAGRAMS];
};

/* Appends a control message at `length` of the control bytes; returns the new length. */
size_t lf_message_control(struct lf_outbox_message *message, size_t length, int level, int type, const void *value,
                          size_t size);

#endif
