#include "draw.h"

#include <string.h>

/* splitmix64. */
static uint64_t draw64(struct lf_draw *draw)
{
    uint64_t mixed = draw->state += UINT64_C(0x9e3779b97f4a7c15);

    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ mixed >> 31;
}

uint64_t lf_draw_below(struct lf_draw *draw, uint64_t below)
{
    uint64_t top = UINT64_MAX - UINT64_MAX % below, drawn;

    do
        drawn = draw64(draw);
    while (drawn >= top);
    return drawn % below;
}

void lf_draw_begin(struct lf_draw *draw, uint8_t family, bool hosts, uint64_t seed)
{
    memset(draw, 0, sizeof(*draw));
    draw->state = seed;
    draw->family = family;
    draw->hosts = hosts;
    draw->bits = family == 4 ? 32 : 128;
    for (unsigned site = 0; site < LF_DRAW_SITES; site++) {
        /* Sites are in 2000::/4, what is shorter than a site in 3000::/4. */
        uint64_t first = UINT64_C(2) << 60 | (draw64(draw) >> 4 & ~UINT64_C(0xffff));
        for (unsigned lan = 0; lan < LF_DRAW_LANS; lan++)
            draw->lan[site][lan] = first | lan << 12 | lf_draw_below(draw, 1 << 12);
    }
}

unsigned lf_draw_length(struct lf_draw *draw)
{
    uint64_t kind = draw->hosts ? 0 : lf_draw_below(draw, 10);

    if (kind < 7)
        return draw->bits;
    if (kind < 9)
        return draw->family == 4 ? 24 : 64;
    return draw->family == 4 ? 16 + (unsigned)lf_draw_below(draw, 16) : 33 + (unsigned)lf_draw_below(draw, 95);
}

uint64_t lf_draw_most(const struct lf_draw *draw, unsigned length)
{
    if (draw->family == 4)
        return (UINT64_C(1) << length) / 2;
    if (length <= 48)
        return (UINT64_C(1) << (length - 4)) / 2;
    if (length <= 64)
        return ((uint64_t)LF_DRAW_SITES << (length - 48)) / 2;
    return length < 108 ? ((uint64_t)(LF_DRAW_SITES * LF_DRAW_LANS) << (length - 64)) / 2 : UINT64_MAX;
}

struct lf_bits lf_draw_first(struct lf_bits bits, unsigned length)
{
    return (struct lf_bits){
        .high = length >= 64 ? bits.high : length ? bits.high & ~(UINT64_MAX >> length) : 0,
        .low = length >= 128 ? bits.low : length > 64 ? bits.low & ~(UINT64_MAX >> (length - 64)) : 0,
    };
}

static uint64_t draw_interface(struct lf_draw *draw, uint64_t *last)
{
    return draw64(draw) % 2 ? draw64(draw) : ++*last;
}

struct lf_bits lf_draw_prefix(struct lf_draw *draw, unsigned length)
{
    struct lf_bits bits = {.high = 0};
    unsigned site, lan;

    if (draw->family == 4) {
        bits.high = draw64(draw) & ~UINT64_C(0xffffffff);
        return lf_draw_first(bits, length);
    }
    site = (unsigned)lf_draw_below(draw, LF_DRAW_SITES);
    lan = (unsigned)lf_draw_below(draw, LF_DRAW_LANS);
    if (length <= 48)
        bits.high = UINT64_C(3) << 60 | draw64(draw) >> 4;
    else if (length <= 64)
        bits.high = (draw->lan[site][lan] & ~UINT64_C(0xffff)) | draw64(draw) >> 48;
    else
        bits = (struct lf_bits){
            .high = draw->lan[site][lan],
            .low = length == 128 ? draw_interface(draw, &draw->last[site][lan]) : draw64(draw),
        };
    return lf_draw_first(bits, length);
}

struct lf_bits lf_draw_within(struct lf_draw *draw, struct lf_bits prefix, unsigned length)
{
    struct lf_bits any = {.high = draw64(draw), .low = draw64(draw)};
    struct lf_bits first;

    if (draw->family == 4)
        any = (struct lf_bits){.high = any.high & ~UINT64_C(0xffffffff)};
    first = lf_draw_first(any, length);
    return (struct lf_bits){.high = prefix.high | (any.high ^ first.high), .low = prefix.low | (any.low ^ first.low)};
}

struct lf_bits lf_draw_miss(struct lf_draw *draw, bool inside)
{
    struct lf_bits any = {.high = draw64(draw), .low = draw64(draw)};

    if (draw->family == 4)
        return (struct lf_bits){.high = any.high & ~UINT64_C(0xffffffff)};
    if (inside) {
        uint64_t lan = draw->lan[lf_draw_below(draw, LF_DRAW_SITES)][lf_draw_below(draw, LF_DRAW_LANS)];

        any.high = any.high % 2 ? lan : (lan & ~UINT64_C(0xffff)) | any.high >> 48;
    } else {
        any.high = UINT64_C(1) << 61 | any.high >> 3;
    }
    return any;
}
