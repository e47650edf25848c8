from ipaddress import ip_address

from lispfast.model.addresses import Endpoint
from lispfast.wire.packet import encode_packet
from lispfast.wire.sizes import PACKET_MAX, PAYLOAD_MAX


def test_a_payload_of_that_size_makes_a_packet_of_the_size_of_section_5():
    for version, text in ((4, "192.0.2.1"), (6, "2001:db8::1")):
        end = Endpoint(ip_address(text), 4342)
        assert len(encode_packet(end, end, bytes(PAYLOAD_MAX[version]))) == PACKET_MAX[version]
