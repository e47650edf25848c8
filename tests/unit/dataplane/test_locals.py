"""Our own EID-prefixes in C against a plain scan: few, many, nested, in several instance-IDs."""

from __future__ import annotations

import ctypes as c
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lispfast.model.addresses import Address, EidPrefix
from lispfast.model.forwarding import LocalPrefix
from lispfast.model.units import InstanceId

from . import twin
from .native import CAddress

FEW = 8  # locals.h: up to so many are scanned
IIDS = [InstanceId(iid) for iid in (0, 7, 9)]


class CLocal(c.Structure):
    _fields_ = [
        ("network", CAddress),
        ("length", c.c_uint8),
        ("version", c.c_uint16),
        ("iid", c.c_uint32),
        ("around", c.c_uint32),
    ]

    @classmethod
    def of(cls, own: LocalPrefix) -> CLocal:
        network = own.prefix.network
        return cls(CAddress.of(network.network_address), own.prefix.length, own.version, own.prefix.iid)

    def value(self) -> LocalPrefix:
        network = ip_network((self.network.value(), self.length))
        return LocalPrefix(EidPrefix(network, InstanceId(self.iid)), self.version)


# Few bits below few networks, so that prefixes nest, meet in several instance-IDs, and addresses fall beside them.
BASES = [ip_address(text) for text in ("0.0.0.0", "10.0.0.0", "::", "fd00::")]
addresses = st.builds(lambda base, low: base + low, st.sampled_from(BASES), st.integers(0, 63))


@st.composite
def own_prefixes(draw: st.DrawFn) -> LocalPrefix:
    address = draw(addresses)
    length = draw(st.one_of(st.integers(address.max_prefixlen - 6, address.max_prefixlen), st.integers(0, 8)))
    network = ip_network((address, length), strict=False)
    return LocalPrefix(EidPrefix(network, draw(st.sampled_from(IIDS))), draw(st.integers(0, 3)))


def newest(given: list[LocalPrefix]) -> set[LocalPrefix]:
    """A prefix that stands twice has the higher version."""
    best: dict[EidPrefix, LocalPrefix] = {}
    for own in given:
        if own.prefix not in best or best[own.prefix].version < own.version:
            best[own.prefix] = own
    return set(best.values())


def lookups(native: c.CDLL) -> None:
    native.lf_locals_new.restype, native.lf_locals_new.argtypes = c.c_void_p, [c.c_void_p, c.c_size_t]
    native.lf_locals_free.restype, native.lf_locals_free.argtypes = None, [c.c_void_p]
    native.lf_locals_find.restype = native.lf_locals_source.restype = c.POINTER(CLocal)
    native.lf_locals_find.argtypes = [c.c_void_p, c.POINTER(CAddress), c.c_uint32]
    native.lf_locals_source.argtypes = [c.c_void_p, c.POINTER(CAddress)]
    native.lf_locals_has_instance.restype = c.c_bool
    native.lf_locals_has_instance.argtypes = [c.c_void_p, c.c_uint32]


def compare(native: c.CDLL, given: list[LocalPrefix], asked: list[Address]) -> None:
    made = native.lf_locals_new((CLocal * len(given))(*map(CLocal.of, given)), len(given))
    expected = newest(given)
    for address in asked:
        packed = CAddress.of(address)
        found = native.lf_locals_source(made, packed)
        assert (found.contents.value() if found else None) == twin.longest(address, expected)
        for iid in IIDS:
            found = native.lf_locals_find(made, packed, iid)
            assert (found.contents.value() if found else None) == twin.longest(address, expected, iid)
    for iid in IIDS:
        assert native.lf_locals_has_instance(made, iid) == any(own.prefix.iid == iid for own in expected)
    native.lf_locals_free(made)


@pytest.mark.parametrize("size", [(0, FEW), (FEW + 1, 60)])
def test_the_longest_prefix_is_found_as_a_scan_finds_it(native: c.CDLL, size: tuple[int, int]) -> None:
    lookups(native)
    whole = [LocalPrefix(EidPrefix.parse(text, 7), 1) for text in ("0.0.0.0/0", "::/0")]

    @settings(max_examples=150, deadline=None)
    @given(st.lists(own_prefixes(), min_size=size[0], max_size=size[1]), st.lists(addresses, max_size=12))
    @example(whole, [ip_address("1.2.3.4"), ip_address("ff::1")])
    def check(given: list[LocalPrefix], asked: list[Address]) -> None:
        edges = [own.prefix.network for own in given[:6]]
        compare(native, given, asked + [n.network_address for n in edges] + [n.broadcast_address for n in edges])

    check()


def test_hundreds_of_prefixes_alike_in_many_instances(native: c.CDLL) -> None:
    lookups(native)
    nets = ["10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.1.2.3/32", "fd00::/8", "fd00::1/128"]
    given = [LocalPrefix(EidPrefix.parse(net, iid), iid) for iid in range(300) for net in nets[iid % 2 :]]
    asked = [
        ip_address(text) for text in ("10.1.2.3", "10.1.2.4", "10.1.9.9", "10.9.9.9", "9.9.9.9", "fd00::1", "fe::")
    ]
    compare(native, given, asked)


def test_no_prefix_at_all(native: c.CDLL) -> None:
    lookups(native)
    compare(native, [], [ip_address("10.0.0.1"), ip_address("::1")])
    address = CAddress.of(ip_address("10.0.0.1"))
    assert not native.lf_locals_find(None, address, 0)
    assert not native.lf_locals_source(None, address)
    assert not native.lf_locals_has_instance(None, 0)
