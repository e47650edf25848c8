"""An operator changes the keys of registrations at node and Map-Server, one after the other (RFC 9301 section 5.6)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lispfast.control.map_server import MapServer
from lispfast.control.mobile_node import MobileNode
from lispfast.model.addresses import EidPrefix
from lispfast.model.reasons import ControlReason
from lispfast.model.settings import Key, KeyType, MapServerSettings, Mode, Settings, Site
from lispfast.wire.map_notify import MapNotify
from lispfast.wire.map_register import MapRegister
from lispfast.wire.message import decode
from tests.sim.network import Conditions
from tests.sim.world import KEY, LAPTOP_V4, LAPTOP_V6, OFFICE, PHONE_V4, PHONE_V6, RANGES, WIFI, World, nonces

OLD = KEY
NEWS = {
    "another-key-id": Key(b"the new secret", KeyType.HMAC_SHA256, 2),
    "the-same-key-id": Key(b"the new secret", KeyType.HMAC_SHA256),
    "another-algorithm": Key(OLD.secret, KeyType.HKDF_SHA256, 2),
}
EVERYBODY = {
    f"{PHONE_V4}/32": [WIFI],
    f"{PHONE_V6}/128": [WIFI],
    f"{LAPTOP_V4}/32": [OFFICE],
    f"{LAPTOP_V6}/128": [OFFICE],
}


def restart_server(world: World, *ring: Key) -> None:
    """With what its disk holds; registrations it keeps in memory alone, so they come with the next refresh."""
    sites = tuple(Site(EidPrefix.parse(text), ring[0], True, other_keys=ring[1:]) for text in RANGES)
    settings = Settings(Mode.MS, sites=sites)
    world.server.crash()
    world.server._make_role = lambda disk: MapServer(settings, nonces(world.network), dict(disk))
    world.server.start()


def restart_phone(world: World, *ring: Key) -> None:
    old = world.phone.role.settings  # type: ignore[attr-defined]
    settings = replace(old, map_servers=(MapServerSettings(world.server_address, ring[0], True, ring[1:]),))
    world.phone.crash()
    first = max(world.phone.disk.values()) + 1
    world.phone._make_role = lambda disk: MobileNode(settings, nonces(world.network), first)
    world.phone.start()


@pytest.mark.parametrize("new", NEWS.values(), ids=NEWS.keys())
def test_a_registration_is_never_refused_while_keys_are_rolled_over(new):
    """The server learns the new key, the node signs with it and knows the old one, the server forgets the old one."""
    world = World(conditions=Conditions(delay=0.01, lateness=0), proxy_reply=True, sites=RANGES)
    world.boot()
    for step in (
        lambda: restart_server(world, OLD, new),
        lambda: restart_phone(world, new, OLD),
        lambda: restart_phone(world, new),
    ):
        step()
        world.network.run(130)
        assert world.registered() == EVERYBODY
    assert not world.phone.told("registration-lost")
    assert not world.laptop.told("registration-lost"), "who has not changed yet is as well off"
    assert world.server.drops() == world.phone.drops() == {}
    registers = [decode(frame.content) for frame in world.network.frames("MapRegister", "phone")]
    assert {m.algorithm_id for m in registers if isinstance(m, MapRegister)} == {2, int(new.algorithm)}


def test_an_answer_comes_under_the_key_of_its_question():
    new = NEWS["another-key-id"]
    world = World(conditions=Conditions(delay=0.01, lateness=0), sites=RANGES)
    world.boot()
    restart_server(world, new, OLD)
    world.network.run(65)
    asked = {m.nonce: m.key_id for f in world.network.frames("MapRegister") if (m := decode(f.content))}
    for frame in world.network.frames("MapNotify"):
        notify = decode(frame.content)  # type: ignore[arg-type]
        assert isinstance(notify, MapNotify)
        assert notify.key_id == asked[notify.nonce] == OLD.key_id


def test_who_is_left_behind_is_told_so():
    new = NEWS["another-key-id"]
    world = World(conditions=Conditions(delay=0.01, lateness=0), sites=RANGES)
    world.boot()
    restart_server(world, new)
    world.network.run(300)
    assert world.registered() == {}
    assert set(world.server.drops()) == {ControlReason.KEY_UNKNOWN}
    assert world.phone.told("registration-lost")


def test_an_old_map_register_under_the_old_key_takes_nothing_back():
    """Somebody recorded it before the change; the Map-Server still knows the key."""
    new = NEWS["another-key-id"]
    world = World(conditions=Conditions(delay=0.01, lateness=0), sites=RANGES)
    world.boot()
    world.network.run(1)
    recorded = world.network.frames("MapRegister", "phone")[-1]
    restart_server(world, OLD, new)
    restart_phone(world, new, OLD)
    world.network.run(65)
    before = world.registered()
    world.server.receive_control(recorded.content, recorded.source, recorded.destination)  # type: ignore[arg-type]
    assert world.registered() == before
    assert world.server.drops() == {ControlReason.NONCE_OLD: 1}
