#define _GNU_SOURCE
#include "measure.h"

#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

double lf_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static int compare(const void *a, const void *b)
{
    double one = *(const double *)a, other = *(const double *)b;

    return (one > other) - (one < other);
}

double lf_share(double *values, size_t count, double share)
{
    size_t at = (size_t)((double)count * share);

    qsort(values, count, sizeof(*values), compare);
    return values[at < count ? at : count - 1];
}

double lf_measure(lf_pass pass, void *context, size_t keys, uint64_t sum, double seconds)
{
    static double taken[LF_PASSES_MAX];
    size_t passes = 0;
    double begun;

    if (pass(context) != sum)
        lf_refuse("answers differ from pass to pass");
    begun = lf_clock();
    do {
        double before = lf_clock();

        if (pass(context) != sum)
            lf_refuse("answers differ from pass to pass");
        taken[passes++] = lf_clock() - before;
    } while (passes < LF_PASSES_MIN || (lf_clock() - begun < seconds && passes < LF_PASSES_MAX));
    return (double)keys / lf_share(taken, passes, 0.5) * 1e-6;
}

size_t lf_resident(const char *field)
{
    char line[256];
    size_t kib = 0, length = strlen(field);
    FILE *file = fopen("/proc/self/status", "r");

    if (!file)
        lf_refuse("/proc/self/status cannot be read");
    while (fgets(line, sizeof(line), file))
        if (strncmp(line, field, length) == 0 && line[length] == ':')
            kib = strtoull(line + length + 1, NULL, 10);
    fclose(file);
    return kib * 1024;
}

void lf_forget_peak(void)
{
    FILE *file = fopen("/proc/self/clear_refs", "w");

    if (!file || fputs("5", file) == EOF || fclose(file) != 0)
        lf_refuse("/proc/self/clear_refs cannot be written");
}

void *lf_touched(size_t size)
{
    void *room = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

    if (room == MAP_FAILED)
        lf_refuse("no memory");
    return room;
}

static void run_on(unsigned core)
{
    cpu_set_t cores;

    CPU_ZERO(&cores);
    CPU_SET(core, &cores);
    sched_setaffinity(0, sizeof(cores), &cores); /* if it does not work, the kernel chooses */
}

static unsigned first_core;

unsigned lf_run_quiet(void)
{
    cpu_set_t cores;
    unsigned last = 0;

    CPU_ZERO(&cores);
    sched_getaffinity(0, sizeof(cores), &cores);
    for (unsigned core = CPU_SETSIZE; core-- > 0;)
        if (CPU_ISSET(core, &cores)) {
            last = last ? last : core;
            first_core = core;
        }
    run_on(last);
    return last;
}

void lf_run_aside(void)
{
    run_on(first_core);
}

void lf_give_back(void *room, size_t size)
{
    munmap(room, size);
}

void lf_say(const char *name, double value)
{
    printf("%s=%.9g\n", name, value);
}

void lf_refuse(const char *format, ...)
{
    va_list words;

    va_start(words, format);
    printf("reason=");
    vprintf(format, words);
    printf("\n");
    va_end(words);
    exit(1);
}
