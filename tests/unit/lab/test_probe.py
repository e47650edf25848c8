from __future__ import annotations

from pathlib import Path

from lispfast.lab.probe import ENTRY, MAGIC, PACKET, Probe, read_probes, sequence_of


def test_a_packet_tells_its_number() -> None:
    assert sequence_of(PACKET.pack(MAGIC, 5, 1) + b"more") == 5
    assert sequence_of(PACKET.pack(MAGIC, 5, 1)[:-1]) is None
    assert sequence_of(PACKET.pack(MAGIC + 1, 5, 1)) is None


def test_entries_are_read_and_an_unfinished_one_left(tmp_path: Path) -> None:
    path = tmp_path / "probes"
    assert read_probes(path) == []
    path.write_bytes(ENTRY.pack(0, 10, 20) + ENTRY.pack(1, 11, 21) + b"half")
    assert read_probes(path) == [Probe(0, 10, 20), Probe(1, 11, 21)]
