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

static const struct lf_source *usable_source(struct lf_view view, const struct lf_locator *locator)
{
    const struct lf_source *source;

    if (locator->priority == PRIORITY_NEVER)
        return NULL;
    source = lf_table_source(view, locator->slot);
    return source && source->address.family == locator->address.family ? source : NULL;
}

static void choose(struct lf_view view, const struct lf_verdict *verdict, const struct lf_packet *packet,
                   struct lf_route *route)
{
    unsigned best = PRIORITY_NEVER, usable = 0, weights = 0;

    for (unsigned i = 0; i < verdict->count; i++) {
        const struct lf_locator *locator = &verdict->locators[i];

        if (locator->priority > best || !usable_source(view, locator))
            continue;
        if (locator->priority < best) {
            best = locator->priority;
            usable = weights = 0;
        }
        usable++;
        weights += locator->weight;
    }
    if (usable == 0)
        return;

    uint64_t shares = weights ? weights : usable;
    uint64_t point = usable > 1 ? shares * lf_flow_hash(packet) >> 32 : 0;

    for (unsigned i = 0; i < verdict->count; i++) {
        const struct lf_locator *locator = &verdict->locators[i];
        const struct lf_source *source = locator->priority == best ? usable_source(view, locator) : NULL;
        uint64_t share = weights ? locator->weight : 1;

        if (!source)
            continue;
        if (point < share || usable == 1) {
            route->locator = locator;
            route->source = source;
            return;
        }
        point -= share;
    }
}

struct lf_route lf_forward(struct lf_view view, uint32_t iid, const struct lf_packet *packet)
{
    const struct lf_match match = lf_table_lookup(view, iid, &packet->destination);
    struct lf_route route = {.kind = LF_RESOLVE, .prefix = match.prefix};

    if (!match.verdict)
        return route;
    route.kind = match.verdict->kind;
    route.reject_code = match.verdict->reject_code;
    if (route.kind == LF_ENCAPSULATE)
        choose(view, match.verdict, packet, &route);
    return route;
}
