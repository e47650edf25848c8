#define _GNU_SOURCE
#include "steer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* From asm-generic/socket.h of Linux 4.5, linux/if_tun.h of Linux 4.16. */
#ifndef SO_ATTACH_REUSEPORT_CBPF
#define SO_ATTACH_REUSEPORT_CBPF 51
#endif
#ifndef TUNSETSTEERINGEBPF
#define TUNSETSTEERINGEBPF _IOR('T', 224, int)
#endif

/* From RFC 9300 section 5.1 (and RFC 9305, and VXLAN-GPE): the header in front of the inner packet. */
enum { LISP_HEADER = 8 };

/* From RFC 791: more fragments, and the fragment offset. */
enum { FRAGMENT_MASK = 0x3fff };

/* Ours. The multiplier is the golden ratio of 32 bits; the shift brings what it raised down again. */
#define MULTIPLIER UINT32_C(0x9e3779b1)
enum { SHIFT = 15, CLASS_SHIFT = 26, PORTS = 4, CODE_MAX = 80 };

_Static_assert(LF_CLASSES == 1 << (32 - CLASS_SHIFT), "the top bits are the class");

static bool ports_shown(const struct lf_packet *packet)
{
    uint8_t protocol = packet->data[packet->family == 4 ? 9 : 6];

    if (packet->family == 4 && lf_load16(packet->data + 6) & FRAGMENT_MASK)
        return false;
    if (protocol != LF_TCP && protocol != LF_UDP && protocol != LF_SCTP)
        return false;
    return packet->length - packet->header >= PORTS;
}

/* The exclusive or of all 32-bit words of both addresses. It does not depend on the order of halves, so the byte order
 * is set once, at the end. */
static uint32_t fold_addresses(const struct lf_packet *packet)
{
    uint64_t words[4], folded;

    memcpy(words, packet->source.bytes, 16);
    memcpy(words + 2, packet->destination.bytes, 16);
    folded = words[0] ^ words[1] ^ words[2] ^ words[3];
    return ntohl((uint32_t)(folded ^ folded >> 32));
}

unsigned lf_steer_class(const struct lf_packet *packet)
{
    uint32_t mixed = fold_addresses(packet) * MULTIPLIER;
    uint32_t transport = (uint32_t)packet->data[packet->family == 4 ? 9 : 6] << 16;

    if (ports_shown(packet)) {
        const uint8_t *ports = packet->data + packet->header;

        transport |= (uint32_t)(lf_load16(ports) ^ lf_load16(ports + 2));
    }
    mixed ^= mixed >> SHIFT;
    return (mixed ^ transport) * MULTIPLIER >> CLASS_SHIFT;
}

/* The same as a program, written once as classic instructions. A load beyond the packet ends it with 0, in both kinds
 * of BPF; of a packet that lf_packet_parse takes, nothing beyond is loaded. */
struct code {
    struct sock_filter at[CODE_MAX];
    unsigned short count;
};

enum { ADDRESSES, TRANSPORT }; /* the memory used: the exclusive or of all address words; protocol << 16 | ports */

enum {
    LOAD8 = BPF_LD | BPF_B | BPF_ABS,
    LOAD16 = BPF_LD | BPF_H | BPF_ABS,
    LOAD32 = BPF_LD | BPF_W | BPF_ABS,
    LOAD32_AT_X = BPF_LD | BPF_W | BPF_IND,
    NUMBER = BPF_LD | BPF_IMM,
    RECALL = BPF_LD | BPF_MEM,
    RECALL_X = BPF_LDX | BPF_MEM,
    STORE = BPF_ST,
    TO_X = BPF_MISC | BPF_TAX,
    XOR_X = BPF_ALU | BPF_XOR | BPF_X,
    OR_X = BPF_ALU | BPF_OR | BPF_X,
    SUBTRACT_X = BPF_ALU | BPF_SUB | BPF_X,
    AND = BPF_ALU | BPF_AND | BPF_K,
    LEFT = BPF_ALU | BPF_LSH | BPF_K,
    RIGHT = BPF_ALU | BPF_RSH | BPF_K,
    TIMES = BPF_ALU | BPF_MUL | BPF_K,
    MODULO = BPF_ALU | BPF_MOD | BPF_K,
    IF_EQUAL = BPF_JMP | BPF_JEQ | BPF_K,
    IF_AT_LEAST = BPF_JMP | BPF_JGE | BPF_K,
    IF_BITS = BPF_JMP | BPF_JSET | BPF_K,
    JUMP = BPF_JMP | BPF_JA,
    RETURN = BPF_RET | BPF_A,
};

static unsigned add(struct code *code, uint16_t operation, uint32_t value)
{
    code->at[code->count] = (struct sock_filter){.code = operation, .k = value};
    return code->count++;
}

/* The jump at `from` lands at what is added next; a condition that does not hold goes on behind its jump. */
static void land(struct code *code, unsigned from)
{
    unsigned distance = code->count - from - 1;

    if (code->at[from].code == JUMP)
        code->at[from].k = distance;
    else
        code->at[from].jt = (uint8_t)distance;
}

/* The addresses stand from `from` to `end`, the protocol at `protocol`. */
static void add_addresses(struct code *code, uint32_t from, uint32_t end, uint32_t protocol)
{
    add(code, LOAD32, from);
    for (uint32_t at = from + 4; at < end; at += 4) {
        add(code, TO_X, 0);
        add(code, LOAD32, at);
        add(code, XOR_X, 0);
    }
    add(code, STORE, ADDRESSES);
    add(code, LOAD8, protocol);
    add(code, LEFT, 16);
    add(code, STORE, TRANSPORT);
}

/* X is where the transport header starts, A how many bytes the packet has from there. */
static void add_ports(struct code *code, uint32_t inner)
{
    unsigned enough = add(code, IF_AT_LEAST, PORTS);
    unsigned cut = add(code, JUMP, 0);

    land(code, enough);
    add(code, RECALL, TRANSPORT);

    unsigned tcp = add(code, IF_EQUAL, LF_TCP << 16);
    unsigned udp = add(code, IF_EQUAL, LF_UDP << 16);
    unsigned sctp = add(code, IF_EQUAL, LF_SCTP << 16);
    unsigned other = add(code, JUMP, 0);

    land(code, tcp);
    land(code, udp);
    land(code, sctp);
    add(code, LOAD32_AT_X, inner);
    add(code, TO_X, 0);
    add(code, RIGHT, 16);
    add(code, XOR_X, 0);
    add(code, AND, 0xffff);
    add(code, RECALL_X, TRANSPORT);
    add(code, OR_X, 0);
    add(code, STORE, TRANSPORT);
    land(code, cut);
    land(code, other);
}

static void add_class(struct code *code)
{
    add(code, RECALL, ADDRESSES);
    add(code, TIMES, MULTIPLIER);
    add(code, TO_X, 0);
    add(code, RIGHT, SHIFT);
    add(code, XOR_X, 0);
    add(code, RECALL_X, TRANSPORT);
    add(code, XOR_X, 0);
    add(code, TIMES, MULTIPLIER);
    add(code, RIGHT, CLASS_SHIFT);
}

/* For an inner packet that starts at offset `inner`. */
static struct code write_program(uint32_t inner, unsigned workers)
{
    struct code code = {.count = 0};

    add(&code, LOAD8, inner);
    add(&code, RIGHT, 4);

    unsigned four = add(&code, IF_EQUAL, 4);
    unsigned six = add(&code, IF_EQUAL, 6);

    add(&code, NUMBER, 0);
    add(&code, RETURN, 0);

    land(&code, six);
    add_addresses(&code, inner + 8, inner + LF_IPV6_HEADER, inner + 6);
    add(&code, NUMBER, LF_IPV6_HEADER);
    add(&code, TO_X, 0);
    add(&code, LOAD16, inner + 4);

    unsigned found = add(&code, JUMP, 0);

    land(&code, four);
    add_addresses(&code, inner + 12, inner + LF_IPV4_HEADER, inner + 9);
    add(&code, LOAD16, inner + 6);

    unsigned fragment = add(&code, IF_BITS, FRAGMENT_MASK);

    add(&code, LOAD8, inner);
    add(&code, AND, 15);
    add(&code, LEFT, 2);
    add(&code, TO_X, 0);
    add(&code, LOAD16, inner + 2);
    add(&code, SUBTRACT_X, 0);
    land(&code, found);
    add_ports(&code, inner);
    land(&code, fragment);
    add_class(&code);
    add(&code, MODULO, workers);
    add(&code, RETURN, 0);
    return code;
}

int lf_steer_udp(int fd, unsigned workers)
{
    struct code code = write_program(LISP_HEADER, workers);
    const struct sock_fprog program = {.len = code.count, .filter = code.at};

    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof program) ? errno : 0;
}

/* Where the extended program keeps the classic one's state: loads from a packet want the packet in R6, put what they
 * load into R0 and spoil R1 to R5. */
enum { A = BPF_REG_0, PACKET = BPF_REG_6, X = BPF_REG_7, MEMORY = BPF_REG_8 };

static struct bpf_insn move(unsigned to, unsigned from)
{
    return (struct bpf_insn){.code = BPF_ALU | BPF_MOV | BPF_X, .dst_reg = to & 15u, .src_reg = from & 15u};
}

/* One instruction for one, so that jumps stay as they are. Arithmetic, conditions and loads from the packet have the
 * same codes in both. */
static struct bpf_insn extend(const struct sock_filter *classic)
{
    struct bpf_insn extended = {.code = (uint8_t)classic->code, .off = classic->jt, .imm = (int32_t)classic->k};

    switch (classic->code) {
    case NUMBER:
        extended.code = BPF_ALU | BPF_MOV | BPF_K;
        break;
    case RECALL:
        return move(A, MEMORY + classic->k);
    case RECALL_X:
        return move(X, MEMORY + classic->k);
    case STORE:
        return move(MEMORY + classic->k, A);
    case TO_X:
        return move(X, A);
    case LOAD32_AT_X:
    case XOR_X:
    case OR_X:
    case SUBTRACT_X:
        extended.src_reg = X;
        break;
    case JUMP:
        extended.off = (int16_t)classic->k;
        extended.imm = 0;
        break;
    case RETURN:
        extended.code = BPF_JMP | BPF_EXIT;
        break;
    default:
        break;
    }
    return extended;
}

/* A descriptor, or a negative errno. */
static int load(const struct code *code)
{
#ifdef __NR_bpf
    struct bpf_insn extended[CODE_MAX + 1] = {move(PACKET, BPF_REG_1)};
    union bpf_attr attributes;
    long fd;

    extended[0].code = BPF_ALU64 | BPF_MOV | BPF_X; /* a pointer */
    for (unsigned i = 0; i < code->count; i++)
        extended[i + 1] = extend(&code->at[i]);
    memset(&attributes, 0, sizeof attributes);
    attributes.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
    attributes.insns = (uintptr_t)extended;
    attributes.insn_cnt = code->count + 1u;
    attributes.license = (uintptr_t) "";
    fd = syscall(__NR_bpf, BPF_PROG_LOAD, &attributes, sizeof attributes);
    return fd < 0 ? -errno : (int)fd;
#else
    (void)code;
    return -ENOSYS;
#endif
}

int lf_steer_tun(int fd, unsigned workers)
{
    const struct code code = write_program(0, workers);
    int program = load(&code);
    int error;

    if (program < 0)
        return -program;
    error = ioctl(fd, TUNSETSTEERINGEBPF, &program) ? errno : 0;
    close(program); /* the device holds it */
    return error;
}
