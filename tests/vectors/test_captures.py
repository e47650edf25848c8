"""Every control message that other implementations sent decodes, and encodes to the same bytes."""

from __future__ import annotations

from collections import Counter
from ipaddress import ip_address

import pytest

from lispfast.model.addresses import EidPrefix
from lispfast.model.errors import WireError
from lispfast.model.mapping import Action, Locator, Mapping
from lispfast.model.units import Minutes
from lispfast.wire.map_notify import IDENTITY_BIT, MapNotify
from lispfast.wire.map_register import MapRegister
from lispfast.wire.map_reply import MapReply
from lispfast.wire.map_request import NOTIFICATION_BIT, MapRequest
from lispfast.wire.message import decode
from lispfast.wire.records import mapping_from_record, record_from_mapping, refused_locators

from .captures import HERE, capture, messages
from .pcap import read_control

ECM, REQUEST, REPLY, REGISTER, NOTIFY = "EncapsulatedControl", "MapRequest", "MapReply", "MapRegister", "MapNotify"

# How many of each type a capture holds, the ones inside of an ECM too.
CONTENTS = {
    "lispers.net/lispers_sha1_register_only.pcap": {ECM: 33, REGISTER: 4, REPLY: 1, REQUEST: 33},
    "lispers.net/lispers_sha2_ecm_forwarded_noreply.pcap": {ECM: 27, REGISTER: 4, REPLY: 1, REQUEST: 27},
    "lispers.net/lispers_sha2_probe_pubsub.pcap": {ECM: 4, REGISTER: 4, REPLY: 7, REQUEST: 10},
    "lispers.net/lispers_underlay.pcap": {ECM: 1, REGISTER: 6, REPLY: 1, REQUEST: 1},
    "oor/handover4-rms0.pcap": {ECM: 7, NOTIFY: 4, REGISTER: 4, REPLY: 1, REQUEST: 7},
    "oor/proxyreply-ra0.pcap": {ECM: 1, NOTIFY: 1, REGISTER: 1, REPLY: 1, REQUEST: 1},
    "oor/proxyreply-rms0.pcap": {ECM: 2, NOTIFY: 2, REGISTER: 2, REPLY: 2, REQUEST: 2},
    "oor/v4rloc-ra0.pcap": {ECM: 4, NOTIFY: 2, REGISTER: 2, REPLY: 4, REQUEST: 4},
    "oor/v4rloc-rms0.pcap": {ECM: 8, NOTIFY: 4, REGISTER: 4, REQUEST: 8},
    "oor/v6rloc-ra0.pcap": {ECM: 4, NOTIFY: 2, REGISTER: 2, REPLY: 4, REQUEST: 4},
    "oor/v6rloc-rms0.pcap": {ECM: 8, NOTIFY: 4, REGISTER: 4, REQUEST: 8},
    "tcpdump/lisp_eid_notify.pcap": {NOTIFY: 4},
    "tcpdump/lisp_eid_register.pcap": {REGISTER: 2},
    "tcpdump/lisp_ipv6.pcap": {NOTIFY: 1, REGISTER: 1},
}
# How many datagrams there are to refuse.
INVALID = {"tcpdump/lisp_invalid.pcap": 2, "tcpdump/lisp_invalid_length.pcap": 1}


def test_no_capture_is_forgotten() -> None:
    assert {f"{path.parent.name}/{path.name}" for path in HERE.rglob("*.pcap")} <= CONTENTS.keys()


@pytest.mark.parametrize("name", CONTENTS)
def test_every_message_encodes_to_the_bytes_it_came_from(name: str) -> None:
    seen: Counter[str] = Counter()
    for payload, message in messages(name):
        assert message.encode() == payload
        seen[type(message).__name__] += 1
    assert seen == CONTENTS[name]


@pytest.mark.parametrize("name", CONTENTS)
def test_every_message_cut_short_is_refused_or_comes_out_the_same(name: str) -> None:
    for payload in set(read_control(capture(name))):
        for length in range(len(payload)):
            try:
                message = decode(payload[:length])
            except WireError:
                continue
            assert message.encode() == payload[:length]


@pytest.mark.parametrize("name", INVALID)
def test_what_is_invalid_is_refused(name: str) -> None:
    payloads = read_control(capture(name))
    assert len(payloads) == INVALID[name]
    for payload in payloads:
        with pytest.raises(WireError):
            decode(payload)


@pytest.mark.parametrize("name", CONTENTS)
def test_every_record_is_a_mapping_and_comes_back_as_the_same_record(name: str) -> None:
    for _, message in messages(name):
        if not isinstance(message, MapReply | MapRegister | MapNotify):
            continue
        for record in message.records:
            mapping = mapping_from_record(record)
            assert len(mapping.locators) == len(record.locators)
            assert refused_locators(record) == ()
            # The captures of tcpdump have host bits behind the mask; a prefix has none.
            if record.eid == mapping.prefix.network.network_address:
                assert record_from_mapping(mapping) == record


def first(name: str, kind: type) -> object:
    return next(message for _, message in messages(name) if isinstance(message, kind))


def test_what_open_overlay_router_registers() -> None:
    message = first("oor/v4rloc-ra0.pcap", MapRegister)
    assert isinstance(message, MapRegister)
    assert (message.want_map_notify, message.proxy_reply, message.identity) == (True, False, None)
    assert (message.key_id, message.algorithm_id, len(message.auth_data)) == (0, 1, 20)
    locator = Locator(ip_address("10.0.1.2"), local=True)
    assert [mapping_from_record(record) for record in message.records] == [
        Mapping(EidPrefix.parse("172.16.1.1/32"), (locator,), Minutes(10), authoritative=True)
    ]


def test_what_open_overlay_router_asks_after_an_smr() -> None:
    requests = [m for _, m in messages("oor/handover4-rms0.pcap") if isinstance(m, MapRequest)]
    assert [request.smr_invoked for request in requests] == [False] * 5 + [True] * 2
    assert requests[-1].source_eid == ip_address("172.16.2.1")
    assert requests[-1].itr_rlocs == (ip_address("10.0.3.2"),)
    assert [(r.eid, r.mask_len) for r in requests[-1].records] == [(ip_address("172.16.1.1"), 32)]


def test_what_a_map_server_says_of_an_unknown_eid() -> None:
    for name in ("oor/handover4-rms0.pcap", "lispers.net/lispers_underlay.pcap"):
        reply = first(name, MapReply)
        assert isinstance(reply, MapReply)
        (record,) = reply.records
        mapping = mapping_from_record(record)
        assert mapping.negative
        assert (mapping.action, mapping.ttl) == (Action.NATIVELY_FORWARD, 15)


def test_how_lispers_net_subscribes() -> None:
    subscriptions = [
        message
        for _, message in messages("lispers.net/lispers_sha2_probe_pubsub.pcap")
        if isinstance(message, MapRequest) and message.identity
    ]
    assert len(subscriptions) == 2
    for message in subscriptions:
        assert message.identity is not None
        assert message.identity.site_id is None
        assert message.records[0].reserved == NOTIFICATION_BIT


def test_a_map_notify_with_and_without_what_its_i_bit_promises() -> None:
    """The four of tcpdump: plain, I-bit and IDs, I-bit without IDs, IDs without the I-bit."""
    plain, whole, bare, unannounced = (message for _, message in messages("tcpdump/lisp_eid_notify.pcap"))
    for message in (plain, whole, bare, unannounced):
        assert isinstance(message, MapNotify)
        assert message.nonce == 0xC4218228892D20A4
    assert (plain.identity, plain.reserved, plain.trailing) == (None, 0x100, b"")
    assert whole.identity is not None
    assert f"{whole.identity.xtr_id:032x}" == "9787ad753caf58a713fa6920e6d27a8f"
    assert whole.identity.site_id == 0
    assert (bare.identity, bare.reserved, len(bare.records)) == (None, IDENTITY_BIT | 0x100, 3)
    assert (unannounced.identity, len(unannounced.trailing)) == (None, 24)
