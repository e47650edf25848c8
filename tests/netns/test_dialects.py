"""Configuration files as LISPmob and Open Overlay Router had them, written by hand, carry real packets."""

from __future__ import annotations

import pytest

from lispfast.lab import Lab, Node
from lispfast.lab.ping import ping

from .internet import BOUND_S, Internet

EARLIEST = """
# as of LISPmob 0.2
debug                = off
map-request-retries  = 2                # send 2 before giving up
map-resolver         = {ms}
map-server {{
        address     = {ms}              # the same host
        key-type    = 1                 # SHA1
        key         = foo%bar
        verify      = off
        proxy-reply = on
}}
database-mapping {{
         eid-prefix = {eid}/32
         interface  = {interface}
         priority   = 1
         weight     = 100
}}
"""

EARLY = """
# as of LISPmob 0.3.2
debug                = 0
map-request-retries  = 2
map-resolver         = {{
        {ms}
}}
map-server {{
        address     = {ms}
        key-type    = 1
        key         = foo%bar
        proxy-reply = off
}}
database-mapping {{
         eid-prefix     = {eid}/32
         interface      = {interface}
         priority_v4    = 1
         weight_v4      = 100
         priority_v6    = -1
         weight_v6      = 100
}}
proxy-itrs = {{
}}
"""

LATER = """
# as of Open Overlay Router 1.3
debug                  = 0
map-request-retries    = 2
operating-mode         = MN
encapsulation          = LISP
rloc-probing {{
    rloc-probe-interval             = 30
    rloc-probe-retries              = 2
    rloc-probe-retries-interval     = 5
}}
map-resolver        = {{
        {ms}
}}
nat_traversal_support  = off
map-server {{
        address        = {ms}
        key-type       = 1
        key            = foo%bar
        proxy-reply    = off
}}
database-mapping {{
    eid-prefix          = {eid}/32
    iid                 = 0
    ttl                 = 10
    rloc-iface{{
        interface       = {interface}
        ip_version      = 4
        priority        = 1
        weight          = 100
    }}
}}
"""

MAP_SERVER = """
debug                  = 0
operating-mode         = MS
control-iface          = eth0
lisp-site {
    eid-prefix            = 172.16.0.0/16
    key-type              = 1
    key                   = foo%bar
    iid                   = 0
    accept-more-specifics = true
}
"""


@pytest.mark.parametrize("dialect", [EARLIEST, EARLY, LATER], ids=["lispmob-0.2", "lispmob-0.3.2", "oor-1.3"])
def test_a_file_of_a_predecessor_carries_packets(lab: Lab, dialect: str) -> None:
    net = Internet(lab)
    ms = Node(net.ms, MAP_SERVER)
    ms.start()
    ms.wait_ready()
    for host, eid, interface in ((net.laptop, "172.16.2.1", "eth0"), (net.phone, "172.16.1.1", "wlan0")):
        node = Node(host, dialect.format(ms=net.map_server, eid=eid, interface=interface))
        node.start()
        node.wait_event("map-notify-received", BOUND_S)
    assert ping(net.phone, "172.16.2.1", count=3, interval=0.01).lost == 0
