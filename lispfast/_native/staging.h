/* Frames that wait for a mapping, and which EIDs were asked for: one worker's, bounded by count, bytes and age. */
#ifndef LF_STAGING_H
#define LF_STAGING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "address.h"
#include "frame.h"

/* Ours. The count holds a few dozen new connections; the bytes a TCP window or two; the age is beyond what a mapping
 * takes, with one retransmission of the Map-Request. */
enum { LF_STAGE_PACKETS = 256, LF_STAGE_BYTES = 512 << 10, LF_STAGE_MS = 3000 };

/* Ours. An EID is asked for once in this time, and about as many as there are marks meanwhile: others wait. */
enum { LF_MARKS = 2048, LF_MARK_MS = 1000 };

struct lf_staged {
    uint8_t *buffer; /* the pool's buffer that holds the frame; the stage owns it */
    struct lf_frame frame;
    uint64_t since_ms;
    uint32_t iid;
    struct lf_address destination;
    struct lf_address source;
};

struct lf_stage {
    struct lf_staged packets[LF_STAGE_PACKETS]; /* a ring, oldest first */
    unsigned first;
    unsigned count;
    size_t bytes;
};

/* Whether a packet of this length has room now; where not, the oldest has to go first. */
bool lf_stage_room(const struct lf_stage *stage, size_t length);

/* There must be room. */
void lf_stage_push(struct lf_stage *stage, const struct lf_staged *packet);

/* The oldest, or NULL; `pop` takes it out, and its buffer is the caller's. */
const struct lf_staged *lf_stage_oldest(const struct lf_stage *stage);
struct lf_staged lf_stage_pop(struct lf_stage *stage);

/* Offers every packet, oldest first; where `take` returns true the packet and its buffer are the taker's. */
void lf_stage_sweep(struct lf_stage *stage, bool (*take)(void *context, const struct lf_staged *packet), void *context);

/* EIDs that were punted within the last second. */
struct lf_marks {
    struct lf_mark {
        struct lf_address eid;
        uint32_t iid;
        uint64_t since_ms; /* 0 for free */
    } mark[LF_MARKS];
};

/* Whether the EID is marked; `set` marks it in place of the oldest mark near it, false where even that one is younger
 * than LF_MARK_MS; `clear` forgets it. */
bool lf_marks_hold(const struct lf_marks *marks, uint32_t iid, const struct lf_address *eid, uint64_t now_ms);
bool lf_marks_set(struct lf_marks *marks, uint32_t iid, const struct lf_address *eid, uint64_t now_ms);
void lf_marks_clear(struct lf_marks *marks, uint32_t iid, const struct lf_address *eid);

#endif
