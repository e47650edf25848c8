#include "staging.h"

/* Ours: marks looked at for one EID. */
enum { MARK_WAYS = 8 };

static unsigned place(const struct lf_stage *stage, unsigned nth)
{
    return (stage->first + nth) % LF_STAGE_PACKETS;
}

bool lf_stage_room(const struct lf_stage *stage, size_t length)
{
    return stage->count < LF_STAGE_PACKETS && stage->bytes + length <= LF_STAGE_BYTES;
}

void lf_stage_push(struct lf_stage *stage, const struct lf_staged *packet)
{
    stage->packets[place(stage, stage->count++)] = *packet;
    stage->bytes += packet->frame.length;
}

const struct lf_staged *lf_stage_oldest(const struct lf_stage *stage)
{
    return stage->count ? &stage->packets[stage->first] : NULL;
}

struct lf_staged lf_stage_pop(struct lf_stage *stage)
{
    struct lf_staged packet = stage->packets[stage->first];

    stage->first = place(stage, 1);
    stage->count--;
    stage->bytes -= packet.frame.length;
    return packet;
}

void lf_stage_sweep(struct lf_stage *stage, bool (*take)(void *context, const struct lf_staged *packet), void *context)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < stage->count; i++) {
        const struct lf_staged packet = stage->packets[place(stage, i)];

        if (take(context, &packet))
            stage->bytes -= packet.frame.length;
        else
            stage->packets[place(stage, kept++)] = packet;
    }
    stage->count = kept;
}

static unsigned mark_start(uint32_t iid, const struct lf_address *eid)
{
    uint64_t hash = (lf_address_high(eid) ^ lf_address_low(eid) * 3 ^ iid) * UINT64_C(0x9e3779b97f4a7c15);

    return (unsigned)(hash >> 48) % LF_MARKS;
}

static bool expired(const struct lf_mark *mark, uint64_t now_ms)
{
    return mark->since_ms == 0 || now_ms - mark->since_ms >= LF_MARK_MS;
}

static unsigned find_mark(const struct lf_marks *marks, uint32_t iid, const struct lf_address *eid)
{
    unsigned start = mark_start(iid, eid);

    for (unsigned i = 0; i < MARK_WAYS; i++) {
        unsigned at = (start + i) % LF_MARKS;
        const struct lf_mark *mark = &marks->mark[at];

        if (mark->since_ms && mark->iid == iid && lf_address_equal(&mark->eid, eid))
            return at;
    }
    return LF_MARKS;
}

bool lf_marks_hold(const struct lf_marks *marks, uint32_t iid, const struct lf_address *eid, uint64_t now_ms)
{
    unsigned at = find_mark(marks, iid, eid);

    return at < LF_MARKS && !expired(&marks->mark[at], now_ms);
}

bool lf_marks_set(struct lf_marks *marks, uint32_t iid, const struct lf_address *eid, uint64_t now_ms)
{
    unsigned start = mark_start(iid, eid), at = find_mark(marks, iid, eid);

    if (at == LF_MARKS) {
        at = start;
        for (unsigned i = 1; i < MARK_WAYS; i++)
            if (marks->mark[(start + i) % LF_MARKS].since_ms < marks->mark[at].since_ms)
                at = (start + i) % LF_MARKS;
        if (!expired(&marks->mark[at], now_ms))
            return false;
    }
    marks->mark[at] = (struct lf_mark){.eid = *eid, .iid = iid, .since_ms = now_ms};
    return true;
}

void lf_marks_clear(struct lf_marks *marks, uint32_t iid, const struct lf_address *eid)
{
    unsigned at = find_mark(marks, iid, eid);

    if (at < LF_MARKS)
        marks->mark[at].since_ms = 0;
}
