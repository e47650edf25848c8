"""What a Map-Server keeps of subscriptions: the nonces of those that ended too, and no more than it has room for."""

from __future__ import annotations

from ipaddress import ip_address

from lispfast.control import subscriptions as module
from lispfast.control.subscriptions import Subscriptions, Wish
from lispfast.model.addresses import EidPrefix
from lispfast.model.settings import Key, KeyType
from lispfast.model.units import Nonce, Seconds
from lispfast.wire.identity import XtrIdentity

KEY = Key(b"pubsub", KeyType.HMAC_SHA256)
RLOC, SERVER = ip_address("198.51.100.1"), ip_address("192.0.2.1")
NOW = Seconds(0)


def wish(xtr_id: int, prefix: str = "10.1.0.0/16", nonce: int = 9) -> Wish:
    return Wish(XtrIdentity(xtr_id), EidPrefix.parse(prefix), (RLOC,), 4342, RLOC, SERVER, Nonce(nonce), KEY)


def test_the_nonce_of_a_subscription_that_ended_still_counts():
    """Else whoever recorded its Map-Request could bring it back."""
    kept = Subscriptions(limit=2)
    name = wish(1).name
    kept.put(wish(1), NOW)
    assert kept.remove(name, 20) is not None
    assert (kept.last_nonce(name), len(kept)) == (20, 0)
    assert kept.remove(name, 30) is None
    assert kept.last_nonce(name) == 20, "nothing ended"


def test_the_nonces_of_what_ended_are_bounded(monkeypatch):
    monkeypatch.setattr(module, "MAX_NONCES", 3)
    kept = Subscriptions(limit=2)
    for xtr_id in range(10):
        kept.put(wish(xtr_id), NOW)
        kept.remove(wish(xtr_id).name)
    assert [kept.last_nonce(wish(xtr_id).name) for xtr_id in range(10)] == [0] * 7 + [9] * 3
