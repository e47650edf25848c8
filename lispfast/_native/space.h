/* Which prefix lengths an instance-ID has in a family: what a lookup has to try. */
#ifndef LF_SPACE_H
#define LF_SPACE_H

#include "address.h"
#include "index.h"

/* Ours. */
enum { LF_SPACE_LENGTH = 255, LF_SPACE_WORDS = 3 };

struct lf_space {
    struct lf_entry entry;
    _Atomic(uint64_t) lengths[LF_SPACE_WORDS]; /* a bit for each length that some prefix has */
    size_t prefixes;                           /* the writer's alone, as below */
    size_t count[129];
};

/* The space of a key's instance-ID and family, NULL where no prefix stands in it. */
struct lf_space *lf_space_find(const struct lf_index *index, uint32_t iid, uint8_t family);

/* The longest length present that is at most `length`, -1 for none. */
int lf_space_longest(const struct lf_space *space, int length);

/* For the writer. `add` and `drop` count one prefix of a length; `make` finds the space or makes an empty one, NULL where
 * there is no memory; it needs room reserved in the index. */
struct lf_space *lf_space_make(struct lf_index *index, uint32_t iid, uint8_t family);
void lf_space_add(struct lf_space *space, unsigned length);
void lf_space_drop(struct lf_space *space, unsigned length);

/* The key of a prefix of an address: its bits masked to `length`. */
static inline struct lf_key lf_key_make(uint32_t iid, const struct lf_address *address, unsigned length)
{
    struct lf_key key = {.iid = iid, .family = address->family, .length = (uint8_t)length};

    if (length > 0)
        key.high = lf_address_high(address) & (length >= 64 ? UINT64_MAX : ~(UINT64_MAX >> length));
    if (length > 64)
        key.low = lf_address_low(address) & (length >= 128 ? UINT64_MAX : ~(UINT64_MAX >> (length - 64)));
    return key;
}

#endif
