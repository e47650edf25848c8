"""The class of a flow, slowly and plainly, of any bytes; 0 where they end too early."""

from __future__ import annotations

import struct

CLASSES = 64
GOLDEN = 0x9E3779B1
WITH_PORTS = (6, 17, 132)


def steer_class(data: bytes) -> int:
    try:
        return _class(data)
    except struct.error:
        return 0


def _load(form: str, data: bytes, at: int) -> int:
    number: int = struct.unpack_from(form, data, at)[0]
    return number


def _class(data: bytes) -> int:
    version = _load("!B", data, 0) >> 4
    if version == 4:
        addresses = _load("!I", data, 12) ^ _load("!I", data, 16)
        protocol = _load("!B", data, 9)
        whole = _load("!H", data, 6) & 0x3FFF == 0
        header = (data[0] & 15) * 4
        after = (_load("!H", data, 2) - header) % 2**32
    elif version == 6:
        addresses = 0
        for at in range(8, 40, 4):
            addresses ^= _load("!I", data, at)
        protocol = _load("!B", data, 6)
        whole = True
        header = 40
        after = _load("!H", data, 4)
    else:
        return 0
    transport = protocol << 16
    if whole and protocol in WITH_PORTS and after >= 4:
        _load("!I", data, header)  # both ports or none
        transport |= _load("!H", data, header) ^ _load("!H", data, header + 2)
    mixed = addresses * GOLDEN % 2**32
    mixed ^= mixed >> 15
    return ((mixed ^ transport) * GOLDEN % 2**32) * CLASSES // 2**32
