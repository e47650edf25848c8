/* Frames as a TUN gives them, with a virtio-net header that may lie: cut into packets, each of which must be whole, and
 * single ones whose checksum is to be completed. Input: gso and flags, gso_size, csum_start, csum_offset, packet. */
#include "fuzz.h"

#include "checksum.h"
#include "segment.h"

enum { FRAME_MAX = 65535, PARTIAL = 0x10, RIGHT = 0x20 };

/* Puts the checksum where the headers want it, so that not only luck gets past the first comparison. */
static void make_right(struct lf_frame *frame, const struct lf_packet *packet)
{
    const struct lf_transport transport = lf_packet_transport(packet);

    frame->csum_start = (uint16_t)transport.offset;
    frame->csum_offset = transport.protocol == LF_TCP ? 16 : 6;
    frame->gso = transport.protocol == LF_TCP ? LF_GSO_TCP : LF_GSO_UDP;
    frame->gso_size = frame->gso_size ? frame->gso_size : 1;
}

static void check_cut(const struct lf_segments *segments, uint8_t *cut, size_t length)
{
    struct lf_packet packet;

    CHECK(lf_packet_parse(&packet, cut, length) == LF_PARSE_OK);
    CHECK(packet.length == length && packet.length <= segments->largest);
    CHECK(lf_packet_checksum_ok(&packet));
}

static void cut(const struct lf_frame *frame, const struct lf_packet *packet)
{
    struct lf_segments segments;
    size_t payload = 0;

    if (!lf_segments_begin(&segments, frame, packet))
        return;
    CHECK(segments.count > 0 && segments.headers < packet->length && segments.largest <= packet->length);

    uint8_t *made = malloc(segments.largest);

    CHECK(made);
    for (size_t i = 0; i < segments.count; i++) {
        const size_t length = lf_segments_next(&segments, made), size = length - segments.headers;

        CHECK(length > segments.headers && (size == frame->gso_size || i + 1 == segments.count));
        CHECK(memcmp(made + segments.headers, packet->data + segments.headers + payload, size) == 0);
        payload += size;
        if (i < 3 || i + 1 == segments.count)
            check_cut(&segments, made, length);
    }
    CHECK(segments.headers + payload == packet->length);
    free(made);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {.data = data, .length = size};
    const uint8_t flags = fuzz_take8(&input);
    struct lf_frame frame = {.gso = flags % 3, .partial = flags & PARTIAL};
    struct lf_packet packet;
    uint8_t *block;

    frame.gso_size = fuzz_take16(&input);
    frame.csum_start = fuzz_take16(&input);
    frame.csum_offset = fuzz_take16(&input);
    frame.data = fuzz_take_rest(&input, 0, FRAME_MAX, &block, &frame.length);
    if (lf_packet_parse(&packet, frame.data, frame.length) == LF_PARSE_OK) {
        if (flags & RIGHT)
            make_right(&frame, &packet);
        cut(&frame, &packet);
    }
    if (lf_frame_complete(&frame))
        CHECK(!frame.partial);
    free(block);
    return 0;
}
