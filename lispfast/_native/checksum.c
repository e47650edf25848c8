#include "checksum.h"

#include <string.h>

/* Words are added in the machine's byte order: one's complement sums do not mind, and the folded result lies in memory
 * as the network wants it. 32-bit words in a 64-bit sum cannot overflow before 16 GiB. */
uint64_t lf_checksum_add(uint64_t sum, const void *data, size_t length)
{
    const uint8_t *bytes = data;
    uint32_t word;
    uint16_t half;

    for (; length >= 4; bytes += 4, length -= 4) {
        memcpy(&word, bytes, 4);
        sum += word;
    }
    if (length >= 2) {
        memcpy(&half, bytes, 2);
        sum += half;
        bytes += 2;
        length -= 2;
    }
    if (length) {
        const uint8_t last[2] = {bytes[0], 0};

        memcpy(&half, last, 2);
        sum += half;
    }
    return sum;
}

uint16_t lf_checksum_fold(uint64_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}
