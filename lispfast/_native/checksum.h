/* The Internet checksum (RFC 1071): sum, then fold late. */
#ifndef LF_CHECKSUM_H
#define LF_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* Adds `length` bytes to a running sum. Only the last part of a sum may have an odd length. */
uint64_t lf_checksum_add(uint64_t sum, const void *data, size_t length);

/* The checksum of a sum, to be stored as it is in memory; over data that carries a right checksum it is 0. */
uint16_t lf_checksum_fold(uint64_t sum);

#endif
