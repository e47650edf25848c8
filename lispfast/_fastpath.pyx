# cython: language_level=3, boundscheck=False, wraparound=False
"""The C data plane behind the DataPlane protocol: objects of the model in, objects of the model out, no algorithm."""

import errno
import os
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from libc.string cimport memcpy

from lispfast.model.addresses import EidPrefix
from lispfast.model.errors import DataPlaneError, HostError
from lispfast.model.encapsulation import Encapsulation
from lispfast.model.forwarding import (
    Drop, Encapsulate, Miss, Native, NoSegmentation, PathMtu, PrefixTraffic, Reject, Resolve, Traffic,
)
from lispfast.model.reasons import DataReason
from lispfast.model.settings import Forwarding, UdpChecksum


cdef tuple _REASONS = tuple(DataReason(lf_reason_name(i).decode()) for i in range(LF_REASONS))
cdef dict _FORMS = {form: i for i, form in enumerate(Encapsulation)}
cdef dict _CHECKSUMS = {
    UdpChecksum.AUTO: LF_CHECKSUM_AUTO, UdpChecksum.ZERO: LF_CHECKSUM_ZERO, UdpChecksum.ON: LF_CHECKSUM_ON,
}
cdef int _LOCATORS_MAX = 255  # RFC 9301 section 5.4: Locator Count has 8 bits


cdef int _put_address(lf_address *out, object address) except -1:
    """Fill `out` from an ipaddress address."""
    cdef bytes packed = address.packed
    cdef const unsigned char *data = packed
    out.family = address.version
    for i in range(16):
        out.bytes[i] = data[i] if i < <int>len(packed) else 0
    return 0


cdef object _get_address(const lf_address *address):
    cdef const unsigned char *data = &address.bytes[0]
    if address.family == 4:
        return IPv4Address(data[:4])
    return IPv6Address(data[:16])


cdef object _get_prefix(const lf_key *key):
    if key.family == 4:
        network = IPv4Network((key.high >> 32, key.length))
    else:
        network = IPv6Network(((<object>key.high << 64) | key.low, key.length))
    return EidPrefix(network, key.iid)


cdef int _fill_locator(lf_locator *out, object locator) except -1:
    cdef bytes header = locator.header
    if len(header) != 8:
        raise DataPlaneError(f"locator {locator.address}: the header has {len(header)} bytes, not 8")
    if not 0 <= locator.slot < 256 or not 0 <= locator.priority <= 255 or not 0 <= locator.weight <= 255:
        raise DataPlaneError(f"locator {locator.address}: slot, priority or weight out of range")
    if not 0 < locator.port < 65536 or not 0 < locator.mtu < 65536:
        raise DataPlaneError(f"locator {locator.address}: port or mtu out of range")
    _put_address(&out.address, locator.address)
    out.slot = locator.slot
    out.priority = locator.priority
    out.weight = locator.weight
    out.form = <int>_FORMS[locator.encapsulation]
    out.port = locator.port
    out.mtu = locator.mtu
    memcpy(out.header, <const char *>header, 8)
    return 0


cdef tuple _verdict_kind(object verdict):
    """The C kind, reject code and locators of a verdict."""
    if isinstance(verdict, Encapsulate):
        return LF_ENCAPSULATE, 0, verdict.locators
    if isinstance(verdict, Native):
        return LF_NATIVE, 0, ()
    if isinstance(verdict, Reject):
        return LF_REJECT, int(verdict.code), ()
    if isinstance(verdict, Drop):
        return LF_DROP, 0, ()
    if isinstance(verdict, Resolve):
        return LF_RESOLVE, 0, ()
    raise DataPlaneError(f"no verdict: {verdict!r}")


cdef int _add_put(lf_transaction *out, object prefix, object verdict) except -1:
    cdef lf_address network
    cdef lf_verdict *filled
    kind, code, locators = _verdict_kind(verdict)
    if len(locators) > _LOCATORS_MAX:
        raise DataPlaneError(f"{prefix}: more than {_LOCATORS_MAX} locators")
    _put_address(&network, prefix.network.network_address)
    filled = lf_transaction_put(out, prefix.iid, &network, prefix.network.prefixlen, <lf_kind><int>kind, code,
                                len(locators))
    if filled == NULL:
        raise DataPlaneError(f"{prefix}: no memory")
    for i, locator in enumerate(locators):
        _fill_locator(&filled.locators[<int>i], locator)
    return 0


cdef int _add_withdrawal(lf_transaction *out, object prefix) except -1:
    cdef lf_address network
    _put_address(&network, prefix.network.network_address)
    if not lf_transaction_withdraw(out, prefix.iid, &network, prefix.network.prefixlen):
        raise DataPlaneError(f"{prefix}: no memory")
    return 0


cdef int _add_local(lf_transaction *out, object eids) except -1:
    cdef lf_eid eid
    cdef bytearray packed = bytearray()
    for item in eids:
        _put_address(&eid.address, item.address)
        eid.iid = item.iid
        packed += (<const unsigned char *>&eid)[:sizeof(lf_eid)]
    if not lf_transaction_local(out, <const lf_eid *><char *>packed, len(eids)):
        raise DataPlaneError("local EIDs: no memory")
    return 0


cdef int _add_source(lf_transaction *out, object source) except -1:
    cdef lf_address address
    if not 0 <= source.slot < 256 or not 0 <= source.ifindex < 1 << 31:
        raise DataPlaneError(f"source slot {source.slot}: slot or ifindex out of range")
    address.family = 0
    if source.address is not None:
        _put_address(&address, source.address)
    if not lf_transaction_source(out, source.slot, &address, source.ifindex):
        raise DataPlaneError(f"source slot {source.slot}: no memory")
    return 0


cdef int _build(lf_transaction *out, object transaction) except -1:
    for prefix, verdict in transaction.put:
        _add_put(out, prefix, verdict)
    for prefix in transaction.withdraw:
        _add_withdrawal(out, prefix)
    if transaction.local is not None:
        _add_local(out, transaction.local)
    for source in transaction.sources:
        _add_source(out, source)
    return 0


cdef str _named(object transaction, lf_problem problem):
    """The item that a problem is about."""
    if problem.part == LF_PART_PUT:
        return f"{transaction.put[problem.item][0]}: "
    if problem.part == LF_PART_WITHDRAW:
        return f"{transaction.withdraw[problem.item]}: "
    if problem.part == LF_PART_SOURCE:
        return f"source slot {transaction.sources[problem.item].slot}: "
    return ""


cdef object _start_error(int error, const lf_options *options):
    if error == errno.EADDRINUSE:
        ports = f"{options.port} or {options.vxlan_port}" if options.vxlan_port else options.port
        return HostError(f"UDP port {ports} is in use", "stop the other LISP daemon of this network namespace")
    if error == errno.EALREADY:
        return RuntimeError("a data plane starts once")
    problem = f"the data plane cannot start ({os.strerror(error)})"
    if error in (errno.EMFILE, errno.ENFILE):
        return HostError(problem, "lower workers or source-ports, or allow more open files (LimitNOFILE, ulimit -n)")
    return HostError(problem, "see the message")


cdef dict _describe_offloads(const lf_options *options, const lf_features *features, object plain):
    """Each optional kernel feature with its outcome."""
    off = "off (offload = off)"
    described = {"tun_offload": off, "udp_segment": off, "udp_gro": off}
    if options.offload:
        missing = "off (the kernel has none)"
        header = "off (the device has no virtio-net header)"
        described["tun_offload"] = header if not features.vnet else "TSO, USO" if features.uso else (
            "TSO (USO: the kernel has none)" if features.tso else missing
        )
        described["udp_gro"] = "on" if features.gro else missing
        if options.checksum == LF_CHECKSUM_ZERO:
            described["udp_segment"] = "off (udp-checksum = zero)"
        else:
            described["udp_segment"] = f"{features.segments} a run" if features.segments > 1 else missing
        if plain:
            described["udp_segment"] += f", none on interface {', '.join(map(str, sorted(plain)))}"
    described["udp_checksum"] = next(word.value for word, policy in _CHECKSUMS.items() if policy == options.checksum)
    described["source_ports"] = options.source_ports
    return described


cdef class Engine:
    """The `tun` backend. It owns the C engine; the TUN descriptors stay the caller's, open until stop()."""

    cdef lf_engine *engine
    cdef lf_options options
    cdef set plain  # the interfaces that took no runs

    def __cinit__(self, tun_fds, *, int port=4341, int vxlan_port=0, forwarding=None, bint framed=False):
        cdef int fds[64]
        settings = forwarding or Forwarding()
        if not 0 < len(tun_fds) <= LF_READERS_MAX:
            raise ValueError(f"1 to {LF_READERS_MAX} TUN queues, not {len(tun_fds)}")
        if not 0 < port < 65536 or not 0 <= vxlan_port < 65536:
            raise ValueError(f"no UDP ports: {port}, {vxlan_port}")
        for i, fd in enumerate(tun_fds):
            fds[<int>i] = fd
        self.options.port = port
        self.options.vxlan_port = vxlan_port
        if settings.encapsulation is Encapsulation.VXLAN_GPE and not vxlan_port:
            self.options.vxlan_port = Encapsulation.VXLAN_GPE.port
        self.options.source_ports = settings.source_ports
        self.options.checksum = <lf_checksum_policy><int>_CHECKSUMS[settings.udp_checksum]
        self.options.offload = settings.offload
        self.options.mss_clamp = settings.mss_clamp
        self.options.framed = framed
        self.plain = set()
        self.engine = lf_engine_new(fds, len(tun_fds), &self.options)
        if self.engine == NULL:
            raise MemoryError

    def __dealloc__(self):
        with nogil:
            lf_engine_free(self.engine)

    def start(self):
        cdef int error
        with nogil:
            error = lf_engine_start(self.engine)
        if error:
            raise _start_error(error, &self.options)

    def stop(self):
        with nogil:
            lf_engine_stop(self.engine)

    def commit(self, transaction):
        cdef lf_problem problem
        cdef lf_transaction *built = lf_transaction_new(lf_engine_table(self.engine))
        if built == NULL:
            raise DataPlaneError("no memory")
        try:
            _build(built, transaction)
        except BaseException:
            lf_transaction_free(built)
            raise
        with nogil:
            problem = lf_engine_commit(self.engine, built)
        if problem.error != LF_OK:
            raise DataPlaneError(_named(transaction, problem) + lf_error_text(problem.error).decode())

    def punt_fileno(self):
        return lf_engine_punt_fd(self.engine)

    def take_punts(self):
        cdef lf_punt punt
        cdef list punts = []
        lf_engine_punt_rearm(self.engine)
        while lf_engine_punt_take(self.engine, &punt):
            if punt.kind == LF_PUNT_MISS:
                punts.append(Miss(_get_address(&punt.destination), _get_address(&punt.source), punt.iid))
            elif punt.kind == LF_PUNT_PATH_MTU:
                punts.append(PathMtu(_get_address(&punt.destination), min(<object>punt.value, 65535)))
            else:
                punts.append(NoSegmentation(punt.value))
                self.plain.add(punt.value)
        return punts

    def traffic(self):
        cdef const lf_prefix *prefix
        cdef lf_use use
        cdef size_t cell = 0
        cdef lf_table *table = lf_engine_table(self.engine)
        cdef unsigned workers = lf_engine_workers(self.engine)
        cdef uint64_t now = lf_engine_now_ms()
        cdef dict prefixes = {}
        while True:
            prefix = lf_table_next(table, &cell)
            if prefix == NULL:
                return Traffic(prefixes, self._outer_sources())
            use = lf_prefix_use(prefix, workers)
            idle = None if use.last_ms == 0 else max(0, <object>now - use.last_ms) / 1000
            prefixes[_get_prefix(&prefix.entry.key)] = PrefixTraffic(
                use.packets, use.bytes, use.drops, idle, use.packets_in, use.bytes_in
            )

    cdef dict _outer_sources(self):
        cdef uint32_t place = 0
        cdef uint64_t last = 0
        cdef lf_address address
        cdef dict sources = {}
        now = lf_engine_now_ms()
        while lf_engine_peer(self.engine, &place, &address, &last):
            peer = _get_address(&address)
            age = max(0, now - last) / 1000
            sources[peer] = min(age, sources.get(peer, age))
        return sources

    def drops(self):
        cdef lf_totals totals = lf_engine_totals(self.engine)
        return {reason: totals.drops[<int>i] for i, reason in enumerate(_REASONS)}

    def totals(self):
        cdef lf_totals totals = lf_engine_totals(self.engine)
        return {
            "packets_out": totals.packets_out,
            "bytes_out": totals.bytes_out,
            "packets_in": totals.packets_in,
            "bytes_in": totals.bytes_in,
            "punts": totals.punts,
            "staged": totals.staged,
        }

    def describe(self):
        cdef bint running = lf_engine_has_family(self.engine, 4) or lf_engine_has_family(self.engine, 6)
        cdef lf_features features = lf_engine_features(self.engine)
        description = {"backend": "tun", "workers": lf_engine_workers(self.engine), "port": self.options.port}
        if not running:
            return description
        if self.options.vxlan_port:
            description["vxlan_gpe_port"] = self.options.vxlan_port
        for family in (4, 6):
            description[f"ipv{family}"] = "on" if lf_engine_has_family(self.engine, family) else "not on this host"
        description["tun"] = "lost" if lf_engine_tun_lost(self.engine) else "open"
        description.update(_describe_offloads(&self.options, &features, self.plain))
        if lf_engine_workers(self.engine) > 1:
            description["steering"] = "by flow" if features.steered else (
                f"the kernel's own ({os.strerror(features.steer_error)})"
            )
        return description
