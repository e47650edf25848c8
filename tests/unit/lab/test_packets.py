from __future__ import annotations

import shutil
import subprocess
from ipaddress import ip_address

import pytest
from scapy.layers.inet import IP, TCP

from lab import samples
from lispfast.lab.packets import inner_udp, message_name, probe_filter, read_udp
from lispfast.lab.probe import PORT, sequence_of

ENDS = [("192.0.2.1", "192.0.2.2"), ("2001:db8::1", "2001:db8::2")]


@pytest.mark.parametrize(("source", "destination"), ENDS)
def test_udp_is_read(source: str, destination: str) -> None:
    found = read_udp(samples.udp(source, destination, 1, 2, b"payload"))
    assert found is not None
    assert (found.source, found.destination) == (ip_address(source), ip_address(destination))
    assert (found.source_port, found.destination_port, found.payload) == (1, 2, b"payload")


def test_what_is_not_udp_or_cut_short_is_not_read() -> None:
    assert read_udp(b"") is None
    assert read_udp(bytes(IP(src="192.0.2.1", dst="192.0.2.2") / TCP())) is None
    for whole in (samples.udp(*ends, 1, 2, b"") for ends in ENDS):
        for length in range(len(whole)):
            assert read_udp(whole[:length]) is None


@pytest.mark.parametrize("eids", [("172.16.2.1", "172.16.1.1"), ("fd10::2:1", "fd10::1:1")])
@pytest.mark.parametrize("rlocs", ENDS)
def test_a_tunnelled_probe_is_found(eids: tuple[str, str], rlocs: tuple[str, str]) -> None:
    outer = read_udp(samples.tunnelled(samples.probe(77, *eids), *rlocs))
    assert outer is not None
    inner = inner_udp(outer)
    assert inner is not None
    assert inner.destination_port == PORT
    assert sequence_of(inner.payload) == 77
    assert inner_udp(inner) is None  # not on the port of LISP data


def test_another_datagram_is_no_probe() -> None:
    assert sequence_of(b"") is None
    assert sequence_of(bytes(24)) is None


@pytest.mark.parametrize(
    ("payload", "name"),
    [
        ("10000001", "Map-Request"),
        ("11000001", "SMR"),
        ("12000001", "RLOC-probe"),
        ("10400001", "SMR-invoked Map-Request"),
        ("20000001", "Map-Reply"),
        ("28000001", "RLOC-probe reply"),
        ("30000101", "Map-Register"),
        ("40000001", "Map-Notify"),
        ("50000001", "Map-Notify-Ack"),
        ("80000000", "Encapsulated Control Message"),
        ("f0000000", "message of type 15"),
        ("", "an empty message"),
    ],
)
def test_messages_have_names(payload: str, name: str) -> None:
    assert message_name(bytes.fromhex(payload)) == name


def test_an_encapsulated_message_is_named_after_what_it_carries() -> None:
    inner = samples.udp("172.16.2.1", "172.16.1.1", 4342, 4342, bytes.fromhex("10400001"))
    assert message_name(bytes.fromhex("80000000") + inner) == "encapsulated SMR-invoked Map-Request"


@pytest.mark.skipif(shutil.which("tcpdump") is None, reason="tcpdump is not installed")
def test_the_filter_compiles() -> None:
    # The directions are only known to a live capture: tests/netns has that.
    expression = probe_filter(PORT).replace("inbound and ", "").replace("outbound and ", "")
    subprocess.run(["tcpdump", "-y", "EN10MB", "-d", expression], check=True, capture_output=True)
