# cython: language_level=3, boundscheck=False, wraparound=False
"""The C data plane behind the DataPlane protocol: objects of the model in, objects of the model out, no algorithm."""

import errno
import os
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from lispfast.model.addresses import EidPrefix
from lispfast.model.errors import DataPlaneError, HostError, PrivilegeError
from lispfast.model.encapsulation import Encapsulation
from lispfast.model.forwarding import (
    SOURCE_SLOTS, Drop, Encapsulate, ForwardingLocator, HeaderHint, InnerTunnel, LocalPrefix, Miss, Native,
    NoSegmentation, PathMtu, PrefixTraffic, Reject, RejectCode, Resolve, SourceRloc, Traffic, Unreachable,
)
from lispfast.model.reasons import DataReason
from lispfast.model.settings import Forwarding, UdpChecksum
from lispfast.packed import Part, name_item, pack


cdef tuple _REASONS = tuple(DataReason(lf_reason_name(i).decode()) for i in range(LF_REASONS))
cdef tuple _FORMS = tuple(Encapsulation)
cdef dict _CHECKSUMS = {
    UdpChecksum.AUTO: LF_CHECKSUM_AUTO, UdpChecksum.ZERO: LF_CHECKSUM_ZERO, UdpChecksum.ON: LF_CHECKSUM_ON,
}
cdef dict _PARTS = {
    LF_PART_PUT: Part.PUT, LF_PART_WITHDRAW: Part.WITHDRAW, LF_PART_LOCAL: Part.LOCAL, LF_PART_SOURCE: Part.SOURCE,
    LF_PART_SET: Part.SET, LF_PART_SET_WITHDRAWAL: Part.SET_WITHDRAWAL, LF_PART_BUFFER: Part.BUFFER,
}
cdef uint64_t _OVERLAP_MS = 1000  # ours: how long a worker may take from its clock to its counters and be found

cdef enum:
    _SLICE = 128  # ours: rows that wait on the stack at once


cdef int _put_address(lf_address *out, object address) except -1:
    """Fill `out` from an ipaddress address."""
    cdef bytes packed = address.packed
    memset(out, 0, sizeof(lf_address))
    memcpy(&out.bytes[0], <const char *>packed, len(packed))
    out.family = address.version
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


cdef object _get_tunnel(const lf_locator *tunnel):
    cdef const unsigned char *header
    if tunnel == NULL:
        return None
    header = &tunnel.header[0]
    return InnerTunnel(_get_address(&tunnel.address), tunnel.slot, header[:8], tunnel.port)


cdef object _get_locator(const lf_locator *locator):
    cdef const unsigned char *header = &locator.header[0]
    return ForwardingLocator(
        _get_address(&locator.address), locator.slot, header[:8], locator.port, locator.mtu, locator.priority,
        locator.weight, _FORMS[locator.form], _get_tunnel(lf_locator_inside(locator)),
    )


cdef object _get_verdict(const lf_match *match):
    """What stands there, a locator-set by its locators."""
    cdef unsigned kind = match.verdict.kind
    if kind == LF_ENCAPSULATE:
        return Encapsulate(tuple([_get_locator(&match.locators.locator[i]) for i in range(match.locators.count)]))
    if kind == LF_NATIVE:
        return Native()
    if kind == LF_REJECT:
        return Reject(RejectCode(match.verdict.reject_code))
    return Drop() if kind == LF_DROP else Resolve()


cdef object _get_hint(const lf_punt *punt):
    cdef uint8_t flags = punt.said.flags
    cdef uint32_t field = punt.said.field
    return HeaderHint(
        _get_address(&punt.destination), _get_address(&punt.source), punt.iid,
        nonce=field if flags & LF_SAID_NONCE else None,
        echo=bool(flags & LF_SAID_ECHO),
        source_version=field >> 12 if flags & LF_SAID_VERSION else None,
        destination_version=field & 0xFFF if flags & LF_SAID_VERSION else None,
        status_bits=punt.said.status if flags & LF_SAID_STATUS else None,
    )


cdef object _get_use(const lf_use *use, uint64_t now):
    idle = None if use.last_ms == 0 else (now - use.last_ms) / 1000.0 if now > use.last_ms else 0.0
    return PrefixTraffic(use.packets, use.bytes, use.drops, idle, use.packets_in, use.bytes_in)


cdef object _refusal(object buffer, lf_problem problem):
    """A DataPlaneError that says what is wrong with which item of a packed transaction."""
    name = name_item(buffer, _PARTS.get(problem.part, Part.NONE), problem.item)
    text = lf_error_text(problem.error).decode()
    return DataPlaneError(f"{name}: {text}" if name else text)


cdef void _find(
    lf_view view, uint32_t iid, bint v6, const uint8_t *addresses, uint8_t *values, size_t count
) noexcept nogil:
    """Look up packed addresses; the values go anywhere, four bytes each."""
    cdef uint32_t numbers[_SLICE]
    cdef lf_bits bits[_SLICE]
    cdef uint32_t found[_SLICE]
    cdef size_t done = 0, some, i
    cdef const uint8_t *at
    while done < count:
        some = min(count - done, <size_t>_SLICE)
        for i in range(some):
            at = addresses + (done + i) * (16 if v6 else 4)
            if v6:
                bits[i].high = lf_address_number(at)
                bits[i].low = lf_address_number(at + 8)
            else:
                numbers[i] = <uint32_t>at[0] << 24 | <uint32_t>at[1] << 16 | <uint32_t>at[2] << 8 | at[3]
        if v6:
            lf_table_find6(view, iid, bits, found, some)
        else:
            lf_table_find4(view, iid, numbers, found, some)
        memcpy(values + done * 4, found, some * 4)
        done += some


cdef object _start_error(int error, const lf_options *options):
    if error == errno.EADDRINUSE:
        ports = f"{options.port} or {options.vxlan_port}" if options.vxlan_port else options.port
        return HostError(f"UDP port {ports} is in use", "stop the other LISP daemon of this network namespace")
    if error == errno.EALREADY:
        return RuntimeError("a data plane starts once")
    problem = f"the data plane cannot start ({os.strerror(error)})"
    if options.native and error in (errno.EPERM, errno.EACCES):
        return PrivilegeError(problem, "native-forward needs CAP_NET_RAW: run as root, or set native-forward = off")
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


cdef class _Table:
    """What can be done with a table, whoever owns it."""

    cdef lf_table *table
    cdef bint committing

    cdef lf_view _view(self) except *:
        """The newest table, for the thread that commits."""
        if self.committing:
            raise RuntimeError("another thread commits")
        return lf_table_view(self.table)

    cdef lf_problem _commit(self, const void *buffer, size_t length) noexcept nogil:
        return lf_table_commit_packed(self.table, buffer, length)

    def commit(self, transaction):
        self.commit_packed(pack(transaction))

    def commit_packed(self, buffer):
        cdef lf_problem problem
        cdef Py_buffer data
        self._view()
        PyObject_GetBuffer(buffer, &data, PyBUF_SIMPLE)
        self.committing = True
        try:
            with nogil:
                problem = self._commit(data.buf, data.len)
        finally:
            self.committing = False
            PyBuffer_Release(&data)
        if problem.error != LF_OK:
            raise _refusal(buffer, problem)

    def lookup(self, address, uint32_t iid=0):
        cdef lf_address wanted
        cdef lf_match match
        _put_address(&wanted, address)
        match = lf_table_lookup(self._view(), iid, &wanted)
        return None if match.prefix == NULL else (_get_prefix(&match.prefix.key), _get_verdict(&match))

    def lookup_many(self, addresses, int family, uint32_t iid=0):
        cdef Py_buffer data
        cdef lf_view view = self._view()
        cdef bytearray values
        cdef size_t count
        if family not in (4, 6):
            raise ValueError(f"no family: {family}")
        PyObject_GetBuffer(addresses, &data, PyBUF_SIMPLE)
        try:
            if data.len % (4 if family == 4 else 16):
                raise ValueError(f"{data.len} bytes are no IPv{family} addresses")
            count = data.len // (4 if family == 4 else 16)
            values = bytearray(4 * count)
            _find(view, iid, family == 6, <const uint8_t *>data.buf, <uint8_t *><char *>values, count)
        finally:
            PyBuffer_Release(&data)
        return memoryview(values).cast("I")

    def prefix(self, uint32_t value):
        cdef const lf_prefix *prefix
        if value == 0 or value >= self._view().table.prefixes.fresh:
            return None
        prefix = lf_table_prefix(self.table, value)
        return _get_prefix(&prefix.key) if lf_prefix_stands(prefix) else None

    def usage(self, uint64_t since_ms=0):
        cdef lf_usage_row rows[_SLICE]
        cdef uint32_t place = 0
        cdef uint64_t now = lf_engine_now_ms()
        cdef size_t some = _SLICE
        cdef dict uses = {}
        self._view()
        while some == _SLICE:
            some = lf_table_usage(self.table, since_ms, &place, rows, _SLICE)
            for i in range(some):
                uses[_get_prefix(&rows[i].key)] = _get_use(&rows[i].use, now)
        return uses

    def left(self):
        cdef lf_use use
        self._view()
        use = lf_table_left(self.table)
        return _get_use(&use, lf_engine_now_ms())

    def rows(self, uint32_t start, size_t room):
        cdef lf_row slice_[_SLICE]
        cdef lf_use use
        cdef size_t some = 0, wanted = 0
        cdef uint64_t now = lf_engine_now_ms()
        cdef list rows = []
        self._view()
        while room and some == wanted:
            wanted = min(room, <size_t>_SLICE)
            some = lf_table_walk(self.table, &start, slice_, wanted)
            room -= some
            for i in range(some):
                use = lf_table_use(self.table, slice_[i].match.prefix)
                prefix = _get_prefix(&slice_[i].match.prefix.key)
                rows.append((slice_[i].value, prefix, _get_verdict(&slice_[i].match), _get_use(&use, now)))
        return rows, start

    def local(self):
        cdef const lf_locals *own = lf_table_locals(self._view())
        cdef const lf_local *one
        cdef list local = []
        if own != NULL:
            for i in range(own.count):
                one = &own.local[i]
                network = (IPv4Network if one.network.family == 4 else IPv6Network)((
                    _get_address(&one.network), one.length
                ))
                local.append(LocalPrefix(EidPrefix(network, one.iid), one.version))
        return tuple(local)

    def sources(self):
        cdef const lf_source *source
        cdef list sources = []
        for slot in range(SOURCE_SLOTS):
            source = lf_table_source(self._view(), slot)
            if source != NULL:
                sources.append(SourceRloc(slot, _get_address(&source.address), source.ifindex))
        return tuple(sources)


cdef class Table(_Table):
    """A table of its own."""

    def __cinit__(self, unsigned workers=1):
        if not 0 < workers <= LF_READERS_MAX:
            raise ValueError(f"1 to {LF_READERS_MAX} workers, not {workers}")
        self.table = lf_table_new(workers, int.from_bytes(os.urandom(8), "little"))
        if self.table == NULL:
            raise MemoryError

    def __dealloc__(self):
        with nogil:
            lf_table_free(self.table)


cdef class Engine(_Table):
    """The `tun` backend. It owns the C engine; the TUN descriptors stay the caller's, open until stop()."""

    cdef lf_engine *engine
    cdef lf_options options
    cdef set plain  # the interfaces that took no runs

    def __cinit__(
        self, tun_fds, *, int port=4341, int vxlan_port=0, forwarding=None, bint hints=False, bint native=False,
        bint framed=False,
    ):
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
        self.options.hints = hints
        self.options.native = native
        self.options.framed = framed
        self.plain = set()
        self.engine = lf_engine_new(fds, len(tun_fds), &self.options)
        if self.engine == NULL:
            raise MemoryError
        self.table = lf_engine_table(self.engine)

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

    cdef lf_problem _commit(self, const void *buffer, size_t length) noexcept nogil:
        return lf_engine_commit_packed(self.engine, buffer, length)

    def settled(self):
        return <bint>lf_table_settled(self.table)

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
            elif punt.kind == LF_PUNT_UNREACHABLE:
                punts.append(Unreachable(_get_address(&punt.destination)))
            elif punt.kind == LF_PUNT_HEADER:
                punts.append(_get_hint(&punt))
            else:
                punts.append(NoSegmentation(punt.value))
                self.plain.add(punt.value)
        return punts

    def traffic(self, uint64_t since=0):
        cdef uint64_t reading = lf_engine_now_ms()
        # What a worker still saw at the last commit would wait for the next one, and the counters of what left with it.
        lf_table_reclaim(self.table)
        return Traffic(self.usage(since - _OVERLAP_MS if since > _OVERLAP_MS else 0), self._outer_sources(), reading)

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
        description["native"] = "on" if self.options.native else "off"
        description["tun"] = "lost" if lf_engine_tun_lost(self.engine) else "open"
        description.update(_describe_offloads(&self.options, &features, self.plain))
        if lf_engine_workers(self.engine) > 1:
            description["steering"] = "by flow" if features.steered else (
                f"the kernel's own ({os.strerror(features.steer_error)})"
            )
        return description
