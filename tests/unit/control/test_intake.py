"""Reading datagrams: what is no message is counted under its reason, and told in few lines."""

from dataclasses import replace
from ipaddress import ip_address

import pytest

from lispfast.control import intake
from lispfast.control.effects import Datagram
from lispfast.control.intake import Intake
from lispfast.control.outbox import Outbox
from lispfast.model.addresses import Endpoint
from lispfast.model.reasons import ControlReason
from lispfast.wire.encapsulated_control import EncapsulatedControl
from lispfast.wire.lcaf import Lcaf
from lispfast.wire.lcaf_keys import VendorSpecific
from lispfast.wire.lcaf_locators import AfiList
from lispfast.wire.map_reply import MapReply
from lispfast.wire.map_request import MapRequest, RequestRecord
from lispfast.wire.records import EidRecord, LocatorRecord

ITR, ETR = Endpoint(ip_address("192.0.2.1"), 50_000), Endpoint(ip_address("192.0.2.2"), 4342)
REQUEST = MapRequest(7, None, (ITR.address,), (RequestRecord(ETR.address, 32),))
# RFC 9306 sections 3 and 4: a vendor's LCAF, also inside of another, and an EID of nothing but unknown LCAFs.
VENDORS_LOCATOR = MapReply(
    7,
    (
        EidRecord(
            ETR.address,
            32,
            1,
            (
                LocatorRecord(
                    AfiList((ITR.address, VendorSpecific(0x00000C, b"?"))),
                ),
            ),
        ),
    ),
).encode()
UNKNOWN_EID = replace(REQUEST, records=(RequestRecord(Lcaf(99, b"new"), 0),)).encode()
UNKNOWN_AFI = REQUEST.encode()[:-6] + b"\x7f\xff" + bytes(4)


def arrived(payload, source=ITR, destination=ETR):
    return Datagram(payload, source, destination)


def in_ecm(payload):
    return EncapsulatedControl.wrap(ITR, ETR, payload)


@pytest.fixture
def outbox():
    return Outbox()


def counted(outbox):
    return {reason: count for reason, count in outbox.drops().items() if count}


def test_a_message_is_given_and_nothing_counted(outbox):
    assert Intake(outbox).read(arrived(REQUEST.encode()), 0) == REQUEST
    inner, message = Intake(outbox).open(in_ecm(REQUEST.encode()), arrived(b""), 0)
    assert (inner.source, message) == (ITR, REQUEST)
    assert (counted(outbox), outbox.take_events()) == ({}, [])


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", ControlReason.MALFORMED),
        (REQUEST.encode()[:-1], ControlReason.MALFORMED),
        (UNKNOWN_AFI, ControlReason.MALFORMED),
        (b"\x90" + bytes(20), ControlReason.UNKNOWN_TYPE),
        (b"\xf4\x05" + bytes(20), ControlReason.UNKNOWN_TYPE),  # RFC 9304: a sub-type that is not ours
        (VENDORS_LOCATOR, ControlReason.MALFORMED),
        (UNKNOWN_EID, ControlReason.MALFORMED),
    ],
)
def test_what_is_no_message_is_counted_and_logged(outbox, payload, reason):
    assert Intake(outbox).read(arrived(payload), 0) is None
    (event,) = outbox.take_events()
    assert (event.name, event.level, event.fields["from"]) == ("datagram-refused", "warning", str(ITR))
    assert event.fields["reason"] == reason.value
    assert counted(outbox) == {reason: 1}


def test_the_log_names_an_unknown_address_family_inside_an_ecm_too(outbox):
    reader = Intake(outbox)
    assert reader.read(arrived(UNKNOWN_AFI), 0) is None
    assert reader.open(in_ecm(UNKNOWN_AFI), arrived(b""), 0) is None
    assert ["unknown AFI 32767" in event.fields["error"] for event in outbox.take_events()] == [True, True]
    assert counted(outbox) == {ControlReason.MALFORMED: 1, ControlReason.ECM_INNER: 1}


def test_one_of_the_ports_must_be_the_control_port(outbox):
    datagram = arrived(REQUEST.encode())
    assert Intake(outbox).read(replace(datagram, destination=replace(ETR, port=4341)), 0) is None
    assert counted(outbox) == {ControlReason.WRONG_PORT: 1}
    answer = arrived(REQUEST.encode(), replace(ITR, port=4342), replace(ETR, port=50_000))
    assert Intake(outbox).read(answer, 0) == REQUEST, "to where the question came from (RFC 9301 section 5)"
    assert counted(outbox) == {ControlReason.WRONG_PORT: 1}


def test_a_flood_from_made_up_sources_is_counted_whole_and_logged_in_part(outbox):
    reader = Intake(outbox)
    for number in range(1000):
        source = Endpoint(ip_address("10.0.0.0") + number, 4342)
        reader.read(arrived(UNKNOWN_AFI, source), number / 100)
    assert len(outbox.take_events()) == intake.LOG_BURST
    assert counted(outbox) == {ControlReason.MALFORMED: 1000}
    reader.read(arrived(UNKNOWN_AFI), 20)
    assert len(outbox.take_events()) == 1


def test_a_datagram_longer_than_any_message_is_not_read() -> None:
    outbox = Outbox()
    reading = Intake(outbox)
    longest = replace(REQUEST, trailing=bytes(intake.MESSAGE_MAX - len(REQUEST.encode()))).encode()
    assert reading.read(Datagram(longest, ITR, ETR), 0.0) is not None
    assert reading.read(Datagram(longest + b"\0", ITR, ETR), 0.0) is None
    assert outbox.drops()[ControlReason.TOO_LONG] == 1
