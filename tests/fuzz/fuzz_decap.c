/* Datagrams as anyone may send them, in each of the three forms, and what decapsulation lets through. Input: a byte that is
 * odd for VXLAN-GPE, the outer traffic class and TTL, then the datagram. */
#include "fuzz.h"

#include "change.h"
#include "decap.h"
#include "encap.h"
#include "hints.h"

enum { DATAGRAM_MAX = 65535, SHIMS = 8 * 1024, INSTANCE = 7, VERSION = 9 };

static struct lf_table *make_table(void)
{
    static const uint8_t here4[] = {10, 9, 0, 1}, here6[16] = {0xfd, 9, [15] = 1};
    struct lf_table *table = lf_table_new(1, 1);
    const struct lf_address v4 = lf_address_make(4, here4), v6 = lf_address_make(6, here6);
    static struct change change;

    change_begin(&change);
    change_local(&change, &v4, 0);
    change_local(&change, &v6, 0);
    change_local(&change, &v4, INSTANCE);
    change_local_prefix(&change, 32, VERSION);
    CHECK(change_commit(&change, table).error == LF_OK);
    return table;
}

static void check_passed(const struct lf_locals *locals, const struct lf_packet *packet, uint32_t iid,
                         struct lf_outer outer)
{
    struct lf_packet again;

    CHECK(lf_packet_parse(&again, packet->data, packet->length) == LF_PARSE_OK);
    CHECK(again.length == packet->length && again.family == packet->family);
    CHECK(again.tos == packet->tos && again.ttl == packet->ttl && lf_packet_checksum_ok(&again));
    CHECK(packet->ttl <= outer.ttl && packet->tos >> 2 == outer.tos >> 2);
    CHECK(lf_locals_find(locals, &packet->destination, iid));
    CHECK(!lf_locals_find(locals, &packet->source, iid) && lf_address_tunnelled(&packet->source));
}

static void check_said(struct lf_view view, const uint8_t *header, const struct lf_packet *packet, uint32_t iid)
{
    static struct lf_hints hints;
    static uint64_t now = LF_HINT_MS;
    const struct lf_saying said = lf_hint_read(header);
    const enum lf_reason reason = lf_hint_judge(view, &said, packet, iid);
    const bool nonce = said.flags & LF_SAID_NONCE, version = said.flags & LF_SAID_VERSION;

    CHECK(!(nonce && version) && (nonce || !(said.flags & LF_SAID_ECHO)) && said.field < 1u << 24);
    CHECK((nonce || version || !said.field) && (said.flags & LF_SAID_STATUS || !said.status));
    CHECK(reason == LF_PASS || (reason == LF_MAP_VERSION && version));
    CHECK(reason == LF_MAP_VERSION || !version || (iid == INSTANCE && said.field & 0xfff));
    if (lf_hint_news(&hints, &packet->source, &said, now))
        CHECK(!lf_hint_news(&hints, &packet->source, &said, now + LF_HINT_MS - 1));
    now += said.field % LF_HINT_MS;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct lf_table *table; /* one for all inputs; still reachable at the end, so no leak */
    struct fuzz_input input = {.data = data, .length = size};
    const bool vxlan = fuzz_take8(&input) & 1;
    struct lf_outer outer;
    struct lf_packet packet;
    uint8_t *block, *datagram;
    size_t length;
    uint32_t iid;

    if (!table)
        table = make_table();
    outer.tos = fuzz_take8(&input);
    outer.ttl = fuzz_take8(&input);
    datagram = fuzz_take_rest(&input, 0, DATAGRAM_MAX, &block, &length);

    const struct lf_view view = {.table = table, .pin = lf_epoch_pin(&table->epoch, 0)};

    if (lf_decap(view, vxlan, datagram, length, outer, &packet, &iid) == LF_PASS) {
        CHECK(iid == 0 || iid == INSTANCE);
        CHECK(packet.data >= datagram + LF_HEADER && packet.data <= datagram + LF_HEADER + SHIMS);
        CHECK(packet.data + packet.length <= datagram + length);
        check_passed(lf_table_locals(view), &packet, iid, outer);
        if (!vxlan)
            check_said(view, datagram, &packet, iid);
    }
    lf_epoch_sleep(&table->epoch, 0);
    free(block);
    return 0;
}
