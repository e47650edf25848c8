from __future__ import annotations

from ipaddress import ip_address

import pytest

from lispfast.model.mapping import Hop
from lispfast.wire.addresses import InstanceAddress, OtherAddress, WireAddress
from lispfast.wire.lcaf import Lcaf
from lispfast.wire.lcaf_keys import ApplicationData, Json, KeyValue, MulticastInfo, OpaqueKey, SourceDestination
from lispfast.wire.lcaf_locators import (
    AfiList,
    Angle,
    AsNumber,
    EncapsulationFormat,
    ExplicitPath,
    GeoLocation,
    NatTraversal,
    NonceLocator,
    PathHop,
    ReplicationList,
    SecurityKey,
)
from lispfast.wire.rlocs import Rloc, rloc_of, wire_rloc

V4, V6, FAR = ip_address("10.0.1.2"), ip_address("2001:db8::1"), ip_address("10.0.9.9")
LOOP = ip_address("127.0.0.1")
ZERO = Angle(True, 0)
LISP, VXLAN = 0x01, 0x04


@pytest.mark.parametrize(
    "address",
    [
        V4,
        AsNumber(65000, V4),
        GeoLocation(ZERO, ZERO, None, V4),
        NonceLocator(7, V4),
        SecurityKey(1, (b"key",), V4),
        SourceDestination(0, 32, FAR, V4),
        EncapsulationFormat(LISP | VXLAN, V4),
        AsNumber(1, NonceLocator(7, V4)),
        AfiList((V4, V6)),
        AfiList((GeoLocation(ZERO, ZERO, None, None), V4)),
        AfiList((OtherAddress(17, b"router.example\0"), Lcaf(99, b"new"), AsNumber(1, V4), FAR)),
        AfiList((LOOP, V4)),
        AfiList((AfiList(()), AfiList((V4,)))),
    ],
)
def test_the_address_inside_is_the_rloc(address: WireAddress) -> None:
    assert rloc_of(address) == Rloc(V4)


@pytest.mark.parametrize(
    "address",
    [
        None,
        OtherAddress(17, b"router.example\0"),
        InstanceAddress(1, V4),
        Lcaf(99, b"new"),
        Lcaf(10, b"unreadable"),
        AsNumber(1, None),
        AsNumber(1, Lcaf(99, b"new")),
        AfiList(()),
        AfiList((OtherAddress(17, b"x\0"), None)),
        ApplicationData(0, 6, (0, 65535), (443, 443), V4),
        EncapsulationFormat(VXLAN, V4),
        ExplicitPath(()),
        ExplicitPath((PathHop(V4), PathHop(OtherAddress(17, b"x\0")))),
        ExplicitPath((PathHop(ExplicitPath((PathHop(V4),))),)),
        Json(b"{}", V4),
        KeyValue(V4, V6),
        MulticastInfo(0, 0, 32, None, V4),
        NatTraversal(4342, 1, V4, V4, None),
        OpaqueKey(0, 0, V4.packed),
        ReplicationList(()),
    ],
)
def test_no_rloc_is_named(address: WireAddress) -> None:
    assert rloc_of(address) is None


def test_a_path_starts_at_its_first_hop() -> None:
    hops = (PathHop(V4, lookup=True), PathHop(AsNumber(1, FAR), probe=True, strict=True, reserved=8))
    rloc = rloc_of(ExplicitPath(hops))
    path = (Hop(V4, lookup=True), Hop(FAR, probe=True, strict=True))
    assert rloc == Rloc(V4, path)
    assert not rloc.refused
    assert rloc_of(wire_rloc(V4, path)) == rloc
    assert rloc_of(AfiList((None, ExplicitPath(hops)))) == rloc
    assert wire_rloc(V4, ()) == V4


@pytest.mark.parametrize(
    "address",
    [
        LOOP,
        AsNumber(1, LOOP),
        AfiList((LOOP, ip_address("ff02::1"))),
        ExplicitPath((PathHop(V4), PathHop(LOOP))),
        ExplicitPath((PathHop(V4), PathHop(FAR), PathHop(V4))),
        ExplicitPath((PathHop(V4), PathHop(V4))),
    ],
)
def test_what_can_be_no_rloc_is_refused(address: WireAddress) -> None:
    rloc = rloc_of(address)
    assert rloc is not None
    assert rloc.refused
