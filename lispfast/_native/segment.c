#include "segment.h"

#include "checksum.h"

/* From RFC 9293 section 3.1 and RFC 768; offsets are from the transport header's first byte. */
enum { TCP_HEADER = 20, TCP_SEQUENCE = 4, TCP_ACKNOWLEDGMENT = 8, TCP_OFFSET = 12, TCP_FLAGS = 13, TCP_WINDOW = 14 };
enum { TCP_CHECKSUM = 16, TCP_URGENT = 18, FIN = 0x01, PSH = 0x08, CWR = 0x80 };
enum { UDP_HEADER = 8, UDP_LENGTH = 4, UDP_CHECKSUM = 6 };

/* Bytes of the transport header, 0 where it is cut off or says nonsense. */
static size_t transport_header(enum lf_gso gso, const uint8_t *header, size_t room)
{
    if (gso == LF_GSO_UDP)
        return room < UDP_HEADER ? 0 : UDP_HEADER;
    if (room < TCP_HEADER)
        return 0;

    const size_t size = (size_t)(header[TCP_OFFSET] >> 4) * 4;

    return size < TCP_HEADER || size > room ? 0 : size;
}

/* The pseudo header without its length. Where the checksum is partial its field has the sum, with the length of the
 * whole frame: behind a routing header the destination that counts is not the one in the IPv6 header. */
static uint64_t pseudo_sum(const struct lf_frame *frame, const struct lf_packet *packet, size_t transport)
{
    if (frame->partial)
        return (uint64_t)lf_word16(packet->data + transport + frame->csum_offset) +
               (uint16_t)~lf_network16(packet->length - transport);

    const uint64_t protocol = lf_network16(frame->gso == LF_GSO_TCP ? LF_TCP : LF_UDP);

    if (packet->family == 4)
        return lf_checksum_add(protocol, packet->data + 12, 8);
    return lf_checksum_add(protocol, packet->data + 8, 32);
}

static uint64_t tcp_sum(const uint8_t *header, size_t size)
{
    uint64_t sum = lf_checksum_add(0, header, TCP_SEQUENCE);

    sum = lf_checksum_add(sum, header + TCP_ACKNOWLEDGMENT, TCP_OFFSET - TCP_ACKNOWLEDGMENT);
    sum = lf_checksum_add(sum, header + TCP_WINDOW, TCP_CHECKSUM - TCP_WINDOW);
    return lf_checksum_add(sum, header + TCP_URGENT, size - TCP_URGENT);
}

static uint64_t ipv4_sum(const uint8_t *header, size_t size)
{
    const uint64_t sum = lf_checksum_add(lf_checksum_add(0, header, 2), header + 6, 4);

    return lf_checksum_add(sum, header + 12, size - 12);
}

bool lf_segments_begin(struct lf_segments *segments, const struct lf_frame *frame, const struct lf_packet *packet)
{
    const struct lf_transport transport = lf_packet_transport(packet);
    const bool tcp = frame->gso == LF_GSO_TCP;

    if (frame->gso == LF_GSO_NONE || frame->gso_size == 0 || !transport.known || transport.fragment ||
        transport.protocol != (tcp ? LF_TCP : LF_UDP))
        return false;
    if (frame->partial &&
        (frame->csum_start != transport.offset || frame->csum_offset != (tcp ? TCP_CHECKSUM : UDP_CHECKSUM)))
        return false;

    const uint8_t *header = packet->data + transport.offset;
    const size_t room = packet->length - transport.offset;
    const size_t size = transport_header(frame->gso, header, room);

    if (size == 0 || size == room)
        return false;

    const size_t payload = room - size;
    const size_t each = frame->gso_size;

    *segments = (struct lf_segments){
        .headers = transport.offset + size,
        .count = (payload + each - 1) / each,
        .largest = transport.offset + size + (payload < each ? payload : each),
        .front = packet->data,
        .payload = header + size,
        .left = payload,
        .each = each,
        .transport = transport.offset,
        .network_sum = packet->family == 4 ? ipv4_sum(packet->data, packet->header) : 0,
        .transport_sum = pseudo_sum(frame, packet, transport.offset) +
                         (tcp ? tcp_sum(header, size) : lf_checksum_add(0, header, UDP_LENGTH)),
        .sequence = tcp ? lf_load32(header + TCP_SEQUENCE) : 0,
        .identification = packet->family == 4 ? lf_load16(packet->data + 4) : 0,
        .family = packet->family,
        .gso = frame->gso,
        .first = true,
    };
    return true;
}

static void write_network(struct lf_segments *segments, uint8_t *header, size_t length)
{
    if (segments->family == 6) {
        lf_store16(header + 4, (uint16_t)(length - LF_IPV6_HEADER));
        return;
    }
    lf_store16(header + 2, (uint16_t)length);
    lf_store16(header + 4, segments->identification++);
    lf_checksum_store(header + 10, segments->network_sum + lf_word16(header + 2) + lf_word16(header + 4));
}

static uint64_t write_tcp(struct lf_segments *segments, uint8_t *header, size_t payload)
{
    const uint32_t sequence = segments->sequence;

    if (!segments->first)
        header[TCP_FLAGS] &= (uint8_t)~CWR;
    if (segments->left)
        header[TCP_FLAGS] &= (uint8_t) ~(FIN | PSH);
    segments->sequence += (uint32_t)payload;
    lf_store16(header + TCP_SEQUENCE, (uint16_t)(sequence >> 16));
    lf_store16(header + TCP_SEQUENCE + 2, (uint16_t)sequence);
    return (uint64_t)lf_word16(header + TCP_SEQUENCE) + lf_word16(header + TCP_SEQUENCE + 2) +
           lf_word16(header + TCP_OFFSET);
}

size_t lf_segments_next(struct lf_segments *segments, uint8_t *packet)
{
    const size_t payload = segments->left < segments->each ? segments->left : segments->each;
    const size_t length = segments->headers + payload - segments->transport;
    uint8_t *transport = packet + segments->transport;
    uint64_t sum = lf_network16(length) + lf_checksum_copy(segments->transport_sum, packet + segments->headers,
                                                        segments->payload, payload);

    segments->payload += payload;
    segments->left -= payload;
    memcpy(packet, segments->front, segments->headers);
    write_network(segments, packet, segments->headers + payload);
    if (segments->gso == LF_GSO_TCP) {
        lf_checksum_store(transport + TCP_CHECKSUM, sum + write_tcp(segments, transport, payload));
    } else {
        lf_store16(transport + UDP_LENGTH, (uint16_t)length);
        lf_checksum_store(transport + UDP_CHECKSUM, sum + lf_network16(length));
        if (lf_word16(transport + UDP_CHECKSUM) == 0) /* zero would say that there is none */
            memset(transport + UDP_CHECKSUM, 0xff, 2);
    }
    segments->first = false;
    return segments->headers + payload;
}

bool lf_frame_complete(struct lf_frame *frame)
{
    if (!frame->partial)
        return true;
    if (frame->csum_start > frame->length || (size_t)frame->csum_offset + 2 > frame->length - frame->csum_start)
        return false;

    uint8_t *from = frame->data + frame->csum_start;

    lf_checksum_store(from + frame->csum_offset, lf_checksum_add(0, from, frame->length - frame->csum_start));
    /* Of TCP and ICMPv6 0xffff is the same sum, and of UDP zero would say that there is none. */
    if (lf_word16(from + frame->csum_offset) == 0)
        memset(from + frame->csum_offset, 0xff, 2);
    frame->partial = false;
    return true;
}
