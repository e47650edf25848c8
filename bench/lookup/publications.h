/* Publications of one mapping each: half replace the locators of one, a quarter insert one, a quarter withdraw one. */
#ifndef LF_LOOKUP_PUBLICATIONS_H
#define LF_LOOKUP_PUBLICATIONS_H

#include "ours.h"

/* How long commits take, one after the other, in microseconds: median and 99th of a hundred. */
void lf_publications_time(struct lf_ours *ours, double *median, double *late);

/* A thread of its own, on another core if there is one, makes so many publications a second. To end it says how many it
 * made a second. */
struct lf_publications;
struct lf_publications *lf_publications_begin(struct lf_ours *ours, unsigned a_second);
double lf_publications_end(struct lf_publications *publications);

#endif
