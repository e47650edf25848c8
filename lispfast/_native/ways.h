/* Ways through a trie, for one family: find.c reads this file once with FAMILY(name) and ADDRESS for each of them, so it
 * has no guard. */

/* One way, alone. */
static inline uint32_t FAMILY(find_one)(lf_trie trie, ADDRESS address)
{
    const uintptr_t base = lf_trie_base(trie);
    lf_word word = (lf_word)trie;
    unsigned depth = 0;
    uint32_t cover = 0, value = 0;

    while (word & LF_WORD_STRIDE) {
        const struct lf_fork *fork = lf_word_fork(base, word);
        const unsigned stride = word & LF_WORD_STRIDE;

        if (word & LF_WORD_SKIPS) {
            if (!FAMILY(shares)(fork, address))
                return cover;
            depth = fork->depth;
        }

        const size_t slot = FAMILY(slot)(address, depth, stride);

        word = fork->word[slot];
        depth += stride;
        if (word & LF_WORD_COVERED)
            cover = lf_fork_values(fork, stride)[slot];
    }
    if (word & LF_WORD_ADDRESS)
        value = FAMILY(list_find)(lf_word_list(base, word), address);
    return value ? value : cover;
}

/* Many ways, abreast. A step asks for memory that the way's next step reads. */
struct FAMILY(ways) {
    const void *at[LANES];    /* the word to read; the fork to compare with; the list where the way ended */
    uint32_t covers[LANES];   /* the longest cover that it met */
    uint16_t to_cover[LANES]; /* from the word to where its fork's covers would be, in words; 0 for a fork */
    uint8_t depths[LANES];    /* bits that lead behind the word */
    uint8_t going[LANES];
};

/* To a word of this fork. */
static inline void FAMILY(enter)(struct FAMILY(ways) *ways, unsigned lane, const struct lf_fork *fork, unsigned depth,
                                 unsigned stride, ADDRESS address)
{
    ways->at[lane] = &fork->word[FAMILY(slot)(address, depth, stride)];
    ways->to_cover[lane] = (uint16_t)(1u << stride);
    ways->depths[lane] = (uint8_t)(depth + stride);
}

static inline void FAMILY(end)(struct FAMILY(ways) *ways, unsigned lane, const void *list)
{
    ways->at[lane] = list;
    if (sizeof FAMILY(nothing) > LF_LINE)
        ask((const uint8_t *)list + LF_LINE);
}

/* From a word on; false where the way ends. */
static inline bool FAMILY(step)(struct FAMILY(ways) *ways, uintptr_t base, unsigned lane, lf_word word, unsigned depth,
                                ADDRESS address)
{
    const unsigned stride = word & LF_WORD_STRIDE;
    const bool ends = !stride;

    if (ends) {
        FAMILY(end)(ways, lane, word & LF_WORD_ADDRESS ? lf_word_list(base, word) : &FAMILY(nothing));
    } else if (word & LF_WORD_SKIPS) {
        ways->at[lane] = lf_word_fork(base, word);
        ways->to_cover[lane] = 0;
    } else {
        FAMILY(enter)(ways, lane, lf_word_fork(base, word), depth, stride, address);
    }
    ask(ways->at[lane]);
    return !ends;
}

/* Into a fork before which bits were skipped. */
static inline bool FAMILY(compare)(struct FAMILY(ways) *ways, unsigned lane, ADDRESS address)
{
    const struct lf_fork *fork = ways->at[lane];
    const bool shares = FAMILY(shares)(fork, address);

    if (shares)
        FAMILY(enter)(ways, lane, fork, fork->depth, fork->stride, address);
    else
        FAMILY(end)(ways, lane, &FAMILY(nothing));
    ask(ways->at[lane]);
    return shares;
}

static inline void FAMILY(walk)(struct FAMILY(ways) *ways, lf_trie trie, const ADDRESS *addresses, unsigned lanes)
{
    const uintptr_t base = lf_trie_base(trie);
    unsigned going = 0;

    for (unsigned lane = 0; lane < lanes; lane++) {
        ways->covers[lane] = 0;
        ways->going[going] = (uint8_t)lane;
        going += FAMILY(step)(ways, base, lane, (lf_word)trie, 0, addresses[lane]);
    }
    for (unsigned left = going; left; left = going) {
        going = 0;
        for (unsigned i = 0; i < left; i++) {
            const unsigned lane = ways->going[i];
            bool goes;

            if (ways->to_cover[lane]) {
                const lf_word *at = ways->at[lane], word = *at;

                if (word & LF_WORD_COVERED)
                    ways->covers[lane] = at[ways->to_cover[lane]];
                goes = FAMILY(step)(ways, base, lane, word, ways->depths[lane], addresses[lane]);
            } else {
                goes = FAMILY(compare)(ways, lane, addresses[lane]);
            }
            ways->going[going] = (uint8_t)lane;
            going += goes;
        }
    }
}

static inline void FAMILY(find_many)(lf_trie trie, const ADDRESS *addresses, uint32_t *values, size_t count)
{
    struct FAMILY(ways) ways;

    for (size_t at = 0; at < count; at += LANES) {
        const unsigned lanes = count - at < LANES ? (unsigned)(count - at) : LANES;

        FAMILY(walk)(&ways, trie, addresses + at, lanes);
        for (unsigned lane = 0; lane < lanes; lane++) {
            const uint32_t value = FAMILY(list_find)(ways.at[lane], addresses[at + lane]);

            values[at + lane] = value ? value : ways.covers[lane];
        }
    }
}

#ifdef __x86_64__
WIDE static void FAMILY(find_many_wide)(lf_trie trie, const ADDRESS *addresses, uint32_t *values, size_t count)
{
    struct FAMILY(ways) ways;

    for (size_t at = 0; at < count; at += LANES) {
        const unsigned lanes = count - at < LANES ? (unsigned)(count - at) : LANES;

        FAMILY(walk)(&ways, trie, addresses + at, lanes);
        for (unsigned lane = 0; lane < lanes; lane++) {
            const uint32_t value = FAMILY(list_find_wide)(ways.at[lane], addresses[at + lane]);

            values[at + lane] = value ? value : ways.covers[lane];
        }
    }
}
#endif
