/* Prefix bits as numbers: what two have in common, which fork's slot they lead to. For the trie's own files alone. */
#ifndef LF_BITS_H
#define LF_BITS_H

#include "trie.h"

static inline unsigned lf_family_bits(uint8_t family)
{
    return family == 4 ? 32 : 128;
}

/* How many leading bits both have. */
static inline unsigned lf_bits_common(struct lf_bits a, struct lf_bits b)
{
    if (a.high != b.high)
        return (unsigned)__builtin_clzll(a.high ^ b.high);
    return a.low == b.low ? 128 : 64 + (unsigned)__builtin_clzll(a.low ^ b.low);
}

/* The first `length` bits, the rest zero. */
static inline struct lf_bits lf_bits_first(struct lf_bits bits, unsigned length)
{
    return (struct lf_bits){
        .high = length >= 64 ? bits.high : length ? bits.high & ~(UINT64_MAX >> length) : 0,
        .low = length >= 128 ? bits.low : length > 64 ? bits.low & ~(UINT64_MAX >> (length - 64)) : 0,
    };
}

/* The `stride` bits from `depth` on, as a number; depth + stride is at most 128, stride 1 to 64. */
static inline uint64_t lf_bits_slot(struct lf_bits bits, unsigned depth, unsigned stride)
{
    uint64_t from = depth >= 64 ? bits.low << (depth - 64) : depth ? bits.high << depth | bits.low >> (64 - depth) : bits.high;

    return from >> (64 - stride);
}

#endif
