"""The C data plane without Python: built alone into a library and called by ctypes."""

from __future__ import annotations

import ctypes as c
import shutil
import subprocess
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path

import pytest

from lispfast.model.addresses import Address, Eid, EidPrefix
from lispfast.model.forwarding import LocalPrefix
from lispfast.model.units import InstanceId

from .packing import ENCAPSULATE, NATIVELY, RESOLVE, Change, locator_record

__all__ = ["ENCAPSULATE", "NATIVELY", "RESOLVE"]  # the kinds of verdicts

ROOT = Path(__file__).resolve().parents[3]
NATIVE = ROOT / "lispfast" / "_native"
WARNINGS = ["-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wstrict-prototypes", "-Werror"]


class CAddress(c.Structure):
    _fields_ = [("bytes", c.c_uint8 * 16), ("family", c.c_uint8)]

    @classmethod
    def of(cls, address: Address) -> CAddress:
        return cls((c.c_uint8 * 16)(*address.packed), address.version)

    def value(self) -> Address:
        packed = bytes(self.bytes)
        return IPv4Address(packed[:4]) if self.family == 4 else IPv6Address(packed)


class CLocator(c.Structure):
    _fields_ = [
        ("address", CAddress),
        ("slot", c.c_uint8),
        ("priority", c.c_uint8),
        ("weight", c.c_uint8),
        ("header", c.c_uint8 * 8),
        ("form", c.c_uint8),
        ("tunnel", c.c_uint8),
        ("port", c.c_uint16),
        ("mtu", c.c_uint16),
    ]

    def record(self) -> bytes:
        """As a packed transaction has it."""
        header = bytes(self.header)
        return locator_record(
            self.address.value(), self.port, self.slot, self.priority, self.weight, self.mtu, self.form, header
        )


class CVerdict(c.Structure):
    _fields_ = [("set", c.c_void_p), ("value", c.c_uint32), ("kind", c.c_uint8), ("reject_code", c.c_uint8)]


class CLocators(c.Structure):
    _fields_ = [
        ("born", c.c_uint64),
        ("older", c.c_void_p),
        ("count", c.c_uint16),
        ("inside", c.c_bool),
        ("locator", CLocator * 8),  # as many as `count` says
    ]


class CView(c.Structure):
    _fields_ = [("table", c.c_void_p), ("pin", c.c_uint64)]


class CMatch(c.Structure):
    _fields_ = [("prefix", c.c_void_p), ("verdict", c.POINTER(CVerdict)), ("locators", c.POINTER(CLocators))]


class CKey(c.Structure):
    _fields_ = [
        ("high", c.c_uint64),
        ("low", c.c_uint64),
        ("iid", c.c_uint32),
        ("family", c.c_uint8),
        ("length", c.c_uint8),
        ("mark", c.c_uint16),
    ]

    def prefix(self) -> EidPrefix:
        if self.family == 4:
            return EidPrefix(IPv4Network((self.high >> 32, self.length)), InstanceId(self.iid))
        return EidPrefix(IPv6Network((self.high << 64 | self.low, self.length)), InstanceId(self.iid))


class CUse(c.Structure):
    _fields_ = [
        (name, c.c_uint64) for name in ("packets", "bytes", "packets_in", "bytes_in", "drops", "last_ms", "used_ms")
    ]


class CRow(c.Structure):
    _fields_ = [("value", c.c_uint32), ("match", CMatch)]


class CUsageRow(c.Structure):
    _fields_ = [("value", c.c_uint32), ("key", CKey), ("use", CUse)]


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
        "lf_table_commit_packed": (CProblem, [c.c_void_p, c.c_char_p, c.c_size_t]),
        "lf_table_match": (CMatch, [CView, c.c_uint32]),
        "lf_epoch_newest": (c.c_uint64, [c.c_void_p]),
        "lf_table_find4": (None, [CView, c.c_uint32, c.c_void_p, c.c_void_p, c.c_size_t]),
        "lf_table_find6": (None, [CView, c.c_uint32, c.c_void_p, c.c_void_p, c.c_size_t]),
        "lf_table_walk": (c.c_size_t, [c.c_void_p, c.POINTER(c.c_uint32), c.c_void_p, c.c_size_t]),
        "lf_table_usage": (c.c_size_t, [c.c_void_p, c.c_uint64, c.POINTER(c.c_uint32), c.c_void_p, c.c_size_t]),
        "lf_table_left": (CUse, [c.c_void_p]),
        "lf_table_lookup": (CMatch, [CView, c.c_uint32, c.POINTER(CAddress)]),
        "lf_table_reclaim": (c.c_size_t, [c.c_void_p]),
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
        local: tuple[Eid | LocalPrefix, ...] | None = None,
        sources: dict[int, Address] | None = None,
    ) -> int:
        """Apply; the number of the error, 0 for none."""
        change = Change()
        for prefix, locators in (put or {}).items():
            change.put(prefix, change.set([locator.record() for locator in locators]))
        for prefix in withdraw:
            change.withdraw(prefix)
        if local is not None:
            change.local(local)
        for slot, source in (sources or {}).items():
            change.source(slot, source)
        return self.apply(change).error  # type: ignore[no-any-return]

    def apply(self, change: Change | bytes) -> CProblem:
        packed = change if isinstance(change, bytes) else change.packed()
        problem = self.library.lf_table_commit_packed(self.table, packed, len(packed))
        assert isinstance(problem, CProblem)
        return problem

    def pin(self) -> CView:
        return CView(self.table, self.library.lf_epoch_pin(self.table, 0))

    def newest(self) -> CView:
        """The writer's own view."""
        return CView(self.table, self.library.lf_epoch_newest(self.table))

    def port(self, view: CView, value: int) -> int | None:
        match = self.library.lf_table_match(view, value)
        return match.locators.contents.locator[0].port if match.locators else None

    def sleep(self) -> None:
        self.library.lf_epoch_sleep(self.table, 0)

    def lookup(self, eid: Eid, view: CView | None = None) -> int | None:
        """The port of the locator of the longest match, None for no match."""
        match = self.library.lf_table_lookup(view or self.pin(), eid.iid, CAddress.of(eid.address))
        return match.locators.contents.locator[0].port if match.locators else None

    def walk(self, room: int = 3) -> dict[EidPrefix, tuple[int, tuple[int, ...]]]:
        """Every prefix that stands, in slices of `room`: the kind of its verdict and its locators' ports."""
        rows, place, found = (CRow * room)(), c.c_uint32(), {}
        while count := self.library.lf_table_walk(self.table, place, rows, room):
            for row in rows[:count]:
                prefix = c.cast(row.match.prefix, c.POINTER(CKey)).contents.prefix()
                locators = row.match.locators.contents if row.match.locators else None
                ports = tuple(each.port for each in locators.locator[: locators.count]) if locators else ()
                assert prefix not in found
                found[prefix] = (row.match.verdict.contents.kind, ports)
        return found


def locator(port: int, **fields: int) -> CLocator:
    made = CLocator(CAddress.of(IPv4Address("192.0.2.1")), 0, fields.get("priority", 1), fields.get("weight", 1))
    made.slot = fields.get("slot", 0)
    made.port = port
    return made
