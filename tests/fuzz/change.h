/* A packed transaction built up in C, for the harnesses; each put brings its one locator along. */
#ifndef CHANGE_H
#define CHANGE_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "transaction.h"

/* Of each kind, unless the harness wants more. */
#ifndef CHANGE_MAX
#define CHANGE_MAX 64
#endif

struct change {
    struct lf_packed_header count;
    struct {
        struct lf_packed_set set;
        struct lf_packed_locator locator;
    } sets[CHANGE_MAX];
    struct lf_packed_put puts[CHANGE_MAX];
    struct lf_packed_withdrawal withdrawals[CHANGE_MAX];
    struct lf_packed_source sources[CHANGE_MAX];
    struct lf_packed_local locals[CHANGE_MAX];
    struct lf_packed_set_withdrawal set_withdrawals[CHANGE_MAX];
    uint8_t buffer[sizeof(struct lf_packed_header) + CHANGE_MAX * (40 + 32 + 24 + 24 + 24 + 8)];
};

static inline void change_begin(struct change *change)
{
    change->count = (struct lf_packed_header){.magic = {'L', 'F', 'T', 'X'}, .version = LF_PACKED_VERSION};
}

/* A set with one locator: of the transaction alone where `id` is 0. Returns what a put names it by. */
static inline uint32_t change_set(struct change *change, uint32_t id, const struct lf_locator *locator)
{
    const uint32_t place = change->count.sets++;
    struct lf_packed_locator *packed = &change->sets[place].locator;

    change->sets[place].set = (struct lf_packed_set){.id = id, .count = 1};
    *packed = (struct lf_packed_locator){.family = (uint8_t)(locator->address.family | locator->form << 4),
                                         .slot = locator->slot,
                                         .priority = locator->priority,
                                         .weight = locator->weight,
                                         .port = locator->port,
                                         .mtu = locator->mtu};
    memcpy(packed->address, locator->address.bytes, 16);
    memcpy(packed->header, locator->header, 8);
    return place | LF_PACKED_OWN;
}

static inline void change_put_set(struct change *change, uint32_t iid, const struct lf_address *network, uint8_t length,
                                  uint32_t set)
{
    struct lf_packed_put *put = &change->puts[change->count.puts++];

    *put = (struct lf_packed_put){.iid = iid, .family = network->family, .length = length, .set = set};
    memcpy(put->network, network->bytes, 16);
}

static inline void change_put(struct change *change, uint32_t iid, const struct lf_address *network, uint8_t length,
                              const struct lf_locator *locator)
{
    change_put_set(change, iid, network, length, change_set(change, 0, locator));
}

static inline void change_withdraw(struct change *change, uint32_t iid, const struct lf_address *network,
                                   uint8_t length)
{
    struct lf_packed_withdrawal *withdrawal = &change->withdrawals[change->count.withdrawals++];

    *withdrawal = (struct lf_packed_withdrawal){.iid = iid, .family = network->family, .length = length};
    memcpy(withdrawal->network, network->bytes, 16);
}

static inline void change_source(struct change *change, uint8_t slot, const struct lf_address *address,
                                 uint32_t ifindex)
{
    struct lf_packed_source *source = &change->sources[change->count.sources++];

    *source = (struct lf_packed_source){.family = address->family, .slot = slot, .ifindex = ifindex};
    memcpy(source->address, address->bytes, 16);
}

static inline void change_local(struct change *change, const struct lf_address *address, uint32_t iid)
{
    struct lf_packed_local *local = &change->locals[change->count.locals++];

    change->count.flags = LF_PACKED_LOCAL;
    *local = (struct lf_packed_local){
        .iid = iid, .family = address->family, .length = address->family == 4 ? 32 : 128};
    memcpy(local->network, address->bytes, 16);
}

static inline void change_set_withdraw(struct change *change, uint32_t id)
{
    change->set_withdrawals[change->count.set_withdrawals++] = (struct lf_packed_set_withdrawal){.id = id};
}

static inline size_t change_lay(struct change *change, size_t at, const void *records, size_t size)
{
    memcpy(change->buffer + at, records, size);
    return at + size;
}

/* The one that was added last is a prefix of this length, with a Map-Version. */
static inline void change_local_prefix(struct change *change, uint8_t length, uint16_t version)
{
    change->locals[change->count.locals - 1].length = length;
    change->locals[change->count.locals - 1].version = version;
}

/* The buffer for lf_table_commit_packed, of this length. */
static inline size_t change_end(struct change *change)
{
    size_t at = change_lay(change, 0, &change->count, sizeof change->count);

    at = change_lay(change, at, change->sets, change->count.sets * sizeof change->sets[0]);
    at = change_lay(change, at, change->puts, change->count.puts * sizeof change->puts[0]);
    at = change_lay(change, at, change->withdrawals, change->count.withdrawals * sizeof change->withdrawals[0]);
    at = change_lay(change, at, change->sources, change->count.sources * sizeof change->sources[0]);
    at = change_lay(change, at, change->locals, change->count.locals * sizeof change->locals[0]);
    return change_lay(change, at, change->set_withdrawals,
                      change->count.set_withdrawals * sizeof change->set_withdrawals[0]);
}

static inline struct lf_problem change_commit(struct change *change, struct lf_table *table)
{
    return lf_table_commit_packed(table, change->buffer, change_end(change));
}

#endif
