#include "reasons.h"

#include <stddef.h>

static const char *const names[LF_REASONS] = {
#define LF_REASON(symbol, name) [LF_##symbol] = name,
#include "reasons.def"
#undef LF_REASON
};

const char *lf_reason_name(unsigned reason)
{
    return reason < LF_REASONS ? names[reason] : NULL;
}
