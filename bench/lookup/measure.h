/* Passes over the keys of a cell by the clock, resident memory, and the words that a program ends with.
 *
 * A program of this benchmark prints its figures as lines NAME=VALUE, and where there are none one line reason=TEXT. */
#ifndef LF_LOOKUP_MEASURE_H
#define LF_LOOKUP_MEASURE_H

#include <stddef.h>
#include <stdint.h>

/* Ours. */
enum { LF_BATCH = 64, LF_PASSES_MIN = 5, LF_PASSES_MAX = 1000 };

/* Monotonic, in seconds. */
double lf_clock(void);

/* Looks every key up once and returns the sum of the values. */
typedef uint64_t (*lf_pass)(void *context);

/* Million lookups a second: the median of at least LF_PASSES_MIN passes, for at least so long. Ends the program where a
 * pass has another sum. The first pass is not counted. */
double lf_measure(lf_pass pass, void *context, size_t keys, uint64_t sum, double seconds);

/* The value below which this part of them is; sorts. */
double lf_share(double *values, size_t count, double share);

/* A field of /proc/self/status in bytes: "RssAnon" (the process's own memory), "VmRSS", "VmHWM" (the most there was). */
size_t lf_resident(const char *field);

/* "VmHWM" begins anew. */
void lf_forget_peak(void);

/* Zeroed memory all of whose pages are there already, so that what is taken later can be counted. */
void *lf_touched(size_t size);
void lf_give_back(void *room, size_t size);

/* Measures run on the last of the processor cores that the program may use, who disturbs them on the first. Each moves the
 * thread that calls it; `quiet` comes first and returns the core. */
unsigned lf_run_quiet(void);
void lf_run_aside(void);

void lf_say(const char *name, double value);
_Noreturn void lf_refuse(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
