#define _GNU_SOURCE
#include "udp.h"

#include <errno.h>
#include <linux/filter.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* From the kernel's headers, where libc's are older. */
#ifndef UDP_NO_CHECK6_TX
#define UDP_NO_CHECK6_TX 101
#define UDP_NO_CHECK6_RX 102
#endif
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#define UDP_GRO 104
#endif
#ifndef SO_MEMINFO
#define SO_MEMINFO 55
#endif
#ifndef IP_PMTUDISC_PROBE
#define IP_PMTUDISC_PROBE 3
#define IPV6_PMTUDISC_PROBE 3
#endif
enum { MEMINFO_DROPS = 8, MEMINFO_WORDS = 16 };

/* Ours: a burst of some 2,000 full packets while the worker writes to the TUN. The send buffer stays the kernel's
 * default, three runs or so: more of it would only be queueing delay on a slow link. */
enum { RECEIVE_BUFFER = 4 << 20 };

struct option {
    int level, name, value;
};

static const struct option receive4[] = {{IPPROTO_IP, IP_RECVTTL, 1}, {IPPROTO_IP, IP_RECVTOS, 1}};
static const struct option receive6[] = {
    {IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1},
    {IPPROTO_IPV6, IPV6_RECVTCLASS, 1},
    {IPPROTO_UDP, UDP_NO_CHECK6_RX, 1}, /* RFC 9300 section 5.3: a zero checksum is accepted */
};

/* The outer packet is never fragmented (RFC 9300 section 7.1), and the MTU is the table's business, not the kernel's
 * cache's. Errors are asked for: they tell of paths that take less. */
static const struct option send4[] = {
    {IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE},
    {IPPROTO_IP, IP_RECVERR, 1},
};
static const struct option send6[] = {
    {IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE},
    {IPPROTO_IPV6, IPV6_RECVERR, 1},
};
static const struct option fragment4[] = {{IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT}};
static const struct option fragment6[] = {{IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DONT}};

#define COUNT(array) (sizeof(array) / sizeof *(array))

static int set_options(int fd, const struct option *options, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof options[i].value))
            return errno;
    return 0;
}

static int set(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof value) ? errno : 0;
}

static void set_no_checksum(int fd, uint8_t family, bool zero)
{
    if (family == 4)
        (void)set(fd, SOL_SOCKET, SO_NO_CHECK, zero);
    else
        (void)set(fd, IPPROTO_UDP, UDP_NO_CHECK6_TX, zero);
}

static int open_socket(uint8_t family)
{
    int fd = socket(family == 4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd >= 0 && family == 6)
        (void)set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    return fd;
}

static int bind_to(int fd, uint8_t family, uint16_t port)
{
    const struct lf_address any = {.family = family};
    union lf_sockaddr name;
    socklen_t length = lf_sockaddr_make(&name, &any, port);

    return bind(fd, &name.any, length) ? errno : 0;
}

static uint16_t port_of(int fd)
{
    union lf_sockaddr name;
    socklen_t length = sizeof name;

    if (getsockname(fd, &name.any, &length))
        return 0;
    return ntohs(name.any.sa_family == AF_INET ? name.v4.sin_port : name.v6.sin6_port);
}

/* A socket that receives on a data port; negative for an errno. */
static int open_receiver(uint8_t family, uint16_t port, bool shared, bool gro, struct lf_features *features)
{
    int fd = open_socket(family);
    int error;

    if (fd < 0)
        return -errno;
    error = family == 4 ? set_options(fd, receive4, COUNT(receive4)) : set_options(fd, receive6, COUNT(receive6));
    if (!error)
        error = family == 4 ? set_options(fd, send4, COUNT(send4)) : set_options(fd, send6, COUNT(send6));
    if (!error && shared)
        error = set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (set(fd, SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER))
        (void)set(fd, SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER);
    if (gro && set(fd, IPPROTO_UDP, UDP_GRO, 1))
        features->gro = false;
    if (!error)
        error = bind_to(fd, family, port);
    if (!error)
        return fd;
    close(fd);
    return -error;
}

/* A socket that only sends, on `port` or, for 0, on a free one of the kernel's choice; negative for an errno. What comes
 * for it is dropped before it takes any memory. A port that may be shared is free to the kernel though it is taken, so
 * the first socket of a port becomes one to share only once it has it. */
static int open_sender(uint8_t family, uint16_t port, bool fragments)
{
    struct sock_filter nothing = {.code = BPF_RET | BPF_K, .k = 0};
    const struct sock_fprog program = {.len = 1, .filter = &nothing};
    int fd = open_socket(family);
    int error;

    if (fd < 0)
        return -errno;
    error = setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) ? errno : 0;
    if (!error)
        error = family == 4 ? set_options(fd, send4, COUNT(send4)) : set_options(fd, send6, COUNT(send6));
    if (!error && fragments)
        error = family == 4 ? set_options(fd, fragment4, COUNT(fragment4))
                            : set_options(fd, fragment6, COUNT(fragment6));
    if (!error && port)
        error = set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (!error)
        error = bind_to(fd, family, port);
    if (!error && !port)
        error = set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (!error)
        return fd;
    close(fd);
    return -error;
}

static int open_port(struct lf_port *port, uint8_t family, enum lf_checksum_policy policy, bool fragments)
{
    int fd = open_sender(family, 0, fragments);

    if (fd < 0)
        return -fd;
    *port = (struct lf_port){.run = fd, .alone = fd, .zero = policy == LF_CHECKSUM_ZERO, .number = port_of(fd)};
    if (policy == LF_CHECKSUM_ZERO)
        set_no_checksum(fd, family, true);
    if (policy != LF_CHECKSUM_AUTO)
        return 0;
    fd = open_sender(family, port->number, fragments);
    if (fd < 0)
        return -fd;
    set_no_checksum(fd, family, true);
    port->alone = fd;
    return 0;
}

static int open_ports(struct lf_udp *udp, const struct lf_options *options)
{
    int error = open_port(&udp->ports[LF_PORTS_MAX], udp->family, options->checksum, true);

    udp->count = options->source_ports < LF_PORTS_MAX ? options->source_ports : LF_PORTS_MAX;
    if (udp->count <= 1) {
        udp->count = 1;
        udp->ports[0] = (struct lf_port){.run = udp->receive, .alone = udp->receive, .number = options->port};
        if (options->checksum == LF_CHECKSUM_ZERO)
            lf_udp_set_zero(udp, &udp->ports[0], true);
        return error;
    }
    for (unsigned i = 0; i < udp->count && !error; i++)
        error = open_port(&udp->ports[i], udp->family, options->checksum, false);
    return error;
}

void lf_udp_clear(struct lf_udp *udp, uint8_t family)
{
    *udp = (struct lf_udp){.family = family, .receive = -1, .vxlan = -1};
    for (unsigned i = 0; i <= LF_PORTS_MAX; i++)
        udp->ports[i] = (struct lf_port){.run = -1, .alone = -1};
}

int lf_udp_open(struct lf_udp *udp, uint8_t family, const struct lf_options *options, bool shared,
                struct lf_features *features)
{
    int error;

    lf_udp_clear(udp, family);
    udp->receive = open_receiver(family, options->port, shared, options->offload, features);
    if (udp->receive < 0) {
        error = -udp->receive;
        udp->receive = -1;
        /* EADDRNOTAVAIL: IPv6 is there but disabled on every interface. */
        return error == EAFNOSUPPORT || error == EADDRNOTAVAIL ? 0 : error;
    }
    if (options->vxlan_port) {
        udp->vxlan = open_receiver(family, options->vxlan_port, shared, options->offload, features);
        if (udp->vxlan < 0) {
            error = -udp->vxlan;
            udp->vxlan = -1;
            return error;
        }
    }
    return open_ports(udp, options);
}

static void close_port(const struct lf_udp *udp, const struct lf_port *port)
{
    if (port->alone >= 0 && port->alone != port->run)
        close(port->alone);
    if (port->run >= 0 && port->run != udp->receive)
        close(port->run);
}

void lf_udp_close(struct lf_udp *udp)
{
    for (unsigned i = 0; i <= LF_PORTS_MAX; i++)
        close_port(udp, &udp->ports[i]);
    if (udp->receive >= 0)
        close(udp->receive);
    if (udp->vxlan >= 0)
        close(udp->vxlan);
    lf_udp_clear(udp, udp->family);
}

void lf_udp_set_zero(const struct lf_udp *udp, struct lf_port *port, bool zero)
{
    set_no_checksum(port->run, udp->family, zero);
    port->zero = zero;
}

static uint64_t lost_at(int fd)
{
    uint32_t words[MEMINFO_WORDS] = {0};
    socklen_t length = sizeof words;

    return fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_MEMINFO, words, &length) == 0 ? words[MEMINFO_DROPS] : 0;
}

uint64_t lf_udp_lost(const struct lf_udp *udp)
{
    return lost_at(udp->receive) + lost_at(udp->vxlan);
}

static uint64_t read_snmp4(void)
{
    char names[1024], values[1024];
    uint64_t found = 0;
    FILE *file = fopen("/proc/thread-self/net/snmp", "re");

    if (!file)
        return 0;
    /* Two lines a protocol: names, then values. */
    while (fgets(names, sizeof names, file) && fgets(values, sizeof values, file)) {
        char *name_rest, *value_rest;
        char *name = strtok_r(names, " \n", &name_rest), *value = strtok_r(values, " \n", &value_rest);

        if (!name || strcmp(name, "Udp:") != 0)
            continue;
        while (name && value && strcmp(name, "InCsumErrors") != 0) {
            name = strtok_r(NULL, " \n", &name_rest);
            value = strtok_r(NULL, " \n", &value_rest);
        }
        found = name && value ? strtoull(value, NULL, 10) : 0;
    }
    fclose(file);
    return found;
}

static uint64_t read_snmp6(void)
{
    char line[128];
    unsigned long long found = 0;
    FILE *file = fopen("/proc/thread-self/net/snmp6", "re");

    if (!file)
        return 0;
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "Udp6InCsumErrors %llu", &found) == 1)
            break;
    fclose(file);
    return found;
}

uint64_t lf_udp_wrong_checksums(void)
{
    return read_snmp4() + read_snmp6();
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
