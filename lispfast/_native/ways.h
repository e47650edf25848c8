/* Ways through a trie, for one family: find.c reads this file once with FAMILY(name) and ADDRESS for each of them, so it
 * has no guard. */

/* One way, alone. */
static inline uint32_t FAMILY(find_one)(lf_trie trie, ADDRESS address)
{
    lf_word word = trie;
    uint32_t cover = 0, value = 0;

    while (word & LF_WORD_STRIDE) {
        const struct lf_fork *fork = lf_word_fork(word);
        const unsigned stride = word & LF_WORD_STRIDE;
        const size_t slot = FAMILY(slot)(word, address);

        if (!FAMILY(skips)(word, address))
            return cover;
        word = fork->word[slot];
        if (word & LF_WORD_COVERED)
            cover = lf_fork_values(fork, stride)[slot];
    }
    if (word & LF_WORD_ADDRESS)
        value = FAMILY(list_find)(lf_word_list(word), address);
    return value ? value : cover;
}

/* Many ways, abreast. */
struct FAMILY(ways) {
    lf_word forks[LANES];        /* where each way is */
    const lf_word *words[LANES]; /* and its next step */
    const void *lists[LANES];    /* where it ended */
    uint32_t covers[LANES];      /* the longest cover that it met */
    uint8_t going[LANES];
};

/* A step of one way: to the next fork, or it ends. */
static inline bool FAMILY(step)(struct FAMILY(ways) *ways, unsigned lane, lf_word word, ADDRESS address)
{
    if (word & LF_WORD_STRIDE && FAMILY(skips)(word, address)) {
        ways->forks[lane] = word;
        ways->words[lane] = &lf_word_fork(word)->word[FAMILY(slot)(word, address)];
        ask(ways->words[lane]);
        return true;
    }
    ways->lists[lane] = word & LF_WORD_STRIDE || !(word & LF_WORD_ADDRESS) ? (const void *)&FAMILY(nothing)
                                                                            : lf_word_list(word);
    ask(ways->lists[lane]);
    if (sizeof FAMILY(nothing) > LF_LINE)
        ask((const uint8_t *)ways->lists[lane] + LF_LINE);
    return false;
}

static inline void FAMILY(walk)(struct FAMILY(ways) *ways, lf_trie trie, const ADDRESS *addresses, unsigned lanes)
{
    unsigned going = 0;

    for (unsigned lane = 0; lane < lanes; lane++) {
        ways->covers[lane] = 0;
        ways->going[going] = (uint8_t)lane;
        going += FAMILY(step)(ways, lane, trie, addresses[lane]);
    }
    for (unsigned left = going; left; left = going) {
        going = 0;
        for (unsigned i = 0; i < left; i++) {
            const unsigned lane = ways->going[i];
            const lf_word word = *ways->words[lane];

            if (word & LF_WORD_COVERED) {
                const lf_word from = ways->forks[lane];
                const struct lf_fork *fork = lf_word_fork(from);

                ways->covers[lane] = lf_fork_values(fork, from & LF_WORD_STRIDE)[ways->words[lane] - fork->word];
            }
            ways->going[going] = (uint8_t)lane;
            going += FAMILY(step)(ways, lane, word, addresses[lane]);
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
            const uint32_t value = FAMILY(list_find)(ways.lists[lane], addresses[at + lane]);

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
            const uint32_t value = FAMILY(list_find_wide)(ways.lists[lane], addresses[at + lane]);

            values[at + lane] = value ? value : ways.covers[lane];
        }
    }
}
#endif
