"""The MACs that other implementations computed are the ones that we compute (RFC 9301 section 5.6)."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from lispfast.control import auth
from lispfast.model.errors import WireError
from lispfast.model.settings import Key, KeyType
from lispfast.wire.map_notify import MapNotify
from lispfast.wire.map_register import MapRegister
from lispfast.wire.message import decode

from .captures import messages

OOR = [Key(b"anchorkey", KeyType.HMAC_SHA1)]
LISPERS = [Key(secret, algorithm) for secret in (b"secret1", b"secret2") for algorithm in KeyType]

# How many authenticated messages a capture holds.
SIGNED = {
    "oor/handover4-rms0.pcap": (8, OOR),
    "oor/proxyreply-ra0.pcap": (2, OOR),
    "oor/proxyreply-rms0.pcap": (4, OOR),
    "oor/v4rloc-ra0.pcap": (4, OOR),
    "oor/v4rloc-rms0.pcap": (8, OOR),
    "oor/v6rloc-ra0.pcap": (4, OOR),
    "oor/v6rloc-rms0.pcap": (8, OOR),
    "lispers.net/lispers_sha1_register_only.pcap": (4, LISPERS),
    "lispers.net/lispers_sha2_ecm_forwarded_noreply.pcap": (4, LISPERS),
    "lispers.net/lispers_sha2_probe_pubsub.pcap": (4, LISPERS),
    "lispers.net/lispers_underlay.pcap": (6, LISPERS),
}


def signed(name: str) -> list[tuple[bytes, MapRegister | MapNotify]]:
    return [(payload, m) for payload, m in messages(name) if isinstance(m, MapRegister | MapNotify)]


@pytest.mark.parametrize("name", SIGNED)
def test_exactly_one_key_verifies_and_signs_the_same_bytes(name: str) -> None:
    count, keys = SIGNED[name]
    found = signed(name)
    assert len(found) == count
    for payload, message in found:
        (key,) = (key for key in keys if auth.verify(payload, message, key))
        assert auth.sign(replace(message, auth_data=b""), key) == payload


def test_lispers_net_has_one_registration_under_sha_1() -> None:
    algorithms = Counter(m.algorithm_id for _, m in signed("lispers.net/lispers_sha1_register_only.pcap"))
    assert algorithms == {1: 1, 2: 3}


@pytest.mark.parametrize("name", ["oor/v4rloc-ra0.pcap", "lispers.net/lispers_underlay.pcap"])
def test_one_changed_bit_anywhere_does_not_verify(name: str) -> None:
    payload, message = signed(name)[0]
    (key,) = (key for key in SIGNED[name][1] if auth.verify(payload, message, key))
    readable = 0
    for offset in range(1, len(payload)):
        changed = payload[:offset] + bytes((payload[offset] ^ 1,)) + payload[offset + 1 :]
        try:
            message = decode(changed)
        except WireError:
            continue
        assert isinstance(message, MapRegister)
        assert not auth.verify(changed, message, key)
        readable += 1
    assert readable > len(payload) / 2


@pytest.mark.parametrize("name", ["tcpdump/lisp_eid_notify.pcap", "tcpdump/lisp_eid_register.pcap"])
def test_a_made_up_mac_does_not_verify(name: str) -> None:
    found = signed(name)
    assert found
    for payload, message in found:
        assert not any(auth.verify(payload, message, key) for key in OOR + LISPERS)
