"""The C data plane without Python: built alone into a library and called by ctypes."""

from __future__ import annotations

import ctypes as c
import shutil
import subprocess
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest

from lispfast.model.addresses import Address, Eid, EidPrefix

ROOT = Path(__file__).resolve().parents[3]
NATIVE = ROOT / "lispfast" / "_native"
WARNINGS = ["-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wstrict-prototypes", "-Werror"]
ENCAPSULATE, NATIVELY, REJECT, DROP, RESOLVE = range(5)


class CAddress(c.Structure):
    _fields_ = [("bytes", c.c_uint8 * 16), ("family", c.c_uint8)]

    @classmethod
    def of(cls, address: Address) -> CAddress:
        return cls((c.c_uint8 * 16)(*address.packed), address.version)

    def value(self) -> Address:
        packed = bytes(self.bytes)
        return IPv4Address(packed[:4]) if self.family == 4 else IPv6Address(packed)


class CEid(c.Structure):
    _fields_ = [("address", CAddress), ("iid", c.c_uint32)]


class CLocator(c.Structure):
    _fields_ = [
        ("address", CAddress),
        ("slot", c.c_uint8),
        ("priority", c.c_uint8),
        ("weight", c.c_uint8),
        ("header", c.c_uint8 * 8),
        ("form", c.c_uint8),
        ("port", c.c_uint16),
        ("mtu", c.c_uint16),
    ]


class CVerdict(c.Structure):
    _fields_ = [
        ("kind", c.c_int),
        ("reject_code", c.c_uint),
        ("count", c.c_uint),
        ("locators", CLocator * 8),  # as many as `count` says
    ]


class CView(c.Structure):
    _fields_ = [("table", c.c_void_p), ("pin", c.c_uint64)]


class CMatch(c.Structure):
    _fields_ = [("prefix", c.c_void_p), ("verdict", c.POINTER(CVerdict))]


class CProblem(c.Structure):
    _fields_ = [("error", c.c_int), ("part", c.c_int), ("item", c.c_size_t)]


class CPacket(c.Structure):
    _fields_ = [
        ("data", c.c_void_p),
        ("length", c.c_size_t),
        ("family", c.c_uint8),
        ("tos", c.c_uint8),
        ("ttl", c.c_uint8),
        ("header", c.c_size_t),
        ("source", CAddress),
        ("destination", CAddress),
    ]


class CRoute(c.Structure):
    _fields_ = [
        ("kind", c.c_int),
        ("prefix", c.c_void_p),
        ("reject_code", c.c_uint),
        ("locator", c.POINTER(CLocator)),
        ("source", c.c_void_p),
    ]


def build(directory: Path) -> c.CDLL:
    """Compile every C file with every warning an error, and load the result."""
    if shutil.which("gcc") is None:
        pytest.skip("no C compiler")
    target = directory / "liblf.so"
    sources = sorted(str(path) for path in NATIVE.glob("*.c"))
    flags = ["-std=c11", "-O1", "-fPIC", "-pthread", *WARNINGS]
    done = subprocess.run(["gcc", *flags, "-shared", "-o", str(target), *sources], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    library = c.CDLL(str(target))
    signatures: dict[str, tuple[object, list[object]]] = {
        "lf_table_new": (c.c_void_p, [c.c_uint, c.c_uint64]),
        "lf_table_free": (None, [c.c_void_p]),
        "lf_table_commit": (CProblem, [c.c_void_p, c.c_void_p]),
        "lf_table_lookup": (CMatch, [CView, c.c_uint32, c.POINTER(CAddress)]),
        "lf_table_reclaim": (c.c_size_t, [c.c_void_p]),
        "lf_transaction_new": (c.c_void_p, [c.c_void_p]),
        "lf_transaction_put": (
            c.POINTER(CVerdict),
            [c.c_void_p, c.c_uint32, c.POINTER(CAddress), c.c_uint, c.c_int, c.c_uint, c.c_uint],
        ),
        "lf_transaction_withdraw": (c.c_bool, [c.c_void_p, c.c_uint32, c.POINTER(CAddress), c.c_uint]),
        "lf_transaction_local": (c.c_bool, [c.c_void_p, c.POINTER(CEid), c.c_size_t]),
        "lf_transaction_source": (c.c_bool, [c.c_void_p, c.c_uint, c.POINTER(CAddress), c.c_uint32]),
        "lf_epoch_pin": (c.c_uint64, [c.c_void_p, c.c_uint]),
        "lf_epoch_sleep": (None, [c.c_void_p, c.c_uint]),
        "lf_checksum_add": (c.c_uint64, [c.c_uint64, c.c_char_p, c.c_size_t]),
        "lf_checksum_fold": (c.c_uint16, [c.c_uint64]),
        "lf_ecn_combine": (c.c_uint, [c.c_uint, c.c_uint]),
        "lf_packet_parse": (c.c_int, [c.POINTER(CPacket), c.c_char_p, c.c_size_t]),
        "lf_forward": (CRoute, [CView, c.c_uint32, c.POINTER(CPacket)]),
        "lf_flow_hash": (c.c_uint32, [c.POINTER(CPacket)]),
        "lf_address_tunnelled": (c.c_bool, [c.POINTER(CAddress)]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


class NativeTable:
    """A table with one reader; a verdict is told by the port of its one locator."""

    def __init__(self, library: c.CDLL) -> None:
        self.library = library
        self.table = library.lf_table_new(1, 7)

    def close(self) -> None:
        self.library.lf_table_free(self.table)

    def commit(
        self,
        put: dict[EidPrefix, list[CLocator]] | None = None,
        withdraw: tuple[EidPrefix, ...] = (),
        local: tuple[Eid, ...] | None = None,
        sources: dict[int, Address] | None = None,
    ) -> int:
        """Apply; the number of the error, 0 for none."""
        transaction = self.library.lf_transaction_new(self.table)
        for prefix, locators in (put or {}).items():
            address = CAddress.of(prefix.network.network_address)
            verdict = self.library.lf_transaction_put(
                transaction, prefix.iid, address, prefix.length, ENCAPSULATE, 0, len(locators)
            )
            if locators:
                packed = (CLocator * len(locators))(*locators)
                c.memmove(verdict.contents.locators, packed, c.sizeof(packed))
        for prefix in withdraw:
            address = CAddress.of(prefix.network.network_address)
            self.library.lf_transaction_withdraw(transaction, prefix.iid, address, prefix.length)
        if local is not None:
            eids = (CEid * len(local))(*[CEid(CAddress.of(eid.address), eid.iid) for eid in local])
            self.library.lf_transaction_local(transaction, eids, len(local))
        for slot, source in (sources or {}).items():
            self.library.lf_transaction_source(transaction, slot, CAddress.of(source), 0)
        error: int = self.library.lf_table_commit(self.table, transaction).error
        return error

    def pin(self) -> CView:
        return CView(self.table, self.library.lf_epoch_pin(self.table, 0))

    def sleep(self) -> None:
        self.library.lf_epoch_sleep(self.table, 0)

    def lookup(self, eid: Eid, view: CView | None = None) -> int | None:
        """The port of the locator of the longest match, None for no match."""
        match = self.library.lf_table_lookup(view or self.pin(), eid.iid, CAddress.of(eid.address))
        return match.verdict.contents.locators[0].port if match.verdict else None


def locator(port: int, **fields: int) -> CLocator:
    made = CLocator(CAddress.of(IPv4Address("192.0.2.1")), 0, fields.get("priority", 1), fields.get("weight", 1))
    made.slot = fields.get("slot", 0)
    made.port = port
    return made
