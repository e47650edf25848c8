#include "forward.h"

/* From RFC 9301 section 5.4. */
enum { PRIORITY_NEVER = 255 };

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * UINT64_C(0xd6e8feb86659fd93);
    return hash ^ hash >> 32;
}

uint32_t lf_flow_hash(const struct lf_packet *packet)
{
    const struct lf_transport transport = lf_packet_transport(packet);
    uint64_t hash = mix(mix(0, lf_address_high(&packet->source)), lf_address_high(&packet->destination));

    if (packet->family == 6)
        hash = mix(mix(hash, lf_address_low(&packet->source)), lf_address_low(&packet->destination));
    if (transport.known && !transport.fragment) {
        bool ports = transport.protocol == LF_TCP || transport.protocol == LF_UDP || transport.protocol == LF_SCTP;

        hash = mix(hash, transport.protocol);
        if (ports && packet->length - transport.offset >= 4) {
            const uint8_t *at = packet->data + transport.offset;

            hash = mix(hash, (uint64_t)lf_load16(at) << 16 | lf_load16(at + 2));
        }
    }
    hash = mix(hash, packet->family);
    return (uint32_t)(hash ^ hash >> 17);
}

static const struct lf_source *source_for(struct lf_view view, const struct lf_locator *locator)
{
    const struct lf_source *source = lf_table_source(view, locator->slot);

    return source && source->address.family == locator->address.family ? source : NULL;
}

/* Where packets enter another tunnel first, that one needs its source RLOC as well. */
static const struct lf_source *usable_source(struct lf_view view, const struct lf_locator *locator)
{
    if (locator->priority == PRIORITY_NEVER)
        return NULL;
    if (locator->tunnel && !source_for(view, lf_locator_inside(locator)))
        return NULL;
    return source_for(view, locator);
}

/* -log2(u / 2^32) with 16 bits of fraction, at least 1, where u is `number` made odd. A quartic in the fraction f of
 * u's mantissa, exact at both ends and right within 2^-11: f + g * (a - b * f - c * g) with g = f * (1 - f). So shares
 * are right within some parts in a thousand. */
static uint32_t minus_log2(uint32_t number)
{
    const uint64_t a = 29012, b = 10750, c = 5459, mask = 0xffff;
    uint32_t odd = number | 1;
    unsigned top = 31 - (unsigned)__builtin_clz(odd);
    uint64_t f = (uint64_t)odd << (31 - top) >> 15 & mask;
    uint64_t g = f * (mask + 1 - f) >> 16;
    uint64_t log = f + (g * (a - ((b * f + c * g) >> 16)) >> 16);

    return (32 - top) * (1u << 16) - (uint32_t)log;
}

/* Weighted rendezvous hashing: a locator asks of a flow a price that is its own whoever else is there, exponentially
 * distributed, and the lowest price / weight wins. So a flow moves only where its own locator left or a newcomer asks
 * less. The port counts: locators behind one NAT share an address. */
static uint32_t price(uint32_t flow, const struct lf_locator *locator)
{
    uint64_t hash = mix(0, (uint64_t)locator->port << 32 | flow);

    hash = mix(hash, lf_address_low(&locator->address));
    hash = mix(hash, lf_address_high(&locator->address));
    if (locator->tunnel) { /* several RLOCs of one visited site */
        hash = mix(hash, lf_address_low(&lf_locator_inside(locator)->address));
        hash = mix(hash, lf_address_high(&lf_locator_inside(locator)->address));
    }
    return minus_log2((uint32_t)(mix(hash, 0) >> 32));
}

/* Among the usable locators of priority `best`; equal shares where no weight is above 0. */
static void choose_by_weight(struct lf_view view, const struct lf_locators *locators, uint32_t flow, unsigned best,
                             bool weighted, struct lf_route *route)
{
    uint64_t lowest = 0, weight_of_lowest = 0;

    for (unsigned i = 0; i < locators->count; i++) {
        const struct lf_locator *locator = &locators->locator[i];
        const struct lf_source *source = locator->priority == best ? usable_source(view, locator) : NULL;
        uint64_t weight = weighted ? locator->weight : 1;

        if (!source || weight == 0)
            continue;

        uint64_t asked = price(flow, locator);

        if (weight_of_lowest && asked * weight_of_lowest >= lowest * weight)
            continue;
        lowest = asked;
        weight_of_lowest = weight;
        route->locator = locator;
        route->source = source;
    }
}

static void choose(struct lf_view view, const struct lf_locators *locators, const struct lf_packet *packet,
                   struct lf_route *route)
{
    unsigned best = PRIORITY_NEVER, usable = 0;
    bool weighted = false;

    for (unsigned i = 0; i < locators->count; i++) {
        const struct lf_locator *locator = &locators->locator[i];
        const struct lf_source *source = locator->priority <= best ? usable_source(view, locator) : NULL;

        if (!source)
            continue;
        if (locator->priority < best) {
            best = locator->priority;
            usable = 0;
            weighted = false;
            route->locator = locator;
            route->source = source;
        }
        usable++;
        weighted = weighted || locator->weight;
    }
    if (usable > 1)
        choose_by_weight(view, locators, lf_flow_hash(packet), best, weighted, route);
}

struct lf_route lf_forward_matched(struct lf_view view, const struct lf_match *match, const struct lf_packet *packet)
{
    struct lf_route route = {.kind = LF_RESOLVE, .prefix = match->prefix};

    if (!match->verdict)
        return route;
    route.kind = match->verdict->kind;
    route.reject_code = match->verdict->reject_code;
    if (match->locators)
        choose(view, match->locators, packet, &route);
    return route;
}

struct lf_route lf_forward(struct lf_view view, uint32_t iid, const struct lf_packet *packet)
{
    const struct lf_match match = lf_table_lookup(view, iid, &packet->destination);

    return lf_forward_matched(view, &match, packet);
}

struct lf_route lf_forward_again(struct lf_view view, struct lf_recent *recent, uint32_t iid,
                                 const struct lf_packet *packet)
{
    if (recent->pin != view.pin || recent->iid != iid || !lf_address_equal(&recent->destination, &packet->destination))
        *recent = (struct lf_recent){.pin = view.pin,
                                     .iid = iid,
                                     .destination = packet->destination,
                                     .match = lf_table_lookup(view, iid, &packet->destination)};
    return lf_forward_matched(view, &recent->match, packet);
}
