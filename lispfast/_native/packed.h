/* A packed transaction: the one form in which changes of the table come, from Python in one piece.
 *
 * Little-endian numbers, every record a multiple of 8 bytes, nothing between records, in this order: header; sets, each
 * followed by its locators and the tunnels inside of some; puts; withdrawals; sources; local EID-prefixes; set withdrawals. An IPv4 address is the first 4 of
 * its 16 bytes, the others zero. */
#ifndef LF_PACKED_H
#define LF_PACKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "locators.h"

/* Ours. */
#define LF_PACKED_MAGIC "LFTX"
enum { LF_PACKED_VERSION = 2, LF_PACKED_LOCAL = 1 }; /* a flag: the set of local EID-prefixes is replaced */
/* In `set` of a put: the rest is the place of a set in this transaction. */
#define LF_PACKED_OWN (UINT32_C(1) << 31)

struct lf_packed_header {
    char magic[4];
    uint16_t version, flags;
    uint32_t sets, puts, withdrawals, sources, locals, set_withdrawals;
};

/* Sets or replaces the locators of a set; id 0: a set without a name, for puts of this transaction. */
struct lf_packed_set {
    uint32_t id;
    uint16_t count;
    uint16_t tunnels; /* records behind the locators, by their locators' rising place */
};

struct lf_packed_locator {
    uint8_t address[16];
    uint8_t family; /* 4 or 6, enum lf_form in the upper 4 bits */
    uint8_t slot, priority, weight;
    uint8_t header[8];
    uint16_t port, mtu;
};

/* The tunnel that packets to the locator in this place of the set enter first. */
struct lf_packed_tunnel {
    uint8_t address[16];
    uint8_t family; /* 4 or 6 */
    uint8_t slot, place;
    uint8_t zero;
    uint8_t header[8];
    uint16_t port;
    uint16_t zero2;
};

/* Sets or replaces the verdict of a prefix. `set` is 0 unless it encapsulates. */
struct lf_packed_put {
    uint8_t network[16];
    uint32_t iid;
    uint8_t family, length;
    uint8_t kind; /* enum lf_kind */
    uint8_t reject_code;
    uint32_t set;
    uint32_t zero;
};

struct lf_packed_withdrawal {
    uint8_t network[16];
    uint32_t iid;
    uint8_t family, length;
    uint16_t zero;
};

/* Family 0 empties the slot. */
struct lf_packed_source {
    uint8_t address[16];
    uint8_t family, slot;
    uint16_t zero;
    uint32_t ifindex;
};

struct lf_packed_local {
    uint8_t network[16];
    uint32_t iid;
    uint8_t family, length;
    uint16_t version; /* its Map-Version, 12 bits, 0 for none */
};

struct lf_packed_set_withdrawal {
    uint32_t id;
    uint32_t zero;
};

/* A buffer whose sizes are checked: where its parts begin. */
struct lf_packed {
    const uint8_t *buffer;
    struct lf_packed_header count;
    const uint8_t *sets, *puts, *withdrawals, *sources, *locals, *set_withdrawals;
};

/* Looks at no more than `length` bytes, which may lie anywhere. False where the buffer is not one of the form above,
 * and then `*wrong` is the offset of what shows it. */
bool lf_packed_open(struct lf_packed *packed, const void *buffer, size_t length, size_t *wrong);

/* The records, in the machine's own order. `set` moves past the set, its locators, which begin at `*locators`, and the
 * tunnels behind them; false from `locator` and `tunnel` where family or form is none. A tunnel is a locator as far as it
 * goes, `*place` that of its own. */
struct lf_packed_set lf_packed_read_set(const uint8_t **at, const uint8_t **locators);
bool lf_packed_read_tunnel(const uint8_t *tunnels, size_t item, struct lf_locator *tunnel, unsigned *place);
bool lf_packed_read_locator(const uint8_t *locators, size_t item, struct lf_locator *locator);
struct lf_packed_put lf_packed_read_put(const struct lf_packed *packed, size_t item);
struct lf_packed_withdrawal lf_packed_read_withdrawal(const struct lf_packed *packed, size_t item);
struct lf_packed_source lf_packed_read_source(const struct lf_packed *packed, size_t item);
struct lf_packed_local lf_packed_read_local(const struct lf_packed *packed, size_t item);
uint32_t lf_packed_read_set_withdrawal(const struct lf_packed *packed, size_t item);

#endif
