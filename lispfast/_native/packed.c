#include "packed.h"

#include <string.h>

_Static_assert(sizeof(struct lf_packed_header) == 32 && sizeof(struct lf_packed_set) == 8 &&
                   sizeof(struct lf_packed_locator) == 32 && sizeof(struct lf_packed_put) == 32 &&
                   sizeof(struct lf_packed_tunnel) == 32 &&
                   sizeof(struct lf_packed_withdrawal) == 24 && sizeof(struct lf_packed_source) == 24 &&
                   sizeof(struct lf_packed_local) == 24 && sizeof(struct lf_packed_set_withdrawal) == 8,
               "records as they are documented");

static uint16_t little16(uint16_t value)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    value = __builtin_bswap16(value);
#endif
    return value;
}

static uint32_t little32(uint32_t value)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    value = __builtin_bswap32(value);
#endif
    return value;
}

static struct lf_packed_header read_header(const void *buffer)
{
    struct lf_packed_header header;

    memcpy(&header, buffer, sizeof header);
    header.version = little16(header.version);
    header.flags = little16(header.flags);
    header.sets = little32(header.sets);
    header.puts = little32(header.puts);
    header.withdrawals = little32(header.withdrawals);
    header.sources = little32(header.sources);
    header.locals = little32(header.locals);
    header.set_withdrawals = little32(header.set_withdrawals);
    return header;
}

struct lf_packed_set lf_packed_read_set(const uint8_t **at, const uint8_t **locators)
{
    struct lf_packed_set set;

    memcpy(&set, *at, sizeof set);
    set.id = little32(set.id);
    set.count = little16(set.count);
    set.tunnels = little16(set.tunnels);
    *locators = *at + sizeof set;
    *at = *locators + set.count * sizeof(struct lf_packed_locator) + set.tunnels * sizeof(struct lf_packed_tunnel);
    return set;
}

/* Where the sets end, 0 where one is cut off or too long; `*wrong` is then that set's offset. */
static size_t sets_end(const uint8_t *buffer, size_t length, uint32_t sets, size_t *wrong)
{
    size_t at = sizeof(struct lf_packed_header);

    for (uint32_t i = 0; i < sets; i++) {
        struct lf_packed_set set;

        *wrong = at;
        if (length - at < sizeof set)
            return 0;
        memcpy(&set, buffer + at, sizeof set);
        set.count = little16(set.count);
        set.tunnels = little16(set.tunnels);
        at += sizeof set;

        const size_t records =
            set.count * sizeof(struct lf_packed_locator) + set.tunnels * sizeof(struct lf_packed_tunnel);

        if (set.count > LF_LOCATORS_MAX || set.tunnels > set.count || length - at < records)
            return 0;
        at += records;
    }
    return at;
}

/* A part of `count` records begins at `*at`, which moves past it. False where the buffer ends before. */
static bool lay(const uint8_t *buffer, size_t length, size_t *at, uint32_t count, size_t size, const uint8_t **part)
{
    if (count > (length - *at) / size)
        return false;
    *part = buffer + *at;
    *at += count * size;
    return true;
}

bool lf_packed_open(struct lf_packed *packed, const void *buffer, size_t length, size_t *wrong)
{
    struct lf_packed_header *count = &packed->count;
    size_t at;

    *wrong = 0;
    if (length < sizeof *count)
        return false;
    *count = read_header(buffer);
    if (memcmp(count->magic, LF_PACKED_MAGIC, 4) != 0 || count->version != LF_PACKED_VERSION ||
        (count->flags & ~LF_PACKED_LOCAL) || (count->locals && !(count->flags & LF_PACKED_LOCAL)))
        return false;
    packed->buffer = buffer;
    packed->sets = packed->buffer + sizeof *count;
    at = sets_end(buffer, length, count->sets, wrong);
    if (!at)
        return false;

    const bool fits =
        lay(buffer, length, &at, count->puts, sizeof(struct lf_packed_put), &packed->puts) &&
        lay(buffer, length, &at, count->withdrawals, sizeof(struct lf_packed_withdrawal), &packed->withdrawals) &&
        lay(buffer, length, &at, count->sources, sizeof(struct lf_packed_source), &packed->sources) &&
        lay(buffer, length, &at, count->locals, sizeof(struct lf_packed_local), &packed->locals) &&
        lay(buffer, length, &at, count->set_withdrawals, sizeof(struct lf_packed_set_withdrawal),
            &packed->set_withdrawals);

    *wrong = at;
    return fits && at == length;
}

bool lf_packed_read_locator(const uint8_t *locators, size_t item, struct lf_locator *locator)
{
    struct lf_packed_locator packed;

    memcpy(&packed, locators + item * sizeof packed, sizeof packed);
    *locator = (struct lf_locator){.address = lf_address_make(packed.family & 15, packed.address),
                                   .slot = packed.slot,
                                   .priority = packed.priority,
                                   .weight = packed.weight,
                                   .form = packed.family >> 4,
                                   .port = little16(packed.port),
                                   .mtu = little16(packed.mtu)};
    memcpy(locator->header, packed.header, sizeof locator->header);
    return (locator->address.family == 4 || locator->address.family == 6) && locator->form < LF_FORMS;
}

bool lf_packed_read_tunnel(const uint8_t *tunnels, size_t item, struct lf_locator *tunnel, unsigned *place)
{
    struct lf_packed_tunnel packed;

    memcpy(&packed, tunnels + item * sizeof packed, sizeof packed);
    *tunnel = (struct lf_locator){.address = lf_address_make(packed.family, packed.address),
                                  .slot = packed.slot,
                                  .form = LF_FORM_LISP,
                                  .port = little16(packed.port)};
    memcpy(tunnel->header, packed.header, sizeof tunnel->header);
    *place = packed.place;
    return tunnel->address.family == 4 || tunnel->address.family == 6;
}

struct lf_packed_put lf_packed_read_put(const struct lf_packed *packed, size_t item)
{
    struct lf_packed_put put;

    memcpy(&put, packed->puts + item * sizeof put, sizeof put);
    put.iid = little32(put.iid);
    put.set = little32(put.set);
    return put;
}

struct lf_packed_withdrawal lf_packed_read_withdrawal(const struct lf_packed *packed, size_t item)
{
    struct lf_packed_withdrawal withdrawal;

    memcpy(&withdrawal, packed->withdrawals + item * sizeof withdrawal, sizeof withdrawal);
    withdrawal.iid = little32(withdrawal.iid);
    return withdrawal;
}

struct lf_packed_source lf_packed_read_source(const struct lf_packed *packed, size_t item)
{
    struct lf_packed_source source;

    memcpy(&source, packed->sources + item * sizeof source, sizeof source);
    source.ifindex = little32(source.ifindex);
    return source;
}

struct lf_packed_local lf_packed_read_local(const struct lf_packed *packed, size_t item)
{
    struct lf_packed_local local;

    memcpy(&local, packed->locals + item * sizeof local, sizeof local);
    local.iid = little32(local.iid);
    local.version = little16(local.version);
    return local;
}

uint32_t lf_packed_read_set_withdrawal(const struct lf_packed *packed, size_t item)
{
    struct lf_packed_set_withdrawal withdrawal;

    memcpy(&withdrawal, packed->set_withdrawals + item * sizeof withdrawal, sizeof withdrawal);
    return little32(withdrawal.id);
}
