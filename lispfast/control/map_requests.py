"""The kinds of Map-Request that a mobile node sends, and whose they are (RFC 9301 sections 5.2, 5.3, 6.1, RFC 9437)."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from lispfast.model.addresses import CONTROL_PORT, Address, EidPrefix, Endpoint
from lispfast.model.errors import WireError
from lispfast.model.units import Nonce
from lispfast.wire.addresses import InstanceAddress, WireAddress
from lispfast.wire.encapsulated_control import EncapsulatedControl
from lispfast.wire.identity import XtrIdentity
from lispfast.wire.lisp_sec import RequestAuthentication
from lispfast.wire.map_request import NOTIFICATION_BIT, MapRequest, RequestRecord
from lispfast.wire.records import eid_prefix, wire_eid


def question(
    asked: EidPrefix,
    source_eid: WireAddress,
    rlocs: tuple[Address, ...],
    nonce: Nonce,
    *,
    smr_invoked: bool = False,
    subscriber: XtrIdentity | None = None,
) -> MapRequest:
    """Asks the mapping system for a prefix; `source_eid` None for a prefix that is cached already.

    `subscriber` wants to be notified of its changes (RFC 9437 section 5).
    """
    record = _record(asked) if subscriber is None else _subscription(asked)
    return MapRequest(nonce, source_eid, rlocs, (record,), smr_invoked=smr_invoked, identity=subscriber)


def unsubscription(subscribed: EidPrefix, nonce: Nonce, subscriber: XtrIdentity) -> MapRequest:
    """Ends a subscription: N-bit, and no ITR-RLOC but AFI 0 (RFC 9437 section 5)."""
    return MapRequest(nonce, None, (None,), (_subscription(subscribed),), identity=subscriber)


def encapsulated(
    request: MapRequest, inner_source: Address, asked: EidPrefix, authentication: RequestAuthentication | None = None
) -> bytes:
    """The request in an Encapsulated Control Message to a Map-Resolver.

    The inner packet goes to the EID that is asked for, from an address of the same family; the Map-Reply comes to its
    source port. `authentication` is what LISP-SEC adds.
    """
    source = Endpoint(inner_source, CONTROL_PORT)
    destination = Endpoint(asked.network.network_address, CONTROL_PORT)
    message = EncapsulatedControl.wrap(source, destination, request.encode(), authentication=authentication)
    return message.encode()


def probe(cached: EidPrefix, rlocs: tuple[Address, ...], nonce: Nonce) -> MapRequest:
    """An RLOC-probe, sent to the locator itself: without a source EID (section 5.2)."""
    return MapRequest(nonce, None, rlocs, (_record(cached),), probe=True)


def solicitation(changed: EidPrefix, cached: EidPrefix, rlocs: tuple[Address, ...], nonce: Nonce) -> MapRequest:
    """An SMR: our EID-prefix `changed` has other locators now.

    The RFC does not say which field names it. To an xTR the record is its own prefix as we cached it, since Open
    Overlay Router looks the record up in its database and the Source-EID in its cache; to a PITR both are `changed`.
    """
    return MapRequest(nonce, wire_eid(changed), rlocs, (_record(cached),), smr=True, dont_reply=True)


def source_prefix(request: MapRequest) -> EidPrefix | None:
    """The host prefix of a Source-EID, None for none or another kind of address."""
    address = request.source_eid
    inner = address.address if isinstance(address, InstanceAddress) else address
    return prefix_named(address, inner.max_prefixlen) if isinstance(inner, IPv4Address | IPv6Address) else None


def prefix_named(address: WireAddress, mask_len: int) -> EidPrefix | None:
    """The EID-prefix that a record names, None where it is none."""
    try:
        return eid_prefix(address, mask_len)
    except WireError:
        return None


def _record(prefix: EidPrefix) -> RequestRecord:
    return RequestRecord(wire_eid(prefix), prefix.length)


def _subscription(prefix: EidPrefix) -> RequestRecord:
    return RequestRecord(wire_eid(prefix), prefix.length, NOTIFICATION_BIT)
