/* What LISP headers say of whoever sent them: nonces, Map-Versions, locator-status bits (RFC 9300 section 5.3). For
 * private networks alone (RFC 9300 section 4.1). */
#ifndef LF_HINTS_H
#define LF_HINTS_H

#include "packet.h"
#include "reasons.h"
#include "ring.h"
#include "table.h"

/* Ours: RLOCs that say something at a time, and how often what one says is passed on: by milliseconds. */
enum { LF_HINTS = 64, LF_HINT_MS = 1000 };

/* What an RLOC said last; one worker's. All zero is empty. */
struct lf_hints {
    struct lf_hint {
        struct lf_address rloc;
        struct lf_saying said;
        uint64_t since_ms; /* 0 for free */
    } hint[LF_HINTS];
};

/* What the 8 bytes say. N and V both set: it is a nonce; E counts with N alone; with P neither N, E nor V does (RFC 9305
 * section 3). Status bits are 32, or 8 beside an instance-ID. */
struct lf_saying lf_hint_read(const uint8_t *header);

/* Judges the destination Map-Version that a packet for an EID of ours brings: LF_MAP_VERSION where the prefix has none,
 * where it is null, or newer than the prefix's (RFC 9302 section 7.1), else LF_PASS. */
enum lf_reason lf_hint_judge(struct lf_view view, const struct lf_saying *said, const struct lf_packet *packet,
                             uint32_t iid);

/* Whether this is to be told: it is not what the RLOC said before, and that was told a second ago or more. Noted as told,
 * unless all places near its own are taken by what is younger; `forget` where it could not be told. */
bool lf_hint_news(struct lf_hints *hints, const struct lf_address *rloc, const struct lf_saying *said, uint64_t now_ms);
void lf_hint_forget(struct lf_hints *hints, const struct lf_address *rloc);

#endif
