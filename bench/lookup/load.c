/* load FILE own|shared: one packed transaction with the whole cell into an empty table: its time, and the resident memory
 * that the table takes. Each mapping brings a locator-set of its own, or they share some (packing.h). */
#include <string.h>

#include "measure.h"
#include "ours.h"
#include "packing.h"

int main(int count, char **words)
{
    static struct lf_ours ours;
    size_t length, before, mappings;
    double begun;
    void *buffer;
    bool shared;

    if (count != 3)
        return 2;
    lf_run_quiet();
    shared = strcmp(words[2], "shared") == 0;
    ours.cell = lf_cell_open(words[1]);
    mappings = ours.cell.head.prefixes;
    buffer = lf_packing_load(&ours.cell, shared, &length);
    lf_cell_close(&ours.cell);
    lf_forget_peak();
    before = lf_resident("RssAnon");
    ours.table = lf_table_new(LF_OURS_WORKERS, LF_OURS_SEED);
    if (!ours.table)
        lf_refuse("no memory");
    begun = lf_clock();
    lf_ours_commit(&ours, buffer, length);
    lf_say(shared ? "load_shared_s" : "load_s", lf_clock() - begun);
    lf_say(shared ? "bytes_per_mapping_shared" : "bytes_per_mapping_total",
           (double)(lf_resident("RssAnon") - before) / (double)mappings);
    lf_say(shared ? "peak_rss_shared_mb" : "peak_rss_mb", (double)lf_resident("VmHWM") * 1e-6);
    return 0;
}
