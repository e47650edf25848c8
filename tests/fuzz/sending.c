/* The way out against a kernel that refuses: random scripts of errors, and a ledger that knows what must arrive. Nothing
 * is lost that was not refused for good, nothing is sent twice, each flow keeps its order, every counter is right. To be
 * linked with --wrap for each __wrap_ function below. Usage: sending SEED ROUNDS. */
#define _GNU_SOURCE
#include "outbox.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "errqueue.h"

enum { FLOWS = 6, LOCATORS = 3, DATAGRAMS = 400, BYTES = 1500, PEER_MTU = 1234, DEVICES = 2 };
enum { UNREACHABLE = 3, PORT = 3, TIME_EXCEEDED = 11 };

#define CHECK(condition) \
    do \
        if (!(condition)) { \
            fprintf(stderr, "%s:%d: %s (round %u)\n", __FILE__, __LINE__, #condition, round_number); \
            abort(); \
        } \
    while (0)

static unsigned round_number;
static uint64_t state;
static uint64_t total, learnt;

static unsigned chance(unsigned below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)(state >> 33) % below;
}

/* What this round's kernel is like. */
static struct {
    bool plain[DEVICES + 1]; /* the device of this index takes no runs */
    size_t mtu[DEVICES + 1]; /* the biggest datagram through it */
    bool gone[DEVICES + 1];  /* our address has left it: EINVAL for everything */
    int too_big;             /* how a run of too long segments is refused: EMSGSIZE, or EINVAL of older kernels */
    unsigned segments;       /* of a run */
    unsigned fulls;          /* so often the socket is full still */
    unsigned strangers;      /* errors about somebody else that are on their way */
    unsigned drops;          /* so many messages are refused for good */
} kernel;

static unsigned pending;   /* strangers' errors in the queue */
static bool local_pending; /* our own interface's */
static bool unreachable;   /* somebody said so in this round */

/* The ledger: what became of each datagram. */
static struct entry {
    uint8_t *bytes;
    size_t length;
    unsigned flow;
    unsigned device;
    unsigned arrived;
    bool refused;
} ledger[DATAGRAMS];
static unsigned entries;
static uint8_t memory[DATAGRAMS * (BYTES + 1)]; /* one datagram right behind the other, mostly */
static size_t used;
static unsigned last[FLOWS]; /* 1 + the newest of the flow that arrived */

static const struct entry *entry_at(const uint8_t *bytes)
{
    uint32_t number;

    memcpy(&number, bytes + LF_HEADER, sizeof number);
    CHECK(number < entries);
    return &ledger[number];
}

static size_t flatten(const struct msghdr *message, uint8_t *out)
{
    size_t length = 0;

    for (size_t i = 0; i < message->msg_iovlen; i++) {
        memcpy(out + length, message->msg_iov[i].iov_base, message->msg_iov[i].iov_len);
        length += message->msg_iov[i].iov_len;
    }
    return length;
}

struct request {
    size_t segment; /* 0 for none */
    unsigned device;
};

static struct request read_request(struct msghdr *message)
{
    struct request request = {0};

    for (struct cmsghdr *control = CMSG_FIRSTHDR(message); control; control = CMSG_NXTHDR(message, control)) {
        if (control->cmsg_level == IPPROTO_UDP) {
            uint16_t size;

            memcpy(&size, CMSG_DATA(control), sizeof size);
            request.segment = size;
        } else if (control->cmsg_type == IP_PKTINFO && control->cmsg_level == IPPROTO_IP) {
            struct in_pktinfo info;

            memcpy(&info, CMSG_DATA(control), sizeof info);
            request.device = (unsigned)info.ipi_ifindex;
        }
    }
    CHECK(request.device >= 1 && request.device <= DEVICES);
    return request;
}

/* 0, or the errno that a kernel of these properties has for a message. */
static int verdict(const struct request *request, size_t length)
{
    size_t each = request->segment && request->segment < length ? request->segment : length;

    if (kernel.gone[request->device])
        return EINVAL;
    if (kernel.fulls && chance(4) == 0) {
        kernel.fulls--;
        return EAGAIN;
    }
    if (chance(8) == 0)
        return EINTR;
    if (kernel.strangers && chance(3) == 0) { /* it arrives, and fails whoever sends next */
        kernel.strangers--;
        pending += chance(4) != 0; /* or its text was taken already */
        return chance(2) ? ECONNREFUSED : EHOSTUNREACH;
    }
    if (kernel.drops && chance(4) == 0) {
        kernel.drops--;
        return chance(3) ? chance(2) ? ENOBUFS : EPERM : ENETUNREACH;
    }
    if (request->segment && (length + each - 1) / each > kernel.segments)
        return EMSGSIZE;
    if (each > kernel.mtu[request->device]) {
        if (request->segment)
            return kernel.too_big;
        local_pending = true;
        return EMSGSIZE;
    }
    return request->segment && kernel.plain[request->device] ? EIO : 0;
}

static void take(const struct request *request, const uint8_t *bytes, size_t length)
{
    for (size_t at = 0, each = request->segment ? request->segment : length; at < length; at += each) {
        const struct entry *entry = entry_at(bytes + at);
        unsigned number = (unsigned)(entry - ledger);

        CHECK(entry->length == (length - at < each ? length - at : each));
        CHECK(memcmp(entry->bytes, bytes + at, entry->length) == 0);
        CHECK(entry->device == request->device);
        ledger[number].arrived++;
        CHECK(last[entry->flow] <= number);
        last[entry->flow] = number + 1;
    }
}

static void refuse(const struct request *request, const uint8_t *bytes, size_t length, int error)
{
    if (request->segment && error != ENOBUFS && error != EPERM && error != ENETUNREACH)
        return; /* it is to be cut, and tried again */
    unreachable = unreachable || error == ENETUNREACH;
    for (size_t at = 0, each = request->segment ? request->segment : length; at < length; at += each)
        ledger[entry_at(bytes + at) - ledger].refused = true;
}

static int send_one(struct msghdr *message)
{
    static uint8_t bytes[1 << 17];
    const struct request request = read_request(message);
    size_t length = flatten(message, bytes);
    int error = verdict(&request, length);

    CHECK(length <= 65507);
    if (error && error != EINTR && error != EAGAIN && error != ECONNREFUSED && error != EHOSTUNREACH)
        refuse(&request, bytes, length, error);
    if (!error)
        take(&request, bytes, length);
    errno = error;
    return error ? -1 : (int)length;
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags);
int __wrap_sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags);
ssize_t __wrap_recvmsg(int fd, struct msghdr *message, int flags);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *length);
int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t length);
int __wrap_poll(struct pollfd *polled, nfds_t count, int timeout);

ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags)
{
    struct msghdr copy = *message;

    CHECK(fd >= 100 && flags == 0);
    return send_one(&copy);
}

int __wrap_sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    int sent = 0;

    CHECK(fd >= 100 && flags == 0 && count);
    while ((unsigned)sent < count) {
        if (sent && chance(10) == 0)
            break; /* fewer than were asked */
        if (send_one(&messages[sent].msg_hdr) < 0)
            break;
        sent++;
    }
    return sent ? sent : -1;
}

ssize_t __wrap_recvmsg(int fd, struct msghdr *message, int flags)
{
    const bool local = local_pending && !pending;
    struct sock_extended_err error = {.ee_errno = local ? EMSGSIZE : ECONNREFUSED,
                                      .ee_origin = local ? SO_EE_ORIGIN_LOCAL : SO_EE_ORIGIN_ICMP,
                                      .ee_type = local ? 0 : chance(2) ? TIME_EXCEEDED : UNREACHABLE,
                                      .ee_code = local ? 0 : PORT,
                                      .ee_info = local ? PEER_MTU : 0};
    struct sockaddr_in name = {.sin_family = AF_INET};
    struct cmsghdr *control = message->msg_control;

    CHECK(fd >= 100 && flags == (MSG_ERRQUEUE | MSG_DONTWAIT));
    if (!pending && !local_pending) {
        errno = EAGAIN;
        return -1;
    }
    if (local)
        local_pending = false;
    else
        pending--;
    unreachable = unreachable || error.ee_type == UNREACHABLE;
    memcpy(message->msg_name, &name, sizeof name);
    *control = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof error), .cmsg_level = IPPROTO_IP, .cmsg_type = IP_RECVERR};
    memcpy(CMSG_DATA(control), &error, sizeof error);
    message->msg_controllen = CMSG_SPACE(sizeof error);
    return 0;
}

int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *length)
{
    CHECK(fd >= 100 && level == SOL_SOCKET && name == SO_ERROR && *length == sizeof(int));
    memset(value, 0, *length);
    return 0;
}

int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t length)
{
    CHECK(fd >= 100 && level == SOL_SOCKET && name == SO_NO_CHECK && value && length == sizeof(int));
    return 0;
}

int __wrap_poll(struct pollfd *polled, nfds_t count, int timeout)
{
    CHECK(count == 1 && polled->fd >= 100 && timeout > 0 && timeout <= 5);
    return 1;
}

static struct lf_udp udp;
static struct lf_counters counters;
static _Alignas(LF_USAGE_PAGE) struct lf_usage usage[FLOWS];
static struct lf_locator locators[LOCATORS];
static struct lf_source sources[DEVICES];
static struct lf_way ways[FLOWS];

static void arrange(const struct lf_options *options)
{
    memset(&counters, 0, sizeof counters);
    memset(usage, 0, sizeof usage);
    memset(last, 0, sizeof last);
    used = entries = pending = 0;
    local_pending = unreachable = false;
    udp = (struct lf_udp){.family = 4, .receive = 100, .count = options->source_ports};
    for (int i = 0; i <= LF_PORTS_MAX; i++)
        udp.ports[i] = options->source_ports == 1
                           ? (struct lf_port){.run = 100, .alone = 100}
                           : (struct lf_port){.run = 101 + 2 * i, .alone = 102 + 2 * i};
    for (unsigned i = 0; i < LOCATORS; i++)
        locators[i] = (struct lf_locator){.address = {.family = 4}, .port = 4341, .form = (uint8_t)(i % LF_FORMS)};
    for (unsigned i = 1; i <= DEVICES; i++) {
        sources[i - 1] = (struct lf_source){.address = {.family = 4}, .ifindex = i};
        kernel.plain[i] = chance(4) == 0;
        kernel.mtu[i] = chance(3) ? BYTES : 200 + chance(1200);
        kernel.gone[i] = chance(8) == 0;
    }
    kernel.too_big = chance(2) ? EMSGSIZE : EINVAL;
    kernel.segments = chance(2) ? 64 : 128;
    kernel.strangers = chance(2) ? chance(8) : 0;
    kernel.drops = chance(3) ? 0 : chance(8);
    for (unsigned i = 0; i < FLOWS; i++)
        ways[i] = (struct lf_way){.locator = &locators[chance(LOCATORS)],
                                  .source = &sources[chance(DEVICES)],
                                  .usage = &usage[i],
                                  .ttl = 64,
                                  .front = LF_HEADER,
                                  .port = (uint8_t)chance(options->source_ports)};
}

static void add(struct lf_outbox *outbox, unsigned flow, size_t length)
{
    struct entry *entry = &ledger[entries];
    uint32_t number = entries++;

    used += chance(5) == 0;
    *entry = (struct entry){
        .bytes = memory + used, .length = length, .flow = flow, .device = ways[flow].source->ifindex};
    used += length;
    for (size_t i = 0; i < length; i++)
        entry->bytes[i] = (uint8_t)(i * 31 + number);
    memcpy(entry->bytes + LF_HEADER, &number, sizeof number);
    if (chance(10) == 0)
        ways[flow].tos = (uint8_t)chance(4); /* as ECN does within a flow */
    while (!lf_outbox_add(outbox, &ways[flow], entry->bytes, length))
        lf_outbox_flush(outbox, 1);
}

static void settle(const struct lf_outbox *outbox)
{
    uint64_t arrived = 0, bytes = 0, lost = 0, counted = 0, dropped = 0;

    for (unsigned i = 0; i < entries; i++) {
        CHECK(ledger[i].arrived <= 1);
        CHECK(ledger[i].arrived || ledger[i].refused);
        arrived += ledger[i].arrived;
        bytes += ledger[i].arrived ? ledger[i].length - LF_HEADER : 0;
        lost += !ledger[i].arrived;
    }
    CHECK(counters.packets_out == arrived && counters.bytes_out == bytes);
    CHECK(counters.drops[LF_TOO_BIG] + counters.drops[LF_SEND_FAILED] == lost);
    for (unsigned i = 0; i < FLOWS; i++) {
        counted += usage[i].packets;
        dropped += usage[i].drops;
    }
    CHECK(counted == arrived && dropped == lost);
    for (unsigned i = 1; i <= DEVICES; i++) {
        CHECK(!lf_outbox_plain(outbox, i) || kernel.plain[i]); /* not for an address that has gone, nor for an MTU */
        learnt += lf_outbox_plain(outbox, i);
    }
    CHECK(!outbox->lost_segmentation || lf_outbox_plain(outbox, outbox->lost_ifindex));
    for (unsigned i = 0; i < outbox->troubles; i++)
        CHECK(outbox->trouble[i].mtu == (outbox->trouble[i].unreachable ? 0 : PEER_MTU) &&
              (unreachable || !outbox->trouble[i].unreachable));
}

static void play(void)
{
    const unsigned ports = chance(2) ? 16 : 1;
    const struct lf_options options = {.source_ports = ports, .checksum = (enum lf_checksum_policy)chance(3)};
    struct lf_outbox outbox;
    unsigned wanted = 1 + chance(DATAGRAMS), flow = 0;
    size_t length = BYTES;

    arrange(&options);
    CHECK(lf_outbox_init(&outbox, &udp, &options, options.checksum == LF_CHECKSUM_ZERO ? 1 : 128, &counters));
    while (entries < wanted) {
        if (chance(6) == 0)
            flow = chance(FLOWS);
        if (chance(8) == 0)
            length = LF_HEADER + 12 + chance(BYTES - LF_HEADER - 12 + 1);
        add(&outbox, flow, chance(12) ? length : LF_HEADER + 12 + chance((unsigned)length - LF_HEADER - 11));
        if (chance(100) == 0) {
            outbox.waits = outbox.troubles = 0;
            kernel.fulls = chance(5);
            lf_outbox_flush(&outbox, 1);
        }
    }
    outbox.waits = outbox.troubles = kernel.fulls = 0;
    lf_outbox_flush(&outbox, 1);
    CHECK(lf_outbox_empty(&outbox));
    settle(&outbox);
    total += counters.packets_out;
    lf_outbox_close(&outbox);
}

int main(int argc, char **argv)
{
    unsigned rounds = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 0) : 2000;

    state = (argc > 1 ? strtoull(argv[1], NULL, 0) : 1) * UINT64_C(0x9e3779b97f4a7c15) + 1;
    for (round_number = 0; round_number < rounds; round_number++)
        play();
    CHECK(learnt > rounds / 50);
    printf("%llu datagrams arrived, %llu times no runs\n", (unsigned long long)total, (unsigned long long)learnt);
    return 0;
}
