"""Forged probe replies and ICMP errors: who is reachable, only a probe's own answer tells."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest

from lispfast.control.map_requests import probe
from lispfast.model.addresses import CONTROL_PORT, EidPrefix, Endpoint
from lispfast.model.forwarding import Unreachable
from lispfast.model.reasons import ControlReason
from lispfast.model.units import Nonce
from lispfast.wire.encapsulated_control import EncapsulatedControl
from lispfast.wire.map_reply import MapReply
from lispfast.wire.map_request import MapRequest
from tests.sim.network import Frame
from tests.sim.world import LAPTOP_V4, OFFICE, PHONE_V4, SERVER_V4, World

from .attacker import LAIR, PHONE, forge, message_of, peaceful, unmoved


def down(world: World) -> bool:
    """Whether the phone believes that the laptop's RLOC does not answer."""
    return ip_address(OFFICE) in world.phone.role.prober.down


@pytest.fixture
def silent() -> tuple[World, Frame]:
    """The phone found out that the laptop answers no probe; the newest answer is kept, and did not arrive."""
    world = peaceful()
    kept: list[Frame] = []

    def lose(frame: Frame) -> bool:
        if frame.kind == "ProbeReply" and frame.sender == "laptop":
            kept.append(frame)
        return frame.kind == "ProbeReply"

    world.network.lose = lose
    world.converse(200, interval=1, start=5000)
    world.network.run_until(lambda: down(world), within=120)
    world.network.run_until(lambda: bool(kept) and kept[-1].at >= world.network.now - 0.001, within=60)
    world.network.run(0.02)
    world.network.lose = lambda frame: False
    return world, kept[-1]


def test_the_probe_reply_itself_is_believed(silent):
    world, reply = silent
    forge(world, world.phone, reply.content, OFFICE)
    world.network.run(0.05)
    assert not down(world)


def test_a_probe_reply_with_another_nonce(silent):
    world, reply = silent
    told = message_of(reply)
    assert isinstance(told, MapReply)
    dropped = world.phone.drops().get(ControlReason.NONCE_UNKNOWN, 0)
    forge(world, world.phone, replace(told, nonce=Nonce(told.nonce ^ 1)), OFFICE)
    world.network.run(0.05)
    assert down(world)
    assert world.phone.drops()[ControlReason.NONCE_UNKNOWN] == dropped + 1


def test_a_probe_reply_that_no_etr_gave(silent):
    """RFC 9301 section 5.4: with an A-bit that is not set in any of its records it is silently discarded."""
    world, reply = silent
    told = message_of(reply)
    assert isinstance(told, MapReply)
    proxied = replace(told.records[0], authoritative=False)
    for records in ((proxied,), (*told.records, proxied), ()):
        forge(world, world.phone, replace(told, records=records), OFFICE)
    world.network.run(0.05)
    assert down(world)
    assert world.phone.drops()[ControlReason.NOT_AUTHORITATIVE] == 3


def test_probe_replies_that_nobody_asked_for():
    world = peaceful()
    told = message_of(world.network.frames("MapReply")[0])
    assert isinstance(told, MapReply)
    with unmoved(world, world.phone, *[ControlReason.NONCE_UNKNOWN] * 2):
        forge(world, world.phone, replace(told, probe=True, nonce=Nonce(3)), OFFICE)
        forge(world, world.phone, replace(told, probe=True), LAIR)


@pytest.mark.parametrize("encapsulated", [True, False])
def test_probes_do_not_reach_the_map_server(encapsulated):
    """RFC 9301 section 5.3: probes go to locators alone."""
    world = peaceful()
    payload = _wrapped(_probe()) if encapsulated else _probe().encode()
    with unmoved(world, world.server, ControlReason.PROBE_VIA_SYSTEM):
        forge(world, world.server, payload)


def test_a_probe_inside_of_an_ecm_is_not_answered():
    world = peaceful()
    with unmoved(world, world.phone, says=("ProbeReply",)):
        forge(world, world.phone, _probe())
    with unmoved(world, world.phone, ControlReason.PROBE_VIA_SYSTEM):
        forge(world, world.phone, _wrapped(_probe()), SERVER_V4)


def test_a_forged_icmp_error_is_a_reason_to_probe_and_nothing_else():
    world = peaceful()
    with unmoved(world, world.phone, says=("Probe",)):
        _unreachable(world, OFFICE)
    assert not down(world)
    assert world.phone.way_to(LAPTOP_V4) == [OFFICE]


def test_a_storm_of_forged_icmp_errors_provokes_few_probes():
    world = peaceful()
    began = world.network.now
    for n in range(1000):
        world.network.after(n / 100, lambda: _unreachable(world, OFFICE))
    world.network.run(10.1)
    assert len(world.network.frames("Probe", "phone", since=began)) <= 12
    assert not down(world)


def test_an_icmp_error_about_somebody_we_do_not_send_to():
    world = peaceful()
    with unmoved(world, world.phone):
        _unreachable(world, LAIR)


def test_an_icmp_error_that_is_true_is_found_out_by_the_probe_it_provokes():
    """So it is of use: without it the next round would come up to half a minute later."""
    world = peaceful()
    world.network.lose = lambda frame: "laptop" in (frame.sender, _owner(world, frame))
    world.converse(20, interval=1, start=6000)
    world.network.run(0.5)
    _unreachable(world, OFFICE)
    world.network.run_until(lambda: down(world), within=4)


def _unreachable(world: World, rloc: str) -> None:
    world.phone.dataplane.punts.append(Unreachable(ip_address(rloc)))
    world.phone._punts()


def _owner(world: World, frame: Frame) -> str:
    host = world.network.owner(frame.destination.address)
    return host.name if host else ""


def _probe() -> MapRequest:
    """Of the phone's EID, as the laptop might send it."""
    return probe(EidPrefix.parse(PHONE), (ip_address(OFFICE),), Nonce(77))


def _wrapped(message: MapRequest) -> bytes:
    ends = Endpoint(ip_address(LAPTOP_V4), CONTROL_PORT), Endpoint(ip_address(PHONE_V4), CONTROL_PORT)
    return EncapsulatedControl.wrap(*ends, message.encode()).encode()
