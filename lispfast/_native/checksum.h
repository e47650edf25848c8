/* The Internet checksum (RFC 1071): sum, then fold late. */
#ifndef LF_CHECKSUM_H
#define LF_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Adds `length` bytes to a running sum. Only the last part of a sum may have an odd length. A call adds less than 2^36,
 * so a caller may add words of its own between calls. */
uint64_t lf_checksum_add(uint64_t sum, const void *data, size_t length);

/* The same, and copies the bytes on the way: they are read once. `to` may lie anywhere before `from`. */
uint64_t lf_checksum_copy(uint64_t sum, void *to, const void *from, size_t length);

/* The checksum of a sum, to be stored as it is in memory; over data that carries a right checksum it is 0. */
inline uint16_t lf_checksum_fold(uint64_t sum)
{
    sum = (sum & UINT32_MAX) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16); /* below 2^18 */
    sum = (sum & 0xffff) + (sum >> 16); /* below 2^16 + 3 */
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

/* The checksum once one of the words that it covers was replaced (RFC 1624 section 3), all as they are in memory. */
inline uint16_t lf_checksum_replace(uint16_t checksum, uint16_t before, uint16_t after)
{
    return lf_checksum_fold((uint64_t)(uint16_t)~checksum + (uint16_t)~before + after);
}

static inline void lf_checksum_store(uint8_t *at, uint64_t sum)
{
    const uint16_t checksum = lf_checksum_fold(sum);

    memcpy(at, &checksum, 2);
}

/* Two bytes of a packet, and a number, as they are summed: as they lie in memory. */
static inline uint16_t lf_word16(const uint8_t *bytes)
{
    uint16_t word;

    memcpy(&word, bytes, 2);
    return word;
}

static inline uint16_t lf_network16(size_t value)
{
    const uint8_t bytes[2] = {(uint8_t)(value >> 8), (uint8_t)value};

    return lf_word16(bytes);
}

#endif
