"""The Python code that reads what strangers write: each codec, and lispd.conf.

A target takes any bytes, and is done unless it raises: then the bytes are a finding. atheris looks for them where it
runs (`python tests/fuzz/decoders.py TARGET LIBFUZZER-ARGUMENTS`); elsewhere a plain mutator goes over the same targets.
"""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from random import Random
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]  # as a program of its own it starts elsewhere

HAS_ATHERIS = importlib.util.find_spec("atheris") is not None
LONGEST = 4096  # bytes of an input; a datagram may have more, and then only more of the same

if HAS_ATHERIS and __name__ == "__main__":
    import atheris

    instrumented: Any = atheris.instrument_imports(include=["lispfast"])
else:
    instrumented = nullcontext()

with instrumented:
    from lispfast.config import parse, render
    from lispfast.model.errors import WireError
    from lispfast.wire.addresses import decode_address, encode_address
    from lispfast.wire.cursor import Cursor
    from lispfast.wire.encapsulated_control import EncapsulatedControl
    from lispfast.wire.message import decode
    from lispfast.wire.packet import decode_packet
    from lispfast.wire.records import EidRecord, mapping_from_record, record_from_mapping, refused_locators
    from lispfast.wire.text import describe


def message(data: bytes) -> None:
    """A datagram of port 4342: refused, or it encodes to the same bytes, has a text and mappings."""
    try:
        read = decode(data)
    except WireError:
        return
    assert read.encode() == data
    json.dumps(describe(read))
    for record in getattr(read, "records", ()):
        if isinstance(record, EidRecord):
            mapping(record)
    if isinstance(read, EncapsulatedControl):
        packet(read.packet)


def mapping(record: EidRecord) -> None:
    """What a record says can be said again, and then says the same."""
    refused = len(refused_locators(record))
    try:
        told = mapping_from_record(record)
    except WireError:
        return
    assert len(told.locators) + refused <= len(record.locators)
    again = mapping_from_record(record_from_mapping(told))
    assert sorted(map(repr, again.locators)) == sorted(map(repr, told.locators))
    assert (again.prefix, again.ttl, again.negative) == (told.prefix, told.ttl, told.negative)


def address(data: bytes) -> None:
    """An AFI and what follows: refused, or it encodes to the bytes that were read."""
    cursor = Cursor(data)
    try:
        read = decode_address(cursor, "address")
    except WireError:
        return
    assert encode_address(read) == data[: cursor.position]


def packet(data: bytes) -> None:
    """The IP packet inside of an Encapsulated Control Message, and the message inside of that, not opened further."""
    try:
        inner = decode_packet(data).payload
        read = decode(inner)
    except WireError:
        return
    assert read.encode() == inner


def configuration(data: bytes) -> None:
    """lispd.conf: settings or an error, and the settings can be written and read."""
    loaded = parse(data.decode("utf-8", "replace"))
    assert (loaded.settings is None) == bool(loaded.errors)
    assert all(str(problem) for problem in loaded.problems)
    if loaded.settings is not None:
        text = render(loaded.settings)
        again = parse(text)
        assert again.settings is not None, again.errors
        assert render(again.settings) == text


TARGETS: dict[str, Callable[[bytes], None]] = {
    each.__name__: each for each in (message, address, packet, configuration)
}


def corpus(target: str) -> list[bytes]:
    """What the inputs of a target are made from: ours and, of messages, what other implementations sent."""
    from bench.wire.messages import MESSAGES
    from lispfast.wire.map_reply import MapReply
    from tests.vectors.pcap import read_control

    if target == "configuration":
        whole = re.findall(rb"^```conf whole\n(.*?)^```$", (ROOT / "docs/lispd.conf.md").read_bytes(), re.M | re.S)
        return [(ROOT / "lispd.conf.example").read_bytes(), *whole]
    if target == "address":
        replies = [each for each in MESSAGES.values() if isinstance(each, MapReply)]
        places = (locator.address for reply in replies for record in reply.records for locator in record.locators)
        return sorted({encode_address(place) for place in places})
    captured = {sent for path in (ROOT / "tests/vectors/data").rglob("*.pcap") for sent in read_control(path)}
    ours = {each.encode() for each in MESSAGES.values()}
    if target == "packet":
        read = map(decode, ours | captured)
        return sorted({each.packet for each in read if isinstance(each, EncapsulatedControl)})
    return sorted(ours | captured)


def mutations(seeds: list[bytes], seed: int) -> Iterator[bytes]:
    """Inputs without end, the same for a seed: bytes overwritten, cut out, put in, repeated, or of another input."""
    random = Random(seed)
    while True:
        data = bytearray(random.choice(seeds))
        for _ in range(random.randint(1, 4)):
            at, length = random.randint(0, len(data)), random.randint(0, 8)
            other = random.choice(seeds)
            start = random.randint(0, len(other))
            new = random.choice(
                (random.randbytes(length), bytes((random.choice((0, 1, 0x40, 0x7F, 0x80, 0xFF)),)), other[start:][:40])
            )
            data[at : at + random.choice((0, len(new), length))] = new
        yield bytes(data[:LONGEST])


def main() -> None:
    """`decoders.py TARGET ARGUMENTS`: atheris over it, with the arguments of libFuzzer."""
    target = TARGETS[sys.argv[1]]
    atheris.Setup([sys.argv[0], *sys.argv[2:]], lambda data: target(bytes(data)))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
