#include "fragment.h"

#include "checksum.h"

/* From RFC 791 section 3.1. */
enum { DONT_FRAGMENT = 0x4000, MORE_FRAGMENTS = 0x2000, OFFSET = 0x1fff, OFFSET_UNIT = 8 };
enum { OPTION_END = 0, OPTION_NONE = 1, OPTION_COPIED = 0x80 };

/* Writes the header of the fragments after the first: the fixed part and the options that are to be copied, ended to a
 * whole number of words. Returns its size, 0 where an option has no end within the header. */
static size_t later_header(uint8_t *out, const uint8_t *header, size_t size)
{
    size_t to = LF_IPV4_HEADER;

    memcpy(out, header, LF_IPV4_HEADER);
    for (size_t at = LF_IPV4_HEADER; at < size && header[at] != OPTION_END;) {
        if (header[at] == OPTION_NONE) {
            at++;
            continue;
        }
        if (size - at < 2 || header[at + 1] < 2 || header[at + 1] > size - at)
            return 0;
        if (header[at] & OPTION_COPIED) {
            memcpy(out + to, header + at, header[at + 1]);
            to += header[at + 1];
        }
        at += header[at + 1];
    }
    while (to % 4)
        out[to++] = OPTION_END;
    out[0] = (uint8_t)(0x40 | to / 4);
    return to;
}

/* Sets count and each for `payload` bytes, more than `most`, which all fragments but the last carry at most; that may
 * carry `last`, and it is not the first, whose header may be longer. */
static void divide(struct lf_fragments *fragments, size_t payload, size_t most, size_t last)
{
    const size_t rest = payload > last ? payload - last : 1;
    const size_t count = 1 + (rest + most - 1) / most;
    const size_t even = (payload + count - 1) / count;
    const size_t each = (even + OFFSET_UNIT - 1) / OFFSET_UNIT * OFFSET_UNIT;

    fragments->count = count;
    fragments->each = each < most ? each : most;
}

bool lf_fragments_begin(struct lf_fragments *fragments, const struct lf_packet *packet, size_t room)
{
    if (packet->family != 4 || lf_load16(packet->data + 6) & DONT_FRAGMENT)
        return false;

    const size_t payload = packet->length - packet->header;
    const size_t offset = lf_load16(packet->data + 6) & OFFSET;

    *fragments = (struct lf_fragments){.packet = packet, .count = 1, .each = payload};
    if (packet->length <= room)
        return true;
    fragments->later_size = later_header(fragments->later, packet->data, packet->header);
    if (fragments->later_size == 0 || room < packet->header + OFFSET_UNIT)
        return false;
    divide(fragments, payload, (room - packet->header) / OFFSET_UNIT * OFFSET_UNIT, room - fragments->later_size);
    return offset + (fragments->count - 1) * fragments->each / OFFSET_UNIT <= OFFSET;
}

size_t lf_fragments_next(struct lf_fragments *fragments, uint8_t *out)
{
    const struct lf_packet *packet = fragments->packet;
    const bool first = fragments->done == 0;
    const size_t header = first ? packet->header : fragments->later_size;
    const size_t left = packet->length - packet->header - fragments->done;
    /* The last takes what is left, which may be more than the others carry. */
    const bool last = fragments->done / (fragments->each ? fragments->each : 1) + 1 >= fragments->count;
    const size_t payload = last ? left : fragments->each;
    const uint16_t field = lf_load16(packet->data + 6);

    memcpy(out, first ? packet->data : fragments->later, header);
    memcpy(out + header, packet->data + packet->header + fragments->done, payload);
    lf_store16(out + 2, (uint16_t)(header + payload));
    lf_store16(out + 6, (uint16_t)((field + fragments->done / OFFSET_UNIT) | (last ? 0 : MORE_FRAGMENTS)));
    memset(out + 10, 0, 2);

    const uint16_t checksum = lf_checksum_fold(lf_checksum_add(0, out, header));

    memcpy(out + 10, &checksum, 2);
    fragments->done += payload;
    return header + payload;
}
