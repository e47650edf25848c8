"""The demo's small internet: two mobile nodes, a Map-Server and a router with two access networks.

laptop --- lan0 +--------+ ap0 --- wlan0 phone     Wi-Fi, 800 Mbit/s
                | router |
    ms --- srv0 +--------+ bs0 --- wwan0 phone     LTE, 300 Mbit/s
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from lispfast.lab.conditions import until
from lispfast.lab.host import Host, Interface
from lispfast.lab.network import Lab


@dataclass(frozen=True, slots=True)
class Access:
    """A network that the router offers: its ends' addresses, and its shaping where it has one."""

    router_end: str
    gateways: tuple[str, str]
    addresses: tuple[str, str]
    rate_mbit: int = 0
    burst: str = ""
    latency: str = ""

    @property
    def rloc(self) -> str:
        """The IPv4 address that the host has there."""
        return self.addresses[0].partition("/")[0]


# Documentation addresses (RFC 5737, RFC 3849) outside; EIDs as LISPmob's examples have them. A burst is what the rate
# brings in a bit more than a millisecond, since on a busy machine the timer comes late; a latency is a short queue's.
WIFI = Access("ap0", ("192.0.2.1", "2001:db8:1::1"), ("192.0.2.10/24", "2001:db8:1::10/64"), 800, "128k", "15ms")
LTE = Access("bs0", ("198.51.100.1", "2001:db8:2::1"), ("198.51.100.10/24", "2001:db8:2::10/64"), 300, "64k", "20ms")
LAN = Access("lan0", ("203.0.113.1", "2001:db8:3::1"), ("203.0.113.10/25", "2001:db8:3::10/64"))
SERVERS = Access("srv0", ("203.0.113.129", "2001:db8:4::1"), ("203.0.113.130/25", "2001:db8:4::10/64"))
PHONE_EIDS = ("172.16.1.1", "fd10::1:1")
LAPTOP_EIDS = ("172.16.2.1", "fd10::2:1")
ATTACH_SECONDS = 5.0  # a bound; it takes a millisecond or two
EID_PREFIXES = ("172.16.0.0/16", "fd10::/64")


def host_prefix(eid: str) -> str:
    """The EID-prefix of one EID."""
    return f"{eid}/128" if ":" in eid else f"{eid}/32"


@dataclass(frozen=True, slots=True)
class Step:
    """A change that the demo made to the phone's links: wall clock in nanoseconds, and what."""

    at: int
    what: str


@dataclass(slots=True)
class Move:
    """The phone's way from Wi-Fi to LTE: `left` is just before the link went down, `usable` when the new one works."""

    left: int = 0
    usable: int = 0
    steps: list[Step] = field(default_factory=list)


class Internet:
    """The hosts and links, with the phone on Wi-Fi; `phone_on_lte` is what its routing is there without a daemon."""

    def __init__(self, lab: Lab) -> None:
        self.router = lab.host("router", forward=True)
        self.ms, self.laptop, self.phone = lab.host("ms"), lab.host("laptop"), lab.host("phone")
        self._wire(lab, SERVERS, self.ms, "eth0")
        self._wire(lab, LAN, self.laptop, "eth0")
        self._wlan0 = self._wire(lab, WIFI, self.phone, "wlan0")
        self._wwan0 = self._wire(lab, LTE, self.phone, "wwan0")
        for host, access in ((self.ms, SERVERS), (self.laptop, LAN)):
            _join(host.interface("eth0"), access)
        self.phone_on_lte = self._rehearse()
        self.laptop_before = self.laptop.routing()

    def _wire(self, lab: Lab, access: Access, host: Host, name: str) -> Interface:
        ours, theirs = lab.link(self.router, access.router_end, host, name)
        prefixes = [address.partition("/")[2] for address in access.addresses]
        ours.up()
        ours.add_address(*(f"{gateway}/{length}" for gateway, length in zip(access.gateways, prefixes, strict=True)))
        if access.rate_mbit:
            for end in (ours, theirs):
                end.shape(f"{access.rate_mbit}mbit", access.burst, access.latency)
        return theirs

    def _rehearse(self) -> dict[str, list[Any]]:
        """Make the move once before any daemon runs: what the phone's routing has to be after the last one ended."""
        _join(self._wlan0, WIFI)
        self.move()
        routing = self.phone.routing()
        _leave(self._wwan0)
        _join(self._wlan0, WIFI)
        return routing

    def move(self) -> Move:
        """Take the phone from Wi-Fi to LTE as fast as the kernel takes the orders."""
        move = Move(left=time.time_ns())

        def step(change: Callable[[], None], what: str) -> None:
            change()
            move.steps.append(Step(time.time_ns(), what))

        step(self._wlan0.down, "wlan0 down")
        step(self._wlan0.flush_addresses, "wlan0 has no address any more")
        step(self._attach_lte, "wwan0 up, the base station's end too")
        step(lambda: self._wwan0.add_address(*LTE.addresses), f"wwan0 has {' and '.join(LTE.addresses)}")
        step(lambda: self._wwan0.add_default(*LTE.gateways), "default routes by wwan0: usable")
        move.usable = move.steps[-1].at
        return move

    def _attach_lte(self) -> None:
        self._wwan0.up()
        until(self.router.interface(LTE.router_end).running, ATTACH_SECONDS, "the base station's end of the link")

    def phone_tentative(self) -> bool:
        """Whether an address of the new link was still tentative, in which case `usable` was not."""
        return self._wwan0.tentative()


def _join(interface: Interface, access: Access) -> None:
    interface.up()
    interface.add_address(*access.addresses)
    interface.add_default(*access.gateways)


def _leave(interface: Interface) -> None:
    interface.down()
    interface.flush_addresses()
