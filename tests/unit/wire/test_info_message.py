from __future__ import annotations

from ipaddress import IPv4Address

import pytest
from hypothesis import given

from lispfast.model.errors import WireError
from lispfast.model.units import Minutes, Nonce
from lispfast.wire.addresses import OtherAddress
from lispfast.wire.info_message import InfoMessage
from lispfast.wire.lcaf_locators import NatTraversal

from . import strategies

# draft-ermagan-lisp-nat-traversal-19 sections 4.1 and 4.2.
REQUEST = "70000000 01020304 05060708 0001 0004 aabbccdd 0000000a 00 20 0001 ac100101 0000"
REPLY = """
    78000000 01020304 05060708 0001 0004 aabbccdd 0000000a 00 20 0001 ac100101
    4003 0000 0700 0018 10f6 ee48 0001 c0000201 0001 0a000002 0000 0001 c0000209
"""


def test_figures() -> None:
    fields = {"algorithm_id": 1, "auth_data": bytes.fromhex("aabbccdd"), "ttl": Minutes(10), "mask_len": 32}
    request = InfoMessage(Nonce(0x0102030405060708), eid=IPv4Address("172.16.1.1"), **fields)
    assert InfoMessage.decode(bytes.fromhex(REQUEST)) == request
    assert request.encode() == bytes.fromhex(REQUEST)
    reply = InfoMessage.decode(bytes.fromhex(REPLY))
    assert reply.reply
    seen, server, rtr = (IPv4Address(text) for text in ("192.0.2.1", "10.0.0.2", "192.0.2.9"))
    assert reply.translation == NatTraversal(4342, 61000, seen, server, None, (rtr,))
    assert reply.encode() == bytes.fromhex(REPLY)


def test_a_host_name_instead_of_an_eid() -> None:
    """The variant of lispers.net: no authentication, the EID a distinguished name."""
    octets = bytes.fromhex("70000000 0102030405060708 0000 0000 00000000 00 00 0011") + b"phone\0" + bytes(2)
    message = InfoMessage.decode(octets)
    assert message.eid == OtherAddress(17, b"phone\0")
    assert message.encode() == octets


@pytest.mark.parametrize("figure", [REQUEST, REPLY])
def test_every_truncation_is_refused(figure: str) -> None:
    octets = bytes.fromhex(figure)
    for length in range(len(octets)):
        with pytest.raises(WireError):
            InfoMessage.decode(octets[:length])


@given(strategies.info_messages)
def test_round_trip(message: InfoMessage) -> None:
    assert InfoMessage.decode(message.encode()) == message
