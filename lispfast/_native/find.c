#include <stddef.h>

#include "bits.h"
#include "list.h"

/* The readers. A way through the trie is one word for each fork and then a list. Alone it waits for memory at every step;
 * of LANES ways walked abreast each step is asked for early, and the waits overlap.
 *
 * Comparing a list is the same for every place in it, without a branch: shift away what the prefix does not fix, and take
 * the first place that is left with zero, which is the longest. */

/* Ours: more ways abreast than a core has outstanding misses, and no more than its first cache holds with ease. */
enum { LANES = 64 };

static inline void ask(const void *line)
{
    __builtin_prefetch(line, 0, 3);
}

#ifdef __x86_64__
#include <immintrin.h>
#define WIDE __attribute__((target("avx2,bmi")))

WIDE static inline uint32_t list_find_wide4(const struct lf_list4 *list, uint32_t address)
{
    const __m256i keys = _mm256_load_si256((const __m256i *)(const void *)list->key);
    const __m256i metas = _mm256_load_si256((const __m256i *)(const void *)list->meta);
    const __m256i differ = _mm256_xor_si256(keys, _mm256_set1_epi32((int)address));
    const __m256i fixed = _mm256_srlv_epi32(differ, _mm256_and_si256(metas, _mm256_set1_epi32(63)));
    const __m256i equal = _mm256_cmpeq_epi32(fixed, _mm256_setzero_si256());
    const unsigned places = (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(equal));

    return places ? list->meta[__builtin_ctz(places)] >> 6 : 0;
}

/* Four places' bits that the prefix fixes and the address has otherwise: zero for a match. A shift by 64 leaves zero. */
WIDE static inline __m256i differ6(const struct lf_list6 *list, unsigned at, struct lf_bits address, __m128i high_shifts,
                                   __m128i low_shifts)
{
    const __m256i high = _mm256_xor_si256(_mm256_loadu_si256((const __m256i *)(const void *)(list->high + at)),
                                          _mm256_set1_epi64x((long long)address.high));
    const __m256i low = _mm256_xor_si256(_mm256_loadu_si256((const __m256i *)(const void *)(list->low + at)),
                                         _mm256_set1_epi64x((long long)address.low));

    return _mm256_or_si256(_mm256_srlv_epi64(high, _mm256_cvtepu32_epi64(high_shifts)),
                           _mm256_srlv_epi64(low, _mm256_cvtepu32_epi64(low_shifts)));
}

/* The second four places are two and what lies behind them in memory. */
WIDE static inline uint32_t list_find_wide6(const struct lf_list6 *list, struct lf_bits address)
{
    const __m256i all = _mm256_set1_epi32(64);
    const __m256i metas = _mm256_loadu_si256((const __m256i *)(const void *)list->meta);
    const __m256i lengths = _mm256_and_si256(metas, _mm256_set1_epi32(255));
    const __m256i high_shifts = _mm256_sub_epi32(all, _mm256_min_epi32(lengths, all));
    const __m256i low_shifts = _mm256_min_epi32(_mm256_sub_epi32(_mm256_set1_epi32(128), lengths), all);
    const __m256i first = differ6(list, 0, address, _mm256_castsi256_si128(high_shifts), _mm256_castsi256_si128(low_shifts));
    const __m256i last = differ6(list, 4, address, _mm256_extracti128_si256(high_shifts, 1),
                                 _mm256_extracti128_si256(low_shifts, 1));
    const __m256i zero = _mm256_setzero_si256();
    const unsigned places = (unsigned)_mm256_movemask_pd(_mm256_castsi256_pd(_mm256_cmpeq_epi64(first, zero))) |
                            ((unsigned)_mm256_movemask_pd(_mm256_castsi256_pd(_mm256_cmpeq_epi64(last, zero))) & 3) << 4;

    return places ? list->meta[__builtin_ctz(places)] >> 8 : 0;
}
#endif

static inline uint32_t list_find4(const struct lf_list4 *list, uint32_t address)
{
    unsigned places = 0;

    /* As 64-bit numbers, for which a shift by 32 is defined. */
    for (unsigned i = 0; i < LF_LIST4; i++)
        places |= (unsigned)((uint64_t)(list->key[i] ^ address) >> (list->meta[i] & 63) == 0) << i;
    return places ? list->meta[__builtin_ctz(places)] >> 6 : 0;
}

/* Whether the first `length` bits, 0 to 128, of two addresses are equal. */
static inline bool equal_bits(uint64_t high, uint64_t low, unsigned length)
{
    const unsigned in_high = length < 64 ? length : 64, in_low = length - in_high;
    /* A shift by 64 is two shifts by 32. */
    const unsigned high_half = (64 - in_high) / 2, low_half = (64 - in_low) / 2;

    return ((high >> high_half >> (64 - in_high - high_half)) | (low >> low_half >> (64 - in_low - low_half))) == 0;
}

static inline uint32_t list_find6(const struct lf_list6 *list, struct lf_bits address)
{
    unsigned places = 0;

    for (unsigned i = 0; i < LF_LIST6; i++)
        places |= (unsigned)equal_bits(list->high[i] ^ address.high, list->low[i] ^ address.low, list->meta[i] & 255) << i;
    return places ? list->meta[__builtin_ctz(places)] >> 8 : 0;
}

/* Whether the bits that were skipped before a fork are the address's. */
static inline bool shares4(const struct lf_fork *fork, uint32_t address)
{
    return !((uint64_t)((uint32_t)(fork->bits.high >> 32) ^ address) >> (32 - fork->depth));
}

static inline bool shares6(const struct lf_fork *fork, struct lf_bits address)
{
    return equal_bits(fork->bits.high ^ address.high, fork->bits.low ^ address.low, fork->depth);
}

static inline size_t slot4(uint32_t address, unsigned depth, unsigned stride)
{
    return (uint32_t)(address << depth) >> (32 - stride);
}

static inline size_t slot6(struct lf_bits address, unsigned depth, unsigned stride)
{
    return (size_t)lf_bits_slot(address, depth, stride);
}

/* What a way that met no list looks at in the end: whatever it finds there is value 0. */
static const struct lf_list4 nothing4 __attribute__((aligned(LF_LINE)));
static const struct lf_list6 nothing6 __attribute__((aligned(LF_LINE)));

#define FAMILY(name) name##4
#define ADDRESS uint32_t
#include "ways.def"
#undef FAMILY
#undef ADDRESS

#define FAMILY(name) name##6
#define ADDRESS struct lf_bits
#include "ways.def"

uint32_t lf_trie_find4(lf_trie trie, uint32_t address)
{
    return find_one4(trie, address);
}

uint32_t lf_trie_find6(lf_trie trie, struct lf_bits address)
{
    return find_one6(trie, address);
}

void lf_trie_batch4(lf_trie trie, const uint32_t *addresses, uint32_t *values, size_t count)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2")) {
        find_many_wide4(trie, addresses, values, count);
        return;
    }
#endif
    find_many4(trie, addresses, values, count);
}

void lf_trie_batch6(lf_trie trie, const struct lf_bits *addresses, uint32_t *values, size_t count)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2")) {
        find_many_wide6(trie, addresses, values, count);
        return;
    }
#endif
    find_many6(trie, addresses, values, count);
}
