/* A cell: a table's prefixes and the keys to look up in it, with the right answers, as make.c writes them into a file.
 *
 * The file is in the machine's own byte order: the head; the prefixes; keys that hit; their answers; keys that miss. A
 * prefix is called by its place, counted from 1; a key of IPv4 is a number of 4 bytes, one of IPv6 two of 8, high first. */
#ifndef LF_LOOKUP_CELL_H
#define LF_LOOKUP_CELL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trie.h"

#define LF_CELL_MAGIC "LFCELL1\n"

struct lf_cell_head {
    char magic[8];
    uint32_t family;
    uint32_t hosts; /* 1: nothing but host routes */
    uint64_t seed;
    uint64_t prefixes, hits, misses;
};

/* First bit highest, host bits zero; IPv4 in the top half of `high`. */
struct lf_cell_prefix {
    struct lf_bits bits;
    uint32_t length;
    uint32_t number; /* its place, from 1 */
};

struct lf_cell {
    struct lf_cell_head head;
    const struct lf_cell_prefix *prefixes;
    const void *hits;          /* keys */
    const uint32_t *expected;  /* of each hit, the longest prefix that holds it */
    const void *misses;        /* keys that no prefix holds */
    void *mapped;
    size_t size;
};

static inline size_t lf_key_size(unsigned family)
{
    return family == 4 ? sizeof(uint32_t) : sizeof(struct lf_bits);
}

/* Maps the file; ends the program with a word where it is none. Its pages are read, so that no measure waits for them. */
struct lf_cell lf_cell_open(const char *path);

/* Nothing of it may be used any more. */
void lf_cell_close(struct lf_cell *cell);

/* Key `number` of an array of a family as bits. */
struct lf_bits lf_cell_key(const void *keys, unsigned family, size_t number);

#endif
