/* The data plane as its owner sees it: a table, workers, punts. Every call comes from one thread, the control thread. */
#ifndef LF_ENGINE_H
#define LF_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "counters.h"
#include "options.h"
#include "ring.h"
#include "table.h"
#include "transaction.h"

struct lf_engine;

/* An engine with one worker for each TUN descriptor; NULL where there is no memory. The descriptors stay the caller's
 * and have to stay open until lf_engine_stop. Ended by lf_engine_free. */
struct lf_engine *lf_engine_new(const int *tuns, unsigned workers, const struct lf_options *options);
void lf_engine_free(struct lf_engine *engine);

/* Opens the sockets and starts the workers; 0 or an errno, and then nothing is left open. Once only. */
int lf_engine_start(struct lf_engine *engine);

/* Ends the workers and closes everything; again does nothing. The table and the counters can still be read. */
void lf_engine_stop(struct lf_engine *engine);

/* As lf_table_commit_packed, and workers whose packets wait look at once. Where too much is to be freed it waits for the
 * workers, half a second at most, before it is refused. */
struct lf_problem lf_engine_commit_packed(struct lf_engine *engine, const void *buffer, size_t length);

/* A descriptor that is readable while punts wait; -1 after stop. `rearm` makes it unreadable, called before the punts are
 * taken. `take` gives the oldest punt of all workers, false for none. */
int lf_engine_punt_fd(const struct lf_engine *engine);
void lf_engine_punt_rearm(struct lf_engine *engine);
bool lf_engine_punt_take(struct lf_engine *engine, struct lf_punt *punt);

struct lf_table *lf_engine_table(struct lf_engine *engine);
unsigned lf_engine_workers(const struct lf_engine *engine);
struct lf_totals lf_engine_totals(const struct lf_engine *engine);

/* The outer sources that packets came from lately: `place` starts at 0, false ends. An address may come up once for each
 * worker. */
bool lf_engine_peer(const struct lf_engine *engine, uint32_t *place, struct lf_address *address, uint64_t *last_ms);

/* What the kernel gave; all false before the start and after the stop. */
struct lf_features lf_engine_features(const struct lf_engine *engine);

/* Whether the workers have a socket of family 4 or 6; whether a TUN device has gone. */
bool lf_engine_has_family(const struct lf_engine *engine, unsigned family);
bool lf_engine_tun_lost(const struct lf_engine *engine);

/* The clock that every last_ms is read from. */
uint64_t lf_engine_now_ms(void);

#endif
