"""Keys are changed at a mobile node and its Map-Server one after the other, and no registration ends by it."""

from dataclasses import replace

import pytest

from lispfast.control import auth
from lispfast.model.reasons import ControlReason
from lispfast.model.settings import Key, KeyType, MapServerSettings
from lispfast.wire.map_notify import MapNotify, MapNotifyAck
from lispfast.wire.map_register import MapRegister
from lispfast.wire.message import decode

from . import mn_helpers as mn
from .ms_helpers import ETR, OTHER_KEY, Bench, notify_of, record, register, site

OLD = Key(b"the old secret", KeyType.HMAC_SHA256, 1)
NEW = Key(b"the new secret", KeyType.HKDF_SHA256, 2)
RECORD = record("10.1.0.0/16", "198.51.100.7")


def server(*keys: Key, saved: dict[str, int] | None = None) -> Bench:
    return Bench(replace(site("10.1.0.0/16", keys[0]), other_keys=keys[1:]), saved=saved)


@pytest.mark.parametrize("key", [OLD, NEW])
def test_a_map_notify_is_signed_with_the_key_of_its_map_register(key):
    bench = server(NEW, OLD)
    notify = notify_of(bench.register(register(1, RECORD), key=key), key)
    assert (notify.key_id, notify.algorithm_id) == (key.key_id, int(key.algorithm))


def test_a_key_that_left_the_ring_opens_nothing():
    bench = server(NEW)
    assert bench.register(register(1, RECORD), key=OLD) == []
    assert bench.dropped == {ControlReason.KEY_UNKNOWN: 1}


def test_of_two_keys_with_one_key_id_either_opens_and_no_third():
    one, other = replace(OLD, secret=b"one"), replace(OLD, secret=b"other")
    bench = server(one, other)
    assert bench.register(register(1, RECORD), key=one)
    assert bench.register(register(2, RECORD), key=other)
    assert bench.register(register(3, RECORD), key=OLD) == []
    assert bench.dropped == {ControlReason.MAC_WRONG: 1}


def test_a_map_register_for_two_sites_needs_a_key_that_both_have():
    first, second = site("10.1.0.0/16", NEW), site("10.2.0.0/16", OTHER_KEY)
    bench = Bench(replace(first, other_keys=(OLD,)), replace(second, other_keys=(replace(OLD, key_id=0),)))
    both = register(1, RECORD, record("10.2.0.0/16", "198.51.100.7"))
    assert notify_of(bench.register(both, key=OLD), OLD)
    assert bench.register(replace(both, nonce=2), key=NEW) == []
    assert bench.dropped == {ControlReason.KEY_UNKNOWN: 1}


def test_the_nonce_rises_for_each_key_and_across_a_restart():
    bench = server(OLD, NEW)
    bench.register(register(100, RECORD), key=OLD)
    assert bench.register(register(5, RECORD), key=NEW), "another key, another history"
    bench = server(OLD, NEW, saved=bench.saved)
    assert bench.register(register(100, RECORD), key=OLD) == []
    assert bench.register(register(5, RECORD), key=NEW) == []
    assert bench.dropped == {ControlReason.NONCE_OLD: 2}
    assert bench.register(register(6, RECORD), key=NEW)


# --- The node's side --------------------------------------------------------------------------------------------------


def node(*keys: Key) -> mn.Bench:
    map_server = MapServerSettings(mn.SERVER, keys[0], other_keys=keys[1:])
    return mn.Bench(mn.settings(map_servers=(map_server,)), mn.ON_WIFI)


def test_a_node_signs_with_the_first_key_of_its_ring():
    bench = node(NEW, OLD)
    ((send, message),) = bench.messages(MapRegister)
    assert auth.verify(send.payload, message, NEW)


@pytest.mark.parametrize("key", [NEW, OLD])
def test_a_node_takes_a_map_notify_under_any_key_of_its_ring(key):
    bench = node(NEW, OLD)
    bench.notify(key=key)
    assert bench.node.registrar.complete


def test_a_node_takes_no_map_notify_under_another_key():
    bench = node(NEW, OLD)
    for key in (mn.KEY, replace(NEW, secret=b"x"), replace(OLD, key_id=2), Key(b"", KeyType.NONE)):
        bench.notify(key=key)
    assert not bench.node.registrar.complete
    assert bench.dropped == {ControlReason.MAC_WRONG: 4}


def test_an_unsolicited_map_notify_is_acknowledged_under_its_own_key():
    bench = node(NEW, OLD)
    told = MapNotify(77, bench.registers()[-1].records)
    bench.clear()
    bench.receive(auth.sign(told, OLD), mn.SERVER)
    ((send, message),) = bench.messages(MapNotifyAck)
    assert auth.verify(send.payload, message, OLD)


def test_no_map_register_is_refused_while_first_the_server_and_then_the_node_changes_its_key():
    """The rings of an operator's four steps, server and node in turns; each step takes what the other may send."""
    saved: dict[str, int] = {}
    steps = [
        ((OLD,), (OLD,)),
        ((OLD, NEW), (OLD,)),
        ((OLD, NEW), (NEW, OLD)),
        ((NEW,), (NEW, OLD)),
        ((NEW,), (NEW,)),
    ]
    for nonce, (at_server, at_node) in enumerate(steps, 1):
        bench = server(*at_server, saved=saved)
        (answer,) = bench.register(register(nonce, RECORD), ETR, key=at_node[0])
        notify = decode(answer.payload)
        assert isinstance(notify, MapNotify)
        assert auth.verifying(answer.payload, notify, at_node)
        saved = bench.saved
