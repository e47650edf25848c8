/* speed FILE SECONDS: lookups in our table from C, quiet and under changes, and what a commit takes. */
#include <stdlib.h>

#include "publications.h"
#include "measure.h"
#include "ours.h"
#include "packing.h"

/* Ours: publications a second, as the targets have it; passes under changes last longer, so that there are many. */
enum { A_SECOND = 10000, LONGER = 2 };

static void fill(struct lf_ours *ours)
{
    size_t length;
    void *buffer = lf_packing_load(&ours->cell, false, &length);

    ours->table = lf_table_new(LF_OURS_WORKERS, LF_OURS_SEED);
    if (!ours->table)
        lf_refuse("no memory");
    lf_ours_commit(ours, buffer, length);
    lf_give_back(buffer, length);
}

int main(int count, char **words)
{
    static struct lf_ours ours;
    struct lf_publications *publications;
    double seconds, quiet, median, late;
    uint64_t sum;

    if (count != 3)
        return 2;
    lf_run_quiet();
    ours.cell = lf_cell_open(words[1]);
    seconds = atof(words[2]);
    fill(&ours);
    sum = lf_ours_check(&ours, ours.cell.misses, ours.cell.head.misses, NULL);
    lf_say("miss_batch_mps", lf_measure(lf_ours_batched, &ours, ours.count, sum, seconds));
    sum = lf_ours_check(&ours, ours.cell.hits, ours.cell.head.hits, ours.cell.expected);
    lf_say("lispfast_single_mps", lf_measure(lf_ours_single, &ours, ours.count, sum, seconds));
    quiet = lf_measure(lf_ours_batched, &ours, ours.count, sum, seconds);
    lf_say("lispfast_batch_mps", quiet);
    publications = lf_publications_begin(&ours, A_SECOND);
    lf_say("batch_mps_under_updates", lf_measure(lf_ours_batched, &ours, ours.count, sum, seconds * LONGER));
    lf_say("updates_per_s", lf_publications_end(publications));
    lf_publications_time(&ours, &median, &late);
    lf_say("commit_us", median);
    lf_say("commit_p99_us", late);
    if (lf_ours_check(&ours, ours.cell.hits, ours.cell.head.hits, ours.cell.expected) != sum)
        lf_refuse("answers changed by publications that do not concern them");
    return 0;
}
