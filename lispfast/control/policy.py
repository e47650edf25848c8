"""From a mapping to what the data plane does with its packets (RFC 9300 section 9, RFC 9301 section 5.4)."""

from __future__ import annotations

from collections.abc import Mapping as Lookup
from dataclasses import dataclass, field

from lispfast.control.explicit_path import tried
from lispfast.control.header_fields import INSTANCE_BIT, PLAIN, FieldSource, HeaderFields, lisp_header, plain_fields
from lispfast.control.mobility import SLOTS, Position
from lispfast.model.addresses import Address
from lispfast.model.encapsulation import Encapsulation
from lispfast.model.forwarding import (
    Drop,
    Encapsulate,
    ForwardingLocator,
    InnerTunnel,
    Native,
    Reject,
    RejectCode,
    Resolve,
    Verdict,
)
from lispfast.model.mapping import Action, Hop, Locator, Mapping
from lispfast.model.settings import ProxyEtr
from lispfast.model.units import InstanceId, WireMtu

# --- From the RFC -----------------------------------------------------------------------------------------------------

NEXT_PROTOCOL_BIT = 0x04  # RFC 9305 section 3: the P-bit, with N, E and V 0; VXLAN-GPE has it, and I, in the same place

# --- Ours -------------------------------------------------------------------------------------------------------------

OVERHEAD = {4: 20 + 8 + 8, 6: 40 + 8 + 8}  # outer IP, UDP and LISP
UNKNOWN_MTU = WireMtu(1500)  # for a locator of a family that we have no way out of, until we have one


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a verdict depends on besides the mapping.

    Our position, the proxies, the RLOCs that are known to be down, those with a path MTU less than the interface's, the
    form of packets to locators that name none, and what their LISP header says besides the instance-ID.
    `native_forward` lets natively-forward packets leave outside of LISP; `sites` are the RLOCs that are EIDs, each with
    its mapping.
    """

    position: Position
    proxies: tuple[ProxyEtr, ...] = ()
    down: frozenset[Address] = frozenset()
    path_mtus: Lookup[Address, WireMtu] = field(default_factory=dict)
    encapsulation: Encapsulation = Encapsulation.LISP
    fields: FieldSource = plain_fields
    native_forward: bool = False
    sites: Lookup[Address, Mapping] = field(default_factory=dict)

    def mtu(self, rloc: Address) -> WireMtu:
        """What packets to the RLOC may have, outer headers included."""
        source = self.position.source(rloc.version)
        usual = source.mtu if source else UNKNOWN_MTU
        return min(usual, self.path_mtus.get(rloc, usual))


def verdict(mapping: Mapping, outlook: Outlook) -> Verdict:
    """The verdict for the packets that match the mapping."""
    if mapping.locators:
        return _positive(mapping, outlook)
    match mapping.action:
        case Action.NATIVELY_FORWARD:
            return native(mapping.prefix.version, mapping.prefix.iid, outlook)
        case Action.SEND_MAP_REQUEST:
            return Resolve()
        case Action.DROP:
            return Reject(RejectCode.NO_ROUTE)  # RFC 9301 section 5.4: an ICMP unreachable SHOULD be sent
        case Action.NO_ACTION | Action.DROP_POLICY_DENIED | Action.DROP_AUTH_FAILURE:
            return Drop()


def native(version: int, iid: InstanceId, outlook: Outlook) -> Verdict:
    """What is done with packets for outside LISP: to a proxy-ETR of that family of EID, else out natively or refused.

    Refused rather than dropped, so that applications fail without waiting (RFC 6832 section 6 has the proxy). A proxy
    that is down is used where no other is left, as a locator is.
    """
    proxies = [
        Locator(proxy.address, proxy.priority, proxy.weight, encapsulation=proxy.encapsulation)
        for proxy in outlook.proxies
        if version in proxy.versions
    ]
    ways = [_Way(proxy, proxy.address) for proxy in proxies if proxy.usable]
    locators = _compile(_preferable(ways, outlook), iid, outlook)
    if locators:
        return Encapsulate(locators)
    return Native() if outlook.native_forward else Reject(RejectCode.NO_ROUTE)


def usable_locators(mapping: Mapping, outlook: Outlook) -> tuple[Locator, ...]:
    """The locators that a positive mapping's packets may go to, never one with R=0 or priority 255.

    Where probes call all of them down they stay: silence of all of them says more about our own network than about
    theirs, and sending to one that is down loses no more than not sending. Where we have no way out in any family of
    theirs they stay too: their slots are empty and the data plane drops, and one store brings them back.
    """
    return tuple(way.locator for way in _usable(mapping, outlook))


def sent_to(locator: Locator, outlook: Outlook) -> Address | None:
    """The RLOC that a usable locator's packets go to: of a hop, or of the site that it visits; None for nowhere."""
    way = _way(locator, outlook)
    return way.address if way else None


def probed(locator: Locator, outlook: Outlook) -> tuple[Address, ...]:
    """The RLOCs whose answer to a probe decides where a locator's packets go.

    Of a path these are the hop in use and those left out before it, which may be back; those whose P-bit allows it (RFC
    8060 section 4.6). A hop with an L-bit is none of them: the RLOCs of its mapping are probed for that mapping's sake.
    Nor is an RLOC inside of a visited site: probes go there plainly, packets do not.
    """
    if not locator.path:
        return () if _nests(locator, outlook) and _door(locator.address, outlook) else (locator.address,)
    return tuple(hop.address for hop in _tried(locator, outlook) if hop.probe and not hop.lookup)


def unnested(mapping: Mapping, outlook: Outlook) -> tuple[Locator, ...]:
    """The locators at RLOCs that are EIDs of a visited site, whose packets go plainly: their form is not LISP.

    The data plane puts a LISP header into a LISP header and no other, so these packets will hardly arrive.
    """
    plain = [one for one in mapping.locators if one.usable and not one.path and not _in_lisp(one, outlook)]
    return tuple(one for one in plain if _door(one.address, outlook))


def header(iid: InstanceId, form: Encapsulation = Encapsulation.LISP, fields: HeaderFields = PLAIN) -> bytes:
    """The 8 bytes in front of a packet of an instance, without the next protocol of the GPE forms.

    The GPE forms carry no more than the instance-ID and the P-bit (RFC 9305 section 3). In VXLAN-GPE the VNI always
    counts.
    """
    if form is Encapsulation.LISP:
        return lisp_header(iid, fields)
    instance = INSTANCE_BIT if iid or form is Encapsulation.VXLAN_GPE else 0
    return bytes((instance | NEXT_PROTOCOL_BIT, 0, 0, 0)) + iid.to_bytes(3, "big") + bytes(1)


@dataclass(frozen=True, slots=True)
class _Way:
    """A locator, and the address that its packets go to: its own, or of a hop of its path. `inside`: what an RLOC that
    is an EID is in the way of."""

    locator: Locator
    address: Address
    inside: Address | None = None


def _positive(mapping: Mapping, outlook: Outlook) -> Verdict:
    locators = _compile(_usable(mapping, outlook), mapping.prefix.iid, outlook, mapping)
    return Encapsulate(locators) if locators else Drop()


def _usable(mapping: Mapping, outlook: Outlook) -> list[_Way]:
    ways = [_way(locator, outlook) for locator in mapping.locators if locator.usable]
    return _preferable([way for way in ways if way is not None], outlook)


def _way(locator: Locator, outlook: Outlook) -> _Way | None:
    """Where a locator's packets go; None where they have nowhere to go.

    A hop with an L-bit is no RLOC: packets go to the RLOC of its mapping, or for now nowhere. An RLOC that is an EID
    all the same is reached in a tunnel of its own to the site that it visits; until that is known, plainly.
    """
    if not locator.path:
        door = _door(locator.address, outlook) if _nests(locator, outlook) else None
        return _Way(locator, door, locator.address) if door else _Way(locator, locator.address)
    hops = _tried(locator, outlook)
    address = _hop_address(hops[-1], outlook) if hops else None
    return _Way(locator, address) if address else None


def _tried(locator: Locator, outlook: Outlook) -> tuple[Hop, ...]:
    """What `explicit_path.tried` says: a hop is left out that is down, out of reach, or an EID not looked up yet."""

    def passable(hop: Hop) -> bool:
        address = _hop_address(hop, outlook)
        return address is not None and address not in outlook.down and _source(address, outlook)

    return tried(locator.path, [way.address for way in outlook.position.ways], passable)


def _hop_address(hop: Hop, outlook: Outlook) -> Address | None:
    return _door(hop.address, outlook) if hop.lookup else hop.address


def _nests(locator: Locator, outlook: Outlook) -> bool:
    """Whether a tunnel can be inside: the form is LISP, and we have a source for its own header."""
    return _in_lisp(locator, outlook) and _source(locator.address, outlook)


def _in_lisp(locator: Locator, outlook: Outlook) -> bool:
    return (locator.encapsulation or outlook.encapsulation) is Encapsulation.LISP


def _door(eid: Address, outlook: Outlook) -> Address | None:
    """The RLOC of the site that an RLOC visits: the best that is not ours; None where the RLOC is no EID.

    One, not a share by weight for each: the flows of all who visit the site share its RLOCs anyway.
    """
    site = outlook.sites.get(eid)
    doors = [locator for locator in site.locators if locator.usable and not locator.path] if site else []
    doors = [d for d in doors if _source(d.address, outlook) and not outlook.position.source_at(d.address)]
    doors.sort(key=lambda d: (d.address in outlook.down, d.priority, -d.weight, d.address.version, int(d.address)))
    return doors[0].address if doors else None


def _preferable(ways: list[_Way], outlook: Outlook) -> list[_Way]:
    """Those that are up and of a family that we have a way out of; all of them rather than none.

    Of an RLOC that is an EID the visited site's RLOC counts: probes do not go through the tunnel to it.
    """
    up = [way for way in ways if way.address not in outlook.down]
    return _reachable(up, outlook) if any(_source(way.address, outlook) for way in up) else _reachable(ways, outlook)


def _reachable(ways: list[_Way], outlook: Outlook) -> list[_Way]:
    return [way for way in ways if _source(way.address, outlook)] or ways


def _source(address: Address, outlook: Outlook) -> bool:
    return outlook.position.source(address.version) is not None


def _compile(
    ways: list[_Way], iid: InstanceId, outlook: Outlook, mapping: Mapping | None = None
) -> tuple[ForwardingLocator, ...]:
    compiled = []
    for way in ways:
        locator, address = way.locator, way.address
        form = locator.encapsulation or outlook.encapsulation
        fields = outlook.fields(mapping, way.inside or address) if mapping else PLAIN
        head, mtu, inside = header(iid, form, fields), outlook.mtu(address), None
        if way.inside is not None:
            inside = InnerTunnel(way.inside, SLOTS[way.inside.version], head)
            head = header(
                InstanceId(0)
            )  # the visited site's EIDs are RLOCs to others: of the instance that those are in
            mtu = _nested_mtu(mtu, way.inside, address, outlook)
        policy = mtu, locator.priority, locator.weight, form, inside
        compiled.append(ForwardingLocator(address, SLOTS[address.version], head, form.port, *policy))
    return tuple(compiled)


def _nested_mtu(mtu: WireMtu, rloc: Address, door: Address, outlook: Outlook) -> WireMtu:
    """Of the path to the visited site, less where a router behind it said so of the path to the RLOC."""
    learnt = outlook.path_mtus.get(rloc)
    return mtu if learnt is None else min(mtu, WireMtu(learnt + OVERHEAD[door.version]))
