from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lispfast.model.addresses import EidPrefix
from lispfast.model.errors import WireError
from lispfast.model.mapping import Action, Hop, Locator, Mapping
from lispfast.model.units import InstanceId, Minutes
from lispfast.wire.addresses import InstanceAddress, Lcaf, OtherAddress, WireAddress, encode_address
from lispfast.wire.cursor import Cursor
from lispfast.wire.lcaf_keys import Json
from lispfast.wire.lcaf_locators import AfiList, AsNumber, ExplicitPath, PathHop
from lispfast.wire.records import (
    EidRecord,
    LocatorRecord,
    eid_prefix,
    mapping_from_record,
    record_from_mapping,
    refused_locators,
    wire_eid,
)

from . import strategies

V4 = IPv4Address("172.16.1.1")
V6 = IPv6Address("fd10::1:1")
GOOD = IPv4Address("10.0.1.2")

# RFC 9301 section 5.4: TTL 10; two locators, mask 32, ACT 5 A reserved 0xabc; reserved 9 version 0x123, AFI 1.
RECORD = """
    0000000a 02 20 babc 9123 0001 ac100101
    01 64 ff 00 0005 0001 0a000102
    fe 0a 01 02 abca 0002 20010db8 00000000 00000000 00000001
"""
READ = EidRecord(
    V4,
    32,
    Minutes(10),
    (
        LocatorRecord(GOOD, 1, 100, 255, 0, local=True, reachable=True),
        LocatorRecord(IPv6Address("2001:db8::1"), 254, 10, 1, 2, probed=True, reachable=False, unused=0xABC8),
    ),
    action=5,
    authoritative=True,
    map_version=0x123,
    reserved=0xABC,
    reserved_version=9,
)


def test_figure() -> None:
    octets = bytes.fromhex(RECORD)
    assert EidRecord.read(Cursor(octets)) == READ
    assert READ.encode() == octets


def test_every_truncation_is_refused() -> None:
    octets = bytes.fromhex(RECORD)
    for length in range(len(octets)):
        with pytest.raises(WireError):
            EidRecord.read(Cursor(octets[:length]))


@given(strategies.eid_records)
def test_round_trip(record: EidRecord) -> None:
    assert EidRecord.read(Cursor(record.encode())) == record


@pytest.mark.parametrize(
    "change",
    [
        {"mask_len": 256},
        {"ttl": 1 << 32},
        {"action": 8},
        {"map_version": 0x1000},
        {"reserved": 0x1000},
        {"reserved_version": 16},
        {"locators": (LocatorRecord(GOOD),) * 256},
        {"locators": (LocatorRecord(GOOD, priority=256),)},
        {"locators": (LocatorRecord(GOOD, unused=1),)},
    ],
)
def test_what_does_not_fit_is_not_written(change: dict[str, object]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the messages differ by field
        replace(READ, **change).encode()


@pytest.mark.parametrize(
    ("address", "mask_len", "prefix"),
    [
        (V4, 32, EidPrefix.parse("172.16.1.1/32")),
        (V4, 0, EidPrefix.parse("0.0.0.0/0")),
        (V6, 128, EidPrefix.parse("fd10::1:1/128")),
        (InstanceAddress(0xFFFFFF, V4), 24, EidPrefix.parse("172.16.1.0/24", 0xFFFFFF)),
        (InstanceAddress(0, V6), 64, EidPrefix.parse("fd10::/64")),
    ],
)
def test_eid_prefix(address: WireAddress, mask_len: int, prefix: EidPrefix) -> None:
    assert eid_prefix(address, mask_len) == prefix


@pytest.mark.parametrize(
    ("address", "mask_len"),
    [
        (V4, 33),
        (V6, 129),
        (InstanceAddress(5, V4), 64),
        (None, 0),
        (OtherAddress(17, b"phone\0"), 48),
        (Lcaf(1, b"\0\0"), 0),
        (InstanceAddress(1 << 24, V4), 32),
        (InstanceAddress(5, None, 32), 0),
        (InstanceAddress(5, InstanceAddress(6, V4)), 32),
    ],
)
def test_what_is_no_eid_prefix(address: WireAddress, mask_len: int) -> None:
    with pytest.raises(WireError):
        eid_prefix(address, mask_len)
    with pytest.raises(WireError):
        mapping_from_record(EidRecord(address, mask_len, Minutes(1)))


@pytest.mark.parametrize("text", ["10.1.0.0/16", "fd10::/64"])
@pytest.mark.parametrize("iid", [0, 1, 0xFFFFFF])
def test_wire_eid_and_back(text: str, iid: int) -> None:
    prefix = EidPrefix.parse(text, iid)
    assert eid_prefix(wire_eid(prefix), prefix.length) == prefix
    assert isinstance(wire_eid(prefix), InstanceAddress) == bool(iid)


def test_a_mapping_is_written_in_the_order_of_the_wire() -> None:
    low, high, six = Locator(ip_address("9.0.0.1")), Locator(ip_address("10.0.0.1")), Locator(ip_address("2001:db8::1"))
    mapping = Mapping(EidPrefix.parse("10.1.0.0/16"), (six, high, low), Minutes(5), Action.DROP)
    record = record_from_mapping(mapping)
    assert [locator.address for locator in record.locators] == [low.address, high.address, six.address]
    assert record.action == 0
    assert (record.ttl, record.mask_len) == (5, 16)
    assert mapping_from_record(record) == replace(mapping, locators=(low, high, six), action=Action.NO_ACTION)


@given(st.sampled_from(Action), st.booleans(), strategies.bits(12), strategies.bits(32))
def test_a_negative_mapping_there_and_back(action: Action, authoritative: bool, version: int, ttl: int) -> None:
    prefix = EidPrefix.parse("fd10::/64", 7)
    mapping = Mapping(prefix, (), Minutes(ttl), action, authoritative, version)
    assert mapping_from_record(record_from_mapping(mapping)) == mapping


locators = st.builds(
    Locator,
    st.integers(1, 250).map(lambda n: ip_address(f"10.0.0.{n}"))
    | st.integers(1, 99).map(lambda n: ip_address(f"2001:db8::{n}")),
    *[strategies.octet] * 4,
    *[st.booleans()] * 3,
)


@given(st.lists(locators, min_size=1, max_size=5, unique_by=lambda loc: loc.address))
def test_a_mapping_with_locators_there_and_back(given_locators: list[Locator]) -> None:
    mapping = Mapping(EidPrefix.parse("10.1.0.0/16", InstanceId(3)), tuple(given_locators), Minutes(1))
    back = mapping_from_record(record_from_mapping(mapping))
    assert set(back.locators) == set(given_locators)
    assert back.prefix == mapping.prefix


@pytest.mark.parametrize("act", [6, 7])
def test_an_unassigned_action_encapsulates_nothing(act: int) -> None:
    assert mapping_from_record(EidRecord(V4, 32, Minutes(1), action=act)).action is Action.NO_ACTION


def test_the_action_counts_only_without_locators() -> None:
    record = EidRecord(V4, 32, Minutes(1), (LocatorRecord(Lcaf(77, b"")),), action=1)
    read = mapping_from_record(record)
    assert (read.locators, read.action) == ((), Action.NO_ACTION)
    assert record_from_mapping(read).action == 0


@pytest.mark.parametrize(
    "text",
    [
        "255.255.255.255",
        "224.0.0.1",
        "239.1.2.3",
        "127.0.0.1",
        "0.0.0.0",
        "0.1.2.3",
        "169.254.1.1",
        "::",
        "::1",
        "ff02::1",
        "ff0e::1",
        "fe80::1",
        "::ffff:10.0.1.2",
    ],
)
def test_what_can_be_no_rloc_is_left_out(text: str) -> None:
    bad = LocatorRecord(ip_address(text))
    record = EidRecord(V4, 32, Minutes(1), (LocatorRecord(GOOD), bad))
    assert [locator.address for locator in mapping_from_record(record).locators] == [GOOD]
    assert refused_locators(record) == (bad,)


@pytest.mark.parametrize("text", ["10.0.1.2", "192.0.2.1", "8.8.8.8", "100.64.0.1", "2001:db8::1", "fd00::1"])
def test_what_can_be_an_rloc_stays(text: str) -> None:
    record = EidRecord(V4, 32, Minutes(1), (LocatorRecord(ip_address(text)),))
    assert [str(locator.address) for locator in mapping_from_record(record).locators] == [text]
    assert refused_locators(record) == ()


@pytest.mark.parametrize(
    "address", [None, Lcaf(99, b"new"), Lcaf(1, b""), OtherAddress(17, b"x\0"), InstanceAddress(1, GOOD)]
)
def test_a_locator_of_a_kind_that_we_do_not_use_is_left_out(address: WireAddress) -> None:
    record = EidRecord(V4, 32, Minutes(1), (LocatorRecord(address), LocatorRecord(GOOD, priority=255)))
    (locator,) = mapping_from_record(record).locators
    assert (locator.address, locator.priority) == (GOOD, 255)
    assert refused_locators(record) == ()


def test_a_vendors_locator_spoils_the_message() -> None:
    record = EidRecord(V4, 32, Minutes(1), (LocatorRecord(GOOD), LocatorRecord(Lcaf(255, b"\0\1\2\3"))))
    with pytest.raises(WireError, match="vendor"):
        EidRecord.read(Cursor(record.encode()))


def test_an_eid_of_unknown_lcafs_spoils_the_message() -> None:
    with pytest.raises(WireError, match="not recognised"):
        EidRecord.read(Cursor(EidRecord(Lcaf(99, b"new"), 0, Minutes(1)).encode()))


@given(st.lists(strategies.locator_records, max_size=4))
def test_what_is_not_acted_on_is_told_on_byte_for_byte(locators: list[LocatorRecord]) -> None:
    record = EidRecord(V4, 32, Minutes(1), tuple(locators))
    kept = [encode_address(one.address) for one in locators if one not in refused_locators(record)]
    told = [encode_address(one.address) for one in record_from_mapping(mapping_from_record(record)).locators]
    assert sorted(told) == sorted(kept)


def test_lcafs_stand_behind_the_addresses_in_the_order_of_their_types() -> None:
    locators = (
        Json(b"{}"),
        AsNumber(65000, GOOD),
        AfiList((OtherAddress(17, b"x\0"),)),
        ip_address("2001:db8::1"),
        GOOD,
    )
    read = mapping_from_record(EidRecord(V4, 32, Minutes(1), tuple(LocatorRecord(one) for one in locators)))
    assert [locator.address for locator in read.locators] == [GOOD, ip_address("2001:db8::1"), GOOD]
    assert len(read.carried) == 2
    told = record_from_mapping(read).locators
    assert [one.address for one in told] == [GOOD, ip_address("2001:db8::1"), locators[2], locators[1], locators[0]]


PATH = (Hop(ip_address("10.0.0.9"), lookup=True), Hop(GOOD, probe=True), Hop(ip_address("2001:db8::7"), strict=True))


def test_a_path_is_written_behind_the_addresses_and_comes_back() -> None:
    along, other = Locator(PATH[0].address, path=PATH), Locator(GOOD, path=PATH[1:])
    six = Locator(ip_address("2001:db8::1"))
    mapping = Mapping(EidPrefix.parse("10.1.0.0/16"), (other, along, six), Minutes(5))
    record = record_from_mapping(mapping)
    assert [type(locator.address) for locator in record.locators] == [IPv6Address, ExplicitPath, ExplicitPath]
    again = EidRecord.read(Cursor(record.encode()))
    assert mapping_from_record(again).locators == (six, along, other)
    assert record_from_mapping(replace(mapping, locators=(along, six, other))) == record


def test_a_path_that_comes_to_a_hop_twice_is_refused() -> None:
    hops = (PathHop(GOOD), PathHop(ip_address("10.0.0.9")), PathHop(GOOD))
    bad = LocatorRecord(ExplicitPath(hops))
    record = EidRecord(V4, 32, Minutes(1), (bad, LocatorRecord(ExplicitPath(hops[:2]))))
    assert [len(locator.path) for locator in mapping_from_record(record).locators] == [2]
    assert refused_locators(record) == (bad,)


def test_a_carried_locator_is_told_on_without_its_senders_bits() -> None:
    """Who tells of it is not where it is local, and answers no probe (RFC 9301 section 5.4); all else stays."""
    came = LocatorRecord(Json(b"{}"), 3, 50, 4, 60, local=True, probed=True, reachable=False, unused=0x8000)
    (told,) = record_from_mapping(mapping_from_record(EidRecord(V4, 32, Minutes(1), (came,)))).locators
    assert told == replace(came, local=False, probed=False)
