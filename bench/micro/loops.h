/* The parts of the data plane in loops: each does one operation again and again, over packets that lie in the cache. */
#ifndef LF_BENCH_LOOPS_H
#define LF_BENCH_LOOPS_H

#include <stdbool.h>
#include <stddef.h>

#define LF_LOOPS_API __attribute__((visibility("default")))

/* To be called once before `run`; false where a part does not do what its loop is about. */
LF_LOOPS_API bool lf_loops_setup(void);

LF_LOOPS_API size_t lf_loops_count(void);
LF_LOOPS_API const char *lf_loops_name(size_t loop);      /* PART/CASE */
LF_LOOPS_API const char *lf_loops_operation(size_t loop); /* what one operation is */
LF_LOOPS_API void lf_loops_run(size_t loop, size_t operations);

#endif
