#include "packing.h"

#include <string.h>

#include "measure.h"
#include "packed.h"
#include "prefixes.h"

enum { HEAD = sizeof(struct lf_packed_header), SET = sizeof(struct lf_packed_set) };
enum { LOCATOR = sizeof(struct lf_packed_locator), PUT = sizeof(struct lf_packed_put) };
enum { WITHDRAWAL = sizeof(struct lf_packed_withdrawal), PORT = 4341, MTU = 1500 };

static void put16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
}

static void put32(uint8_t *at, uint32_t value)
{
    put16(at, value);
    put16(at + 2, value >> 16);
}

static uint8_t *head(uint8_t *at, uint32_t sets, uint32_t puts, uint32_t withdrawals)
{
    memset(at, 0, HEAD);
    memcpy(at, LF_PACKED_MAGIC, 4);
    put16(at + 4, LF_PACKED_VERSION);
    put32(at + 8, sets);
    put32(at + 12, puts);
    put32(at + 16, withdrawals);
    return at + HEAD;
}

/* Of one locator, 10.0.0.0 and `locator`. */
static uint8_t *set(uint8_t *at, uint32_t id, uint32_t locator)
{
    memset(at, 0, SET + LOCATOR);
    put32(at, id);
    put16(at + 4, 1);
    at += SET;
    at[0] = 10;
    at[1] = (uint8_t)(locator >> 16);
    at[2] = (uint8_t)(locator >> 8);
    at[3] = (uint8_t)locator;
    at[16] = 4;   /* family; the form is LISP */
    at[18] = 1;   /* priority */
    at[19] = 100; /* weight */
    put16(at + 28, PORT);
    put16(at + 30, MTU);
    return at + LOCATOR;
}

static void network(uint8_t *at, struct lf_bits bits)
{
    for (unsigned octet = 0; octet < 8; octet++) {
        at[octet] = (uint8_t)(bits.high >> (56 - 8 * octet));
        at[8 + octet] = (uint8_t)(bits.low >> (56 - 8 * octet));
    }
}

static uint8_t *put(uint8_t *at, unsigned family, struct lf_bits bits, unsigned length, uint32_t set_id)
{
    memset(at, 0, PUT);
    network(at, bits);
    at[20] = (uint8_t)family;
    at[21] = (uint8_t)length;
    at[22] = LF_ENCAPSULATE;
    put32(at + 24, set_id);
    return at + PUT;
}

void *lf_packing_load(const struct lf_cell *cell, bool shared, size_t *length)
{
    uint32_t puts = (uint32_t)cell->head.prefixes, sets = shared ? LF_PACKING_SHARED : puts;
    uint8_t *buffer, *at;

    *length = HEAD + (size_t)sets * (SET + LOCATOR) + (size_t)puts * PUT;
    buffer = lf_touched(*length);
    at = head(buffer, sets, puts, 0);
    for (uint32_t number = 0; number < sets; number++)
        at = set(at, shared ? number + 1 : 0, number);
    for (uint32_t number = 0; number < puts; number++) {
        const struct lf_cell_prefix *prefix = &cell->prefixes[number];

        at = put(at, cell->head.family, prefix->bits, prefix->length,
                 shared ? number % LF_PACKING_SHARED + 1 : number | LF_PACKED_OWN);
    }
    return buffer;
}

size_t lf_packing_put(uint8_t *buffer, unsigned family, struct lf_bits bits, unsigned length, uint32_t locator)
{
    return (size_t)(put(set(head(buffer, 1, 1, 0), 0, locator), family, bits, length, LF_PACKED_OWN) - buffer);
}

size_t lf_packing_withdraw(uint8_t *buffer, unsigned family, struct lf_bits bits, unsigned length)
{
    uint8_t *at = head(buffer, 0, 0, 1);

    memset(at, 0, WITHDRAWAL);
    network(at, bits);
    at[20] = (uint8_t)family;
    at[21] = (uint8_t)length;
    return (size_t)(at + WITHDRAWAL - buffer);
}
