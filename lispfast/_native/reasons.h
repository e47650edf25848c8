/* Every drop has a reason, and this is the list of them. */
#ifndef LF_REASONS_H
#define LF_REASONS_H

enum lf_reason {
#define LF_REASON(symbol, name) LF_##symbol,
#include "reasons.def"
#undef LF_REASON
    LF_REASONS,        /* how many there are */
    LF_PASS = LF_REASONS, /* no reason to drop */
};

/* The name of a reason as metrics and Python have it; NULL outside the enumeration. */
const char *lf_reason_name(unsigned reason);

#endif
