#include "hints.h"

/* From RFC 9300 section 5.3, RFC 9305 section 3 (P) and RFC 9302 section 6. */
enum { FLAG_INSTANCE = 0x08, FLAG_PROTOCOL = 0x04 };
enum { VERSION_BITS = 12, VERSION_MASK = (1 << VERSION_BITS) - 1, HALF = 1 << (VERSION_BITS - 1) };

/* Ours: places looked at for one RLOC. */
enum { WAYS = 4 };

struct lf_saying lf_hint_read(const uint8_t *header)
{
    struct lf_saying said = {.flags = header[0] & (LF_SAID_NONCE | LF_SAID_STATUS | LF_SAID_ECHO | LF_SAID_VERSION)};

    if (header[0] & FLAG_PROTOCOL)
        said.flags &= LF_SAID_STATUS;
    if (said.flags & LF_SAID_NONCE)
        said.flags &= (uint8_t)~LF_SAID_VERSION;
    else
        said.flags &= (uint8_t)~LF_SAID_ECHO;
    if (said.flags & (LF_SAID_NONCE | LF_SAID_VERSION))
        said.field = lf_load32(header) & 0xffffff;
    if (said.flags & LF_SAID_STATUS)
        said.status = header[0] & FLAG_INSTANCE ? header[7] : lf_load32(header + 4);
    return said;
}

/* RFC 9302 section 6. */
static bool newer(unsigned version, unsigned than)
{
    return version > than ? version - than <= HALF : than - version > HALF;
}

enum lf_reason lf_hint_judge(struct lf_view view, const struct lf_saying *said, const struct lf_packet *packet,
                             uint32_t iid)
{
    if (!(said->flags & LF_SAID_VERSION))
        return LF_PASS;

    const struct lf_local *own = lf_locals_find(lf_table_locals(view), &packet->destination, iid);
    const unsigned version = said->field & VERSION_MASK;

    if (!own || own->version == 0 || version == 0 || newer(version, own->version))
        return LF_MAP_VERSION;
    return LF_PASS;
}

static struct lf_hint *place(struct lf_hints *hints, const struct lf_address *rloc, unsigned way)
{
    const uint64_t hash = (lf_address_high(rloc) ^ lf_address_low(rloc) * 3) * UINT64_C(0x9e3779b97f4a7c15);

    return &hints->hint[((hash >> 48) + way) % LF_HINTS];
}

static struct lf_hint *find(struct lf_hints *hints, const struct lf_address *rloc)
{
    for (unsigned way = 0; way < WAYS; way++) {
        struct lf_hint *hint = place(hints, rloc, way);

        if (hint->since_ms && lf_address_equal(&hint->rloc, rloc))
            return hint;
    }
    return NULL;
}

bool lf_hint_news(struct lf_hints *hints, const struct lf_address *rloc, const struct lf_saying *said, uint64_t now_ms)
{
    struct lf_hint *hint = find(hints, rloc);

    if (hint && hint->said.flags == said->flags && hint->said.field == said->field &&
        hint->said.status == said->status)
        return false;
    if (!hint) {
        hint = place(hints, rloc, 0);
        for (unsigned way = 1; way < WAYS; way++)
            if (place(hints, rloc, way)->since_ms < hint->since_ms)
                hint = place(hints, rloc, way);
    }
    if (hint->since_ms && now_ms - hint->since_ms < LF_HINT_MS)
        return false;
    *hint = (struct lf_hint){.rloc = *rloc, .said = *said, .since_ms = now_ms};
    return true;
}

void lf_hint_forget(struct lf_hints *hints, const struct lf_address *rloc)
{
    struct lf_hint *hint = find(hints, rloc);

    if (hint)
        hint->since_ms = 0;
}
