"""The physical interface's MTU on its way to lmn0 and to every locator, and the bound of lmn0's runs."""

from __future__ import annotations

import errno
import struct
from dataclasses import replace
from ipaddress import ip_address

import pytest
from kernel_twin import Kernel

from lispfast.control.effects import Commit
from lispfast.control.mobile_node import MobileNode
from lispfast.model.addresses import EidPrefix
from lispfast.model.forwarding import Encapsulate
from lispfast.model.mapping import Locator, Mapping
from lispfast.model.settings import DEFAULT_TTL, DatabaseMapping, InterfaceLocator, Mode, Settings
from lispfast.model.underlay import Underlay
from lispfast.model.units import Nonce, Seconds, WireMtu
from lispfast.runtime.changes import RUN_BYTES, RUN_SEGMENTS, Message, prepare_link
from lispfast.runtime.hostview import HostAddress, HostView, Link
from lispfast.runtime.netmon import Watch, survey
from lispfast.runtime.plan import Holdings, make_plan
from lispfast.runtime.rtnl import attributes

UP = 0x1 | 0x40 | 0x10000
LMN0 = Link(9, "lmn0", UP, WireMtu(1444))
WLAN0 = Link(2, "wlan0", UP, WireMtu(1500))
ADDRESS = HostAddress(2, ip_address("192.0.2.5"), 24, 0, 0)
EID, PEER = EidPrefix.parse("203.0.113.1/32"), EidPrefix.parse("203.0.113.2/32")
SETTINGS = Settings(
    Mode.MN,
    database=(DatabaseMapping(EID, (InterfaceLocator("wlan0", 4),)),),
    static_map_cache=(Mapping(PEER, (Locator(ip_address("198.51.100.7")),), DEFAULT_TTL),),
)
HOLDINGS = Holdings("lmn0", {4: ip_address("203.0.113.1")}, {"wlan0": 5}, halves=True)
GSO_MAX_SEGS, GSO_MAX_SIZE, GSO_IPV4_MAX_SIZE, MTU = 40, 41, 63, 4


class Node:
    """The kernel twin, the planner and a mobile node, put together as HostNetwork and Driver do it."""

    def __init__(self) -> None:
        self.kernel = Kernel(HostView((WLAN0, LMN0), (ADDRESS,)))
        self.role = MobileNode(SETTINGS, lambda: Nonce(1), 1)
        self.role.start(Seconds(0))
        self.underlay = Underlay()
        self.verdict: object = None
        self.look()

    def look(self) -> None:
        view = self.kernel.view()
        underlay = survey(view, Watch(("wlan0",)), self.underlay)
        plan = make_plan(view, underlay, HOLDINGS)
        self.kernel.apply(plan.policy)
        if underlay != self.underlay:
            self.underlay = underlay
            self.role.handle_underlay(underlay, Seconds(1))
        self.kernel.apply(plan.main)
        for effect in self.role.take_effects():
            if isinstance(effect, Commit):
                self.verdict = dict(effect.transaction.put).get(PEER, self.verdict)

    def set_mtu(self, mtu: int) -> None:
        """Somebody else does."""
        self.kernel.links = [replace(link, mtu=mtu) if link.name == "wlan0" else link for link in self.kernel.links]
        self.look()

    @property
    def mtus(self) -> tuple[int, int]:
        """Of lmn0, and to the peer."""
        assert isinstance(self.verdict, Encapsulate)
        lmn0 = self.kernel.view().link("lmn0")
        assert lmn0 is not None
        return lmn0.mtu, self.verdict.locators[0].mtu


def test_a_change_reaches_both() -> None:
    node = Node()
    assert node.mtus == (1444, 1500)
    for mtu, inner in ((9000, 8944), (1400, 1344), (1337, 1281), (1500, 1444)):
        node.set_mtu(mtu)
        assert node.mtus == (inner, mtu)


def test_lmn0_is_never_under_what_ipv6_needs_while_the_locators_tell_the_truth() -> None:
    node = Node()
    for mtu in (1336, 1280, 600):
        node.set_mtu(mtu)
        assert node.mtus == (1280, mtu)


def bounds(offload: bool) -> list[dict[int, int]]:
    """What each message to lmn0 says of runs, where it says anything."""
    found = []
    for change in prepare_link(LMN0, 1444, offload):
        assert change.message is Message.SETLINK
        said = {kind: value for kind, value in attributes(change.body[16:]) if kind in (40, 41, 63)}
        found.append({kind: struct.unpack("=I", value)[0] for kind, value in said.items()})
    return [one for one in found if one]


def test_runs_are_bounded_where_offloads_are_wanted() -> None:
    assert bounds(offload=False) == []
    assert bounds(offload=True) == [
        {GSO_MAX_SIZE: RUN_BYTES, GSO_MAX_SEGS: RUN_SEGMENTS},
        {GSO_IPV4_MAX_SIZE: RUN_BYTES},
    ]


@pytest.mark.parametrize("mtu", [1344, 1444, 8944])
@pytest.mark.parametrize("headers", [40, 52, 60, 72], ids=["ipv4", "ipv4-timestamps", "ipv6", "ipv6-timestamps"])
def test_what_one_read_brings_fits_one_send(mtu: int, headers: int) -> None:
    """TCP sends whole segments, as many as fit the bound; each gets its headers again and 8 bytes of LISP."""
    segments = RUN_BYTES // (mtu - headers)
    assert segments <= RUN_SEGMENTS
    assert segments * (mtu + 8) <= 65_507


@pytest.mark.parametrize("refusal", [errno.EINVAL, errno.EOPNOTSUPP, errno.ERANGE])
def test_a_kernel_that_cannot_bound_them_does_without(refusal: int) -> None:
    for change in prepare_link(LMN0, 1444, offload=True):
        bounding = "gso" in change.text
        assert (refusal in change.tolerated) == bounding, change.text
