"""Messages stay within what every path carries (RFC 9301 section 5), explicit locator paths and their LCAFs counted."""

from dataclasses import replace
from ipaddress import ip_address

from lispfast.model.mapping import Hop
from lispfast.model.settings import AddressLocator
from lispfast.wire.lcaf_locators import ExplicitPath
from lispfast.wire.map_request import MapRequest, RequestRecord
from lispfast.wire.records import wire_eid

from .mn_helpers import EID, PEER, PEER_RLOC, SERVER, WIFI, database, host, registered, settings

ROOM = 576 - 28
HOPS = tuple(Hop(ip_address(f"2001:db8:{n}::1")) for n in range(5))
ALONG = AddressLocator(HOPS[0].address, path=(*HOPS, Hop(WIFI)))
MANY = tuple(replace(database(EID)[0], prefix=host(ip_address(f"10.1.0.{n}")), locators=(ALONG,)) for n in range(1, 30))


def test_paths_are_registered_in_messages_that_fit():
    bench = registered(settings(database=MANY))
    bench.pass_time(60)
    sizes = [len(send.payload) for send in bench.sent if send.destination.address == SERVER]
    records = [record for message in bench.registers() for record in message.records]
    assert {record.eid for record in records} == {mapping.prefix.network.network_address for mapping in MANY}
    assert all(isinstance(record.locators[0].address, ExplicitPath) for record in records)
    assert max(sizes) <= ROOM
    assert sum(sizes) > 5 * ROOM


def test_paths_are_replied_in_a_message_that_fits():
    wide = replace(MANY[0], prefix=host(EID).parse("10.1.0.0/16"))
    bench = registered(settings(database=(wide, *MANY), map_servers=()))
    record = RequestRecord(wire_eid(host(ip_address("10.1.9.9"))), 32)
    bench.receive(MapRequest(0xAB, PEER, (PEER_RLOC,), (record,)), PEER_RLOC)
    ((send, reply),) = bench.replies()
    assert 1 < len(reply.records) < len(MANY)
    assert len(send.payload) <= ROOM < len(send.payload) + len(reply.records[-1].encode())
