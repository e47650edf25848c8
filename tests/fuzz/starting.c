/* An engine on a host that gives out: each call that takes something from it fails once, and after that start nothing is
 * left open; and hosts that lack a family, whose locators are no locators, and whose TUN has an odd frame. Leaks are the
 * sanitizer's to find. To be linked with --wrap for each __wrap_ function below. Usage: starting PORT. */
#define _GNU_SOURCE
#include "engine.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "change.h"

enum { WORKERS = 2, PATIENCE_MS = 10000, PACKET = 28 };

#define CHECK(condition) \
    do \
        if (!(condition)) { \
            fprintf(stderr, "%s:%d: %s (call %u)\n", __FILE__, __LINE__, #condition, failing); \
            abort(); \
        } \
    while (0)

static int tuns[WORKERS], outside[WORKERS];
static unsigned calls, failing; /* the call of this number fails, 0 for none */
static int missing;             /* the family that this host has not got, 0 for none */

static bool fails(int error)
{
    if (!failing || ++calls != failing)
        return false;
    errno = error;
    return true;
}

#define WRAP(type, name, error, failure, parameters, arguments) \
    type __real_##name parameters; \
    type __wrap_##name parameters; \
    type __wrap_##name parameters \
    { \
        return fails(error) ? failure : __real_##name arguments; \
    }

WRAP(int, bind, EACCES, -1, (int fd, const struct sockaddr *name, socklen_t length), (fd, name, length))
WRAP(int, setsockopt, ENOPROTOOPT, -1, (int fd, int level, int name, const void *value, socklen_t length),
     (fd, level, name, value, length))
WRAP(int, epoll_create1, EMFILE, -1, (int flags), (flags))
WRAP(int, epoll_ctl, ENOSPC, -1, (int epoll, int what, int fd, struct epoll_event *event), (epoll, what, fd, event))
WRAP(int, eventfd, EMFILE, -1, (unsigned first, int flags), (first, flags))
WRAP(void *, mmap, ENOMEM, MAP_FAILED, (void *at, size_t size, int access, int flags, int fd, off_t offset),
     (at, size, access, flags, fd, offset))
WRAP(void *, malloc, ENOMEM, NULL, (size_t size), (size))
WRAP(void *, calloc, ENOMEM, NULL, (size_t count, size_t size), (count, size))
WRAP(int, posix_memalign, ENOMEM, ENOMEM, (void **made, size_t alignment, size_t size), (made, alignment, size))
WRAP(int, pthread_create, EAGAIN, EAGAIN,
     (pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *context),
     (thread, attributes, run, context))

int __real_socket(int family, int type, int protocol);
int __wrap_socket(int family, int type, int protocol);
int __wrap_socket(int family, int type, int protocol)
{
    if (family == missing) {
        errno = EAFNOSUPPORT;
        return -1;
    }
    return fails(EMFILE) ? -1 : __real_socket(family, type, protocol);
}

ssize_t __real_read(int fd, void *bytes, size_t size);
ssize_t __wrap_read(int fd, void *bytes, size_t size);

static _Atomic(unsigned) odd; /* so many frames of the TUN are ones that the kernel cannot describe */

ssize_t __wrap_read(int fd, void *bytes, size_t size)
{
    ssize_t got = __real_read(fd, bytes, size);

    if (got <= 0 || !odd || fd != tuns[0])
        return got;
    odd--;
    errno = EINVAL;
    return -1;
}

static unsigned open_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    unsigned count = 0;

    CHECK(directory);
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

static struct lf_options options(uint16_t port)
{
    return (struct lf_options){.port = port,
                               .vxlan_port = (uint16_t)(port + 1),
                               .source_ports = 3,
                               .checksum = LF_CHECKSUM_AUTO,
                               .offload = true,
                               .framed = false};
}

/* Whether the call of this number was reached; an engine that starts all the same must end all the same. */
static bool start_with_failure(uint16_t port, unsigned number, unsigned *refused)
{
    const struct lf_options wanted = options(port);
    const unsigned before = open_descriptors();
    bool reached;

    failing = number;
    calls = 0;

    struct lf_engine *engine = lf_engine_new(tuns, WORKERS, &wanted);

    if (engine) {
        int error = lf_engine_start(engine);

        CHECK(error >= 0);
        *refused += error != 0;
        if (error)
            CHECK(!lf_engine_has_family(engine, 4) && lf_engine_totals(engine).packets_out == 0);
    }
    reached = calls >= failing;
    failing = 0;
    lf_engine_free(engine);
    CHECK(open_descriptors() == before);
    return reached;
}

static struct lf_address loopback(unsigned family)
{
    const uint8_t v4[4] = {127, 0, 0, 1}, v6[16] = {[15] = 1};

    return lf_address_make((uint8_t)family, family == 4 ? v4 : v6);
}

/* A packet to a locator of the family that is missing is dropped, by name. */
static void lack(uint16_t port, unsigned family)
{
    const struct lf_options wanted = options(port);
    const uint8_t near[4] = {10, 0, 0, 1}, far[4] = {10, 0, 0, 2};
    const struct lf_address eid = lf_address_make(4, near), destination = lf_address_make(4, far);
    const struct lf_address source = loopback(family);
    const struct lf_locator locator = {.address = source, .port = 9, .mtu = 1500, .priority = 1, .weight = 1};
    static struct change change;
    const uint8_t packet[PACKET] = {0x45, [3] = PACKET, [8] = 64, [9] = 17, [12] = 10, [15] = 1, [16] = 10, [19] = 2};
    struct lf_engine *engine = lf_engine_new(tuns, WORKERS, &wanted);

    change_begin(&change);
    change_local(&change, &eid, 0);
    change_source(&change, 0, &source, 0);
    change_put(&change, 0, &destination, 32, &locator);
    CHECK(lf_engine_commit_packed(engine, change.buffer, change_end(&change)).error == LF_OK);
    missing = family == 4 ? AF_INET : AF_INET6;
    CHECK(lf_engine_start(engine) == 0);
    CHECK(!lf_engine_has_family(engine, family) && lf_engine_has_family(engine, 10 - family));
    odd = 1;
    for (unsigned i = 0; i < 2; i++)
        CHECK(write(outside[0], packet, PACKET) == PACKET);
    for (unsigned i = 0; lf_engine_totals(engine).drops[LF_NO_LOCATOR] == 0; i++) {
        CHECK(i < PATIENCE_MS);
        CHECK(poll(NULL, 0, 1) == 0);
    }
    CHECK(lf_engine_totals(engine).drops[LF_INNER_MALFORMED] == 1 && !lf_engine_tun_lost(engine));
    missing = 0;
    lf_engine_free(engine);
}

int main(int argc, char **argv)
{
    uint16_t port = (uint16_t)(argc > 1 ? strtoul(argv[1], NULL, 0) : 24345);
    unsigned number = 1, refused = 0;

    for (unsigned i = 0; i < WORKERS; i++) {
        int pair[2];

        CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0);
        tuns[i] = pair[0];
        outside[i] = pair[1];
    }
    while (start_with_failure(port, number, &refused))
        number++;
    CHECK(refused > number / 2 && refused < number);
    lack(port, 6);
    lack(port, 4);
    printf("%u calls, %u of them fatal\n", number - 1, refused);
    return 0;
}
