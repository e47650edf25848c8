/* speed FILE SECONDS: lookups in our table from C, quiet and under changes, and what a commit takes. */
#include <stdlib.h>

#include "measure.h"
#include "ours.h"
#include "packing.h"
#include "publications.h"

/* Ours: publications a second, as the targets have it; passes with them last longer, so that there are many. */
enum { A_SECOND = 10000, LONGER = 2, TURNS = 3 };

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

/* What is compared is measured in turns, so that a machine that slows down slows it alike. */
static void measure_batches(struct lf_ours *ours, uint64_t hit_sum, uint64_t miss_sum, double seconds)
{
    double hits[TURNS], misses[TURNS], disturbed[TURNS], made[TURNS];

    for (unsigned turn = 0; turn < TURNS; turn++) {
        struct lf_publications *publications;

        lf_ours_use(ours, ours->cell.misses, ours->cell.head.misses);
        misses[turn] = lf_measure(lf_ours_batched, ours, ours->count, miss_sum, seconds / TURNS);
        lf_ours_use(ours, ours->cell.hits, ours->cell.head.hits);
        hits[turn] = lf_measure(lf_ours_batched, ours, ours->count, hit_sum, seconds / TURNS);
        publications = lf_publications_begin(ours, A_SECOND);
        disturbed[turn] = lf_measure(lf_ours_batched, ours, ours->count, hit_sum, seconds / TURNS * LONGER);
        made[turn] = lf_publications_end(publications);
    }
    lf_say("lispfast_batch_mps", lf_share(hits, TURNS, 0.5));
    lf_say("miss_batch_mps", lf_share(misses, TURNS, 0.5));
    lf_say("batch_mps_under_updates", lf_share(disturbed, TURNS, 0.5));
    lf_say("updates_per_s", lf_share(made, TURNS, 0.5));
}

int main(int count, char **words)
{
    static struct lf_ours ours;
    double seconds, median, late;
    uint64_t hit_sum, miss_sum;

    if (count != 3)
        return 2;
    lf_run_quiet();
    ours.cell = lf_cell_open(words[1]);
    seconds = atof(words[2]);
    fill(&ours);
    miss_sum = lf_ours_check(&ours, ours.cell.misses, ours.cell.head.misses, NULL);
    hit_sum = lf_ours_check(&ours, ours.cell.hits, ours.cell.head.hits, ours.cell.expected);
    lf_say("lispfast_single_mps", lf_measure(lf_ours_single, &ours, ours.count, hit_sum, seconds));
    measure_batches(&ours, hit_sum, miss_sum, seconds);
    lf_publications_time(&ours, &median, &late);
    lf_say("commit_us", median);
    lf_say("commit_p99_us", late);
    if (lf_ours_check(&ours, ours.cell.hits, ours.cell.head.hits, ours.cell.expected) != hit_sum)
        lf_refuse("answers changed by publications that do not concern them");
    return 0;
}
