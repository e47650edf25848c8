"""From a mapping to what the data plane does with its packets (RFC 9300 section 9, RFC 9301 section 5.4)."""

from __future__ import annotations

from collections.abc import Mapping as Lookup
from dataclasses import dataclass, field

from lispfast.control.header_fields import INSTANCE_BIT, PLAIN, FieldSource, HeaderFields, lisp_header, plain_fields
from lispfast.control.mobility import SLOTS, Position
from lispfast.model.addresses import Address
from lispfast.model.encapsulation import Encapsulation
from lispfast.model.forwarding import Drop, Encapsulate, ForwardingLocator, Reject, RejectCode, Resolve, Verdict
from lispfast.model.mapping import Action, Locator, Mapping
from lispfast.model.settings import ProxyEtr
from lispfast.model.units import InstanceId, WireMtu

# --- From the RFC -----------------------------------------------------------------------------------------------------

NEXT_PROTOCOL_BIT = 0x04  # RFC 9305 section 3: the P-bit, with N, E and V 0; VXLAN-GPE has it, and I, in the same place

# --- Ours -------------------------------------------------------------------------------------------------------------

UNKNOWN_MTU = WireMtu(1500)  # for a locator of a family that we have no way out of, until we have one


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a verdict depends on besides the mapping.

    Our position, the proxies, the RLOCs that are known to be down, those with a path MTU less than the interface's, the
    form of packets to locators that name none, and what their LISP header says besides the instance-ID.
    """

    position: Position
    proxies: tuple[ProxyEtr, ...] = ()
    down: frozenset[Address] = frozenset()
    path_mtus: Lookup[Address, WireMtu] = field(default_factory=dict)
    encapsulation: Encapsulation = Encapsulation.LISP
    fields: FieldSource = plain_fields

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
    """What is done with packets for outside LISP: to a proxy-ETR of that family of EID, else refused at once.

    Refused rather than dropped, so that applications fail without waiting (RFC 6832 section 6 has the proxy).
    """
    proxies = [
        Locator(proxy.address, proxy.priority, proxy.weight, encapsulation=proxy.encapsulation)
        for proxy in outlook.proxies
        if version in proxy.versions
    ]
    locators = _compile(_reachable([locator for locator in proxies if locator.usable], outlook), iid, outlook)
    return Encapsulate(locators) if locators else Reject(RejectCode.NO_ROUTE)


def usable_locators(mapping: Mapping, outlook: Outlook) -> tuple[Locator, ...]:
    """The locators that a positive mapping's packets may go to, never one with R=0 or priority 255.

    Where probes call all of them down they stay: silence of all of them says more about our own network than about
    theirs, and sending to one that is down loses no more than not sending. Where we have no way out in any family of
    theirs they stay too: their slots are empty and the data plane drops, and one store brings them back.
    """
    usable = [locator for locator in mapping.locators if locator.usable]
    up = [locator for locator in usable if locator.address not in outlook.down]
    return tuple(_reachable(up, outlook) if _families(up, outlook) else _reachable(usable, outlook))


def header(iid: InstanceId, form: Encapsulation = Encapsulation.LISP, fields: HeaderFields = PLAIN) -> bytes:
    """The 8 bytes in front of a packet of an instance, without the next protocol of the GPE forms.

    The GPE forms carry no more than the instance-ID and the P-bit (RFC 9305 section 3). In VXLAN-GPE the VNI always
    counts.
    """
    if form is Encapsulation.LISP:
        return lisp_header(iid, fields)
    instance = INSTANCE_BIT if iid or form is Encapsulation.VXLAN_GPE else 0
    return bytes((instance | NEXT_PROTOCOL_BIT, 0, 0, 0)) + iid.to_bytes(3, "big") + bytes(1)


def _positive(mapping: Mapping, outlook: Outlook) -> Verdict:
    locators = _compile(usable_locators(mapping, outlook), mapping.prefix.iid, outlook, mapping)
    return Encapsulate(locators) if locators else Drop()


def _families(locators: list[Locator], outlook: Outlook) -> bool:
    return any(outlook.position.source(locator.address.version) for locator in locators)


def _reachable(locators: list[Locator], outlook: Outlook) -> list[Locator]:
    """Those of a family that we have a way out of; all where we have none."""
    ours = [locator for locator in locators if outlook.position.source(locator.address.version)]
    return ours or locators


def _compile(
    locators: list[Locator] | tuple[Locator, ...], iid: InstanceId, outlook: Outlook, mapping: Mapping | None = None
) -> tuple[ForwardingLocator, ...]:
    compiled = []
    for locator in locators:
        form = locator.encapsulation or outlook.encapsulation
        fields = outlook.fields(mapping, locator.address) if mapping else PLAIN
        compiled.append(
            ForwardingLocator(
                locator.address,
                SLOTS[locator.address.version],
                header(iid, form, fields),
                form.port,
                outlook.mtu(locator.address),
                locator.priority,
                locator.weight,
                form,
            )
        )
    return tuple(compiled)
