/* A load of UDP datagrams of one size: `send` at a rate or as fast as it goes, `receive` and count.
 *
 * udpload send ADDRESS PORT BYTES SECONDS RATE   RATE in datagrams a second, 0 for no limit
 * udpload receive ADDRESS PORT                   until SIGTERM
 *
 * The sender makes a system call for each datagram and waits between them by looking at the clock: a timer would come
 * late and make bursts. The receiver may take many at a time; what it counts has reached an application. */
#define _GNU_SOURCE
#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* Ours. The buffer is for what comes while the receiver waits for a processor; it is the same for every path. */
enum { RECEIVE_BUFFER = 4 << 20, BATCH = 64, DATAGRAM_MAX = 2048 };

static const uint64_t SECOND = 1000000000;

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static uint64_t now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * SECOND + (uint64_t)time.tv_nsec;
}

static int open_socket(const char *address, const char *port, struct sockaddr_storage *name, socklen_t *length)
{
    const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_DGRAM};
    struct addrinfo *found;
    int fd;

    if (getaddrinfo(address, port, &hints, &found) != 0) {
        fprintf(stderr, "udpload: no address: %s %s\n", address, port);
        exit(2);
    }
    memcpy(name, found->ai_addr, found->ai_addrlen);
    *length = found->ai_addrlen;
    fd = socket(found->ai_family, SOCK_DGRAM, 0);
    freeaddrinfo(found);
    if (fd < 0)
        fail("udpload: socket");
    return fd;
}

static void send_load(int fd, const struct sockaddr *to, socklen_t length, size_t size, double seconds, double rate)
{
    static const char datagram[DATAGRAM_MAX];
    const uint64_t start = now(), end = start + (uint64_t)(seconds * (double)SECOND);
    const double gap = rate > 0 ? (double)SECOND / rate : 0;
    uint64_t sent = 0, failed = 0, at = start;

    for (;;) {
        const uint64_t due = start + (uint64_t)(gap * (double)(sent + failed));

        do
            at = now();
        while (at < due && at < end);
        if (at >= end)
            break;
        if (sendto(fd, datagram, size, 0, to, length) >= 0)
            sent++;
        else
            failed++;
    }
    printf("sent=%llu failed=%llu seconds=%.6f\n", (unsigned long long)sent, (unsigned long long)failed,
           (double)(at - start) / (double)SECOND);
}

static volatile sig_atomic_t told;

static void tell(int number)
{
    (void)number;
    told = 1;
}

static void receive_load(int fd, const struct sockaddr *name, socklen_t length)
{
    static char datagrams[BATCH][DATAGRAM_MAX];
    const struct sigaction action = {.sa_handler = tell};
    struct iovec parts[BATCH];
    struct mmsghdr messages[BATCH] = {0};
    unsigned long long received = 0;
    const struct timeval patience = {.tv_usec = 100000}; /* a signal just before the call does not end it */
    const int size = RECEIVE_BUFFER;

    for (int i = 0; i < BATCH; i++) {
        parts[i] = (struct iovec){.iov_base = datagrams[i], .iov_len = DATAGRAM_MAX};
        messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
    }
    sigaction(SIGTERM, &action, NULL);
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0 || bind(fd, name, length) != 0)
        fail("udpload: bind");
    puts("ready");
    fflush(stdout);
    for (;;) {
        /* Once told, only what is there already. */
        const int count = recvmmsg(fd, messages, BATCH, told ? MSG_DONTWAIT : MSG_WAITFORONE, NULL);

        if (count > 0)
            received += (unsigned)count;
        else if (errno != EINTR && errno != EAGAIN)
            fail("udpload: recvmmsg");
        else if (told && errno == EAGAIN)
            break;
    }
    printf("received=%llu\n", received);
}

int main(int argc, char **argv)
{
    struct sockaddr_storage name;
    socklen_t length;
    int fd;

    if (argc == 7 && strcmp(argv[1], "send") == 0 && strtoul(argv[4], NULL, 10) <= DATAGRAM_MAX) {
        fd = open_socket(argv[2], argv[3], &name, &length);
        send_load(fd, (const struct sockaddr *)&name, length, strtoul(argv[4], NULL, 10), strtod(argv[5], NULL),
                  strtod(argv[6], NULL));
    } else if (argc == 4 && strcmp(argv[1], "receive") == 0) {
        fd = open_socket(argv[2], argv[3], &name, &length);
        receive_load(fd, (const struct sockaddr *)&name, length);
    } else {
        fputs("usage: udpload send ADDRESS PORT BYTES SECONDS RATE | udpload receive ADDRESS PORT\n", stderr);
        return 2;
    }
    close(fd);
    return 0;
}
