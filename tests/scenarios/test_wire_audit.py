"""Every control message of a long story, held against what RFC 9301 says of each one that is sent.

Two families, moves, probes, SMRs, misses, refusals and a restart, proxied and not, over a network that loses some; the
messages are read back from their bytes, as a stranger would.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest

from lispfast.model.addresses import CONTROL_PORT, DATA_PORT
from lispfast.model.settings import Probing
from lispfast.model.units import Seconds
from lispfast.wire.encapsulated_control import EncapsulatedControl
from lispfast.wire.map_notify import MapNotify
from lispfast.wire.map_register import MapRegister
from lispfast.wire.map_reply import MapReply
from lispfast.wire.map_request import MapRequest
from lispfast.wire.message import Message, decode
from lispfast.wire.packet import InnerDatagram
from lispfast.wire.records import EidRecord
from tests.sim.host import interface
from tests.sim.network import Conditions, Frame
from tests.sim.world import LAPTOP_V4, LAPTOP_V6, PHONE_V4, PHONE_V6, World, wlan, wwan

EIDS = [ip_network("10.0.0.0/24"), ip_network("fd00::/64")]
MAX_PACKET = {4: 576 - 28, 6: 1280 - 48}
LTE_DUAL = interface("wwan0", "203.0.113.10", "2001:db8:0:20::20", index=3)


@dataclass(frozen=True)
class Said:
    """A message as it was sent, or as it lies in an ECM: then `inner` is its packet."""

    frame: Frame
    message: Message
    inner: InnerDatagram | None = None

    def __str__(self) -> str:
        return f"{self.frame.sender} at {self.frame.at:.3f}: {self.message}"


def read(frames: list[Frame]) -> Iterator[Said]:
    for frame in frames:
        assert isinstance(frame.content, bytes)
        message = decode(frame.content)
        yield Said(frame, message)
        if isinstance(message, EncapsulatedControl):
            inner = message.inner()
            yield Said(frame, decode(inner.payload), inner)


def tell(world: World) -> None:
    world.boot()
    world.network.run(2)
    serial = 0
    for places in ((wlan(),), (wlan(up=False), LTE_DUAL), (wlan("198.51.100.20"), wwan()), (LTE_DUAL,)):
        world.phone.attach(*places)
        for _ in range(40):
            serial += 1
            world.phone.send(PHONE_V4, LAPTOP_V4, serial)
            world.laptop.send(LAPTOP_V4, PHONE_V4, serial)
            world.laptop.send(LAPTOP_V6, PHONE_V6, serial)
            world.phone.send(PHONE_V4, f"10.{serial}.0.1", serial)
            world.network.run(2)
    world.laptop.attach(interface("eth0", "203.0.113.77", "2001:db8:0:7::7"))
    world.phone.stop()
    world.network.run(5)
    world.phone.start()
    world.network.run(200)


@pytest.fixture(scope="module", params=[True, False], ids=["proxy-reply", "etr-replies"])
def said(request: pytest.FixtureRequest) -> list[Said]:
    probing = Probing(Seconds(20), 2, Seconds(1))
    world = World(3, Conditions(loss=0.05, delay=0.02, jitter=0.02), proxy_reply=request.param, probing=probing)
    tell(world)
    found = list(read(world.network.control()))
    kinds = {type(one.message).__name__ for one in found}
    assert kinds == {"MapRegister", "MapNotify", "MapRequest", "MapReply", "EncapsulatedControl"}
    assert any(one.message.smr for one in of(found, MapRequest))
    assert any(one.message.smr_invoked for one in of(found, MapRequest))
    assert any(one.message.probe for one in of(found, MapReply))
    return found


def of(said: list[Said], *kinds: type) -> list[Said]:
    return [one for one in said if isinstance(one.message, kinds)]


def records(said: list[Said], *kinds: type) -> list[tuple[Said, EidRecord]]:
    return [(one, record) for one in of(said, *kinds) for record in one.message.records]


def wrong(said: list[Said], rule: object) -> list[str]:
    return [str(one) for one in said if not rule(one)]  # type: ignore[operator]


def test_section_5_one_port_is_4342_and_no_port_is_0(said):
    def ports(one: Said) -> tuple[int, int]:
        return one.frame.source.port, one.frame.destination.port

    assert wrong(said, lambda one: CONTROL_PORT in ports(one) and 0 not in ports(one)) == []


def test_section_5_a_packet_fits_a_path_of_unknown_mtu(said):
    assert wrong(said, lambda one: len(one.frame.content) <= MAX_PACKET[one.frame.source.address.version]) == []


def test_section_5_1_bits_without_a_meaning_are_0(said):
    assert wrong(said, lambda one: getattr(one.message, "reserved", 0) == 0) == []
    kinds = (MapReply, MapRegister, MapNotify)
    assert all((r.reserved, r.reserved_version) == (0, 0) for _, r in records(said, *kinds))
    assert all(loc.unused == 0 for _, r in records(said, *kinds) for loc in r.locators)


def test_section_5_2_one_record_and_itr_rlocs_that_are_no_eids(said):
    def sound(one: Said) -> bool:
        addresses = [rloc for rloc in one.message.itr_rlocs if isinstance(rloc, IPv4Address | IPv6Address)]
        inside = [rloc for rloc in addresses for eids in EIDS if rloc.version == eids.version and rloc in eids]
        return bool(addresses) and not inside and not any(rloc.is_link_local for rloc in addresses)

    assert wrong(of(said, MapRequest), lambda one: len(one.message.records) == 1) == []
    assert wrong(of(said, MapRequest), sound) == []


def test_section_5_2_probes_and_solicitations_go_straight_and_questions_through_the_mapping_system(said):
    def direct(one: Said) -> bool:
        return (one.inner is None) == (one.message.probe or one.message.smr)

    own = [one for one in of(said, MapRequest) if one.frame.sender != "server"]
    assert wrong(own, direct) == []
    assert wrong([one for one in own if one.message.smr], lambda one: one.message.dont_reply) == []
    assert wrong([one for one in own if one.message.smr_invoked], lambda one: not one.message.smr) == []


def test_section_5_2_nonces_do_not_repeat_but_for_one_thing_that_is_said_to_several_rlocs(said):
    own = [one for one in of(said, MapRequest) if one.frame.sender != "server" and not one.message.smr]
    nonces = [one.message.nonce for one in own]
    assert len(set(nonces)) == len(nonces)
    assert sum(nonce.bit_count() for nonce in nonces) / len(nonces) == pytest.approx(32, abs=4), "64 bits are in use"


def test_section_5_4_the_p_bit_stands_in_answers_to_probes_alone_and_once(said):
    for one, record in records(said, MapReply, MapRegister, MapNotify):
        probed = [locator for locator in record.locators if locator.probed]
        assert len(probed) <= 1, one
        assert not probed or (isinstance(one.message, MapReply) and one.message.probe), one


def test_section_5_4_who_answers_for_another_claims_neither_authority_nor_his_locators(said):
    for one, record in records(said, MapReply):
        assert record.authoritative == (one.frame.sender != "server"), one
        assert one.frame.sender != "server" or not any(locator.local for locator in record.locators), one


def test_section_5_4_an_action_stands_where_there_is_no_locator(said):
    assert all(record.action == 0 for _, record in records(said, MapReply, MapRegister, MapNotify) if record.locators)
    assert all(record.action == 0 for _, record in records(said, MapRegister, MapNotify))


def test_section_5_5_locators_are_sorted(said):
    for one, record in records(said, MapReply, MapRegister, MapNotify):
        addresses = [locator.address for locator in record.locators]
        assert addresses == sorted(addresses, key=lambda a: (a.version, int(a))), one


def test_section_5_6_the_nonce_of_a_map_register_rises_with_every_send_and_across_a_restart(said):
    for sender in ("phone", "laptop"):
        nonces = [one.message.nonce for one in of(said, MapRegister) if one.frame.sender == sender]
        assert nonces == sorted(set(nonces))
        assert len(nonces) > 5


def test_section_5_6_every_map_register_and_map_notify_has_a_whole_mac(said):
    signed = of(said, MapRegister, MapNotify)
    assert wrong(signed, lambda one: (one.message.algorithm_id, len(one.message.auth_data)) == (2, 32)) == []


def test_section_5_7_a_map_notify_answers_a_map_register_that_wanted_it(said):
    wanted = {one.message.nonce for one in of(said, MapRegister) if one.message.want_map_notify}
    assert wrong(of(said, MapNotify), lambda one: one.message.nonce in wanted) == []


def test_section_5_8_the_packet_inside_goes_to_the_eid_with_a_checksum_and_without_4341(said):
    inside = [one for one in said if one.inner is not None]
    assert inside
    for one in inside:
        assert one.inner is not None
        assert isinstance(one.message, MapRequest), one
        assert not one.message.probe, one
        assert DATA_PORT not in (one.inner.source.port, one.inner.destination.port), one
        assert one.inner.destination.address == one.message.records[0].eid, one
    for one in of(said, EncapsulatedControl):
        packet = one.message.packet
        at = 20 if packet[0] >> 4 == 4 else 40
        assert packet[at + 6 : at + 8] != b"\0\0", "RFC 9301 section 5.8: never without a checksum"


@pytest.mark.parametrize("to", ["phone", "server"])
def test_section_5_2_reserved_bits_of_others_are_ignored(to):
    """All of them set in the first word, and in the record."""
    world = World(proxy_reply=True)
    world.boot()
    host = getattr(world, to)
    asked = world.network.now
    world.laptop.send(LAPTOP_V4, PHONE_V4, 1)
    request = next(read(world.network.frames("ECM MapRequest", "laptop", since=asked)))
    payload = bytearray(request.message.inner().payload)
    assert payload[1] & 0x2F == 0
    payload[1] |= 0x2F
    payload[2] |= 0x80
    payload[4 + 8 + 6 + 6] |= 0x7F  # behind the nonce, the Source-EID and one ITR-RLOC: the record, but for its N-bit
    assert decode(bytes(payload)) != decode(request.message.inner().payload)
    world.network.run(3)
    asked = world.network.now
    (address,) = [one for one in host.addresses() if one.version == 4]
    source, destination = request.frame.source, request.frame.destination
    world.network.carry(Frame(asked, "laptop", source, type(destination)(address, CONTROL_PORT), bytes(payload)))
    world.network.run(0.1)
    (reply,) = world.network.frames("MapReply", to, since=asked)
    assert decode(reply.content).records[0].eid == ip_address(PHONE_V4)
