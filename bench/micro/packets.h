/* Packets as they come to the data plane, with right lengths and checksums. */
#ifndef LF_BENCH_PACKETS_H
#define LF_BENCH_PACKETS_H

#include "checksum.h"
#include "packet.h"

enum { TCP_HEADER = 32, UDP_HEADER = 8, SLOT = 2048 }; /* TCP with the timestamp option that Linux sends */

/* The inner EIDs of a family, ours first. */
static const uint8_t eids[2][2][16] = {
    {{172, 16, 0, 1}, {172, 16, 0, 2}},
    {{0xfd, 0x10, [15] = 1}, {0xfd, 0x10, [15] = 2}},
};

static void put_checksum(uint8_t *at, uint64_t sum)
{
    const uint16_t checksum = lf_checksum_fold(sum);

    memcpy(at, &checksum, 2);
}

static void put_transport(uint8_t *at, uint8_t protocol, uint16_t port, uint32_t sequence)
{
    lf_store16(at, port);
    lf_store16(at + 2, 5201);
    if (protocol == LF_UDP)
        return;
    lf_store16(at + 4, (uint16_t)(sequence >> 16));
    lf_store16(at + 6, (uint16_t)sequence);
    at[12] = TCP_HEADER / 4 << 4;
    at[13] = 0x10; /* ACK */
    lf_store16(at + 14, 512);
    memcpy(at + 20, (const uint8_t[]){1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2}, 12);
}

/* Writes a packet with `payload` bytes and returns its length; `out` from our EID, else to it. */
static size_t put_packet(uint8_t *data, uint8_t family, uint8_t protocol, bool out, uint16_t port, uint32_t sequence,
                         size_t payload)
{
    const size_t header = family == 4 ? LF_IPV4_HEADER : LF_IPV6_HEADER, size = family == 4 ? 4 : 16;
    const size_t rest = (protocol == LF_TCP ? TCP_HEADER : UDP_HEADER) + payload, from = header - 2 * size;
    uint8_t *transport = data + header, length[4] = {0, protocol};

    memset(data, 0, header + rest);
    data[0] = family == 4 ? 0x45 : 0x60;
    lf_store16(data + (family == 4 ? 2 : 4), (uint16_t)(family == 4 ? header + rest : rest));
    data[family == 4 ? 9 : 6] = protocol;
    data[family == 4 ? 8 : 7] = 64;
    if (family == 4)
        data[6] = 0x40; /* DF */
    memcpy(data + from, eids[family == 6][!out], size);
    memcpy(data + from + size, eids[family == 6][out], size);
    if (family == 4)
        put_checksum(data + 10, lf_checksum_add(0, data, header));
    for (size_t i = 0; i < payload; i++)
        transport[rest - payload + i] = (uint8_t)(i * 7 + port);
    put_transport(transport, protocol, port, sequence);
    if (protocol == LF_UDP)
        lf_store16(transport + 4, (uint16_t)rest);
    lf_store16(length + 2, (uint16_t)rest);
    put_checksum(transport + (protocol == LF_TCP ? 16 : 6),
                 lf_checksum_add(lf_checksum_add(lf_checksum_add(0, data + from, 2 * size), length, 4), transport, rest));
    return header + rest;
}

#endif
