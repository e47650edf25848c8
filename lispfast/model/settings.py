"""What lispd.conf says, once read and checked: the only form in which other rooms see the configuration."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from lispfast.model.addresses import Address, EidPrefix
from lispfast.model.encapsulation import Encapsulation
from lispfast.model.mapping import Hop, Mapping
from lispfast.model.units import Minutes, Seconds

DEFAULT_TTL = Minutes(10)
"""Record TTL where a database-mapping names none, as Open Overlay Router has it."""


class Mode(StrEnum):
    """The role of the daemon."""

    MN = "MN"
    XTR = "xTR"
    MS = "MS"


class Profile(StrEnum):
    """Where the node is used (RFC 9300 section 4.1, RFC 9301 section 1.1): the Internet forbids what a site may do."""

    PUBLIC = "public"
    PRIVATE = "private"


class TunnelRoutes(StrEnum):
    """How lmn0 attracts the host's traffic: its own default route, or two halves beside the physical one."""

    DEFAULT = "default"
    HALVES = "halves"


class KeyType(StrEnum):
    """The authentication of a Map-Register, by its Algorithm ID (RFC 9301 section 12.5)."""

    NONE = "0"
    HMAC_SHA1 = "1"
    HMAC_SHA256 = "2"
    HKDF_SHA256 = "3"


@dataclass(frozen=True, slots=True)
class Hkdf:
    """What RFC 9301 leaves open of algorithm 3: HKDF's `info`, and how many bytes of the MAC are sent (16 or 32)."""

    info: bytes = b""
    mac_length: int = 32


@dataclass(frozen=True, slots=True)
class Key:
    """A shared secret; its text never shows in a repr. `hkdf` counts for HKDF_SHA256 alone."""

    secret: bytes
    algorithm: KeyType
    key_id: int = 0
    hkdf: Hkdf = Hkdf()

    def __repr__(self) -> str:
        return f"Key(algorithm={self.algorithm.name}, key_id={self.key_id}, secret=***)"


@dataclass(frozen=True, slots=True)
class MapServerSettings:
    """A Map-Server to register with: `key` signs, `other_keys` are accepted beside it while keys are rolled over."""

    address: Address
    key: Key
    proxy_reply: bool = False
    other_keys: tuple[Key, ...] = ()

    @property
    def keys(self) -> tuple[Key, ...]:
        """Every key that a message from there may be signed with."""
        return (self.key, *self.other_keys)


@dataclass(frozen=True, slots=True)
class InterfaceLocator:
    """A locator of a database-mapping: whatever address of the family the interface has."""

    interface: str
    version: int
    priority: int = 1
    weight: int = 100


@dataclass(frozen=True, slots=True)
class AddressLocator:
    """A locator of a database-mapping given as an address; `local` False is somebody else's (proxy-reply only).

    `path` is an explicit locator path: `address` is its first hop and our own RLOC the last; empty without one.
    """

    address: Address
    priority: int = 1
    weight: int = 100
    local: bool = True
    path: tuple[Hop, ...] = ()

    @property
    def rloc(self) -> Address:
        """The RLOC of the node that packets end at: the last hop of a path."""
        return self.path[-1].address if self.path else self.address


@dataclass(frozen=True, slots=True)
class DatabaseMapping:
    """An EID-prefix of ours and where it is reached; `version` is its Map-Version, 0 for none (RFC 9302 section 3)."""

    prefix: EidPrefix
    locators: tuple[InterfaceLocator | AddressLocator, ...]
    ttl: Minutes = DEFAULT_TTL
    version: int = 0


@dataclass(frozen=True, slots=True)
class ProxyEtr:
    """Where natively-forward traffic goes; `versions` are the families of EID that it takes."""

    address: Address
    priority: int = 1
    weight: int = 100
    versions: tuple[int, ...] = (4, 6)
    encapsulation: Encapsulation | None = None


@dataclass(frozen=True, slots=True)
class Site:
    """A lisp-site of a Map-Server: who may register what, with `key` or one of `other_keys`."""

    prefix: EidPrefix
    key: Key
    accept_more_specifics: bool = False
    proxy_reply: bool = False
    other_keys: tuple[Key, ...] = ()

    @property
    def keys(self) -> tuple[Key, ...]:
        """Every key that its messages may be signed with."""
        return (self.key, *self.other_keys)


@dataclass(frozen=True, slots=True)
class Probing:
    """RLOC-probing; an interval of 0 turns it off."""

    interval: Seconds = Seconds(30)
    retries: int = 2
    retry_interval: Seconds = Seconds(5)


class Use(StrEnum):
    """Whether a protection is used: not, where the other side has it too, or no answer is taken without it."""

    OFF = "off"
    ON = "on"
    REQUIRED = "required"


@dataclass(frozen=True, slots=True)
class LispSec:
    """LISP-SEC (RFC 9303). `keys` are shared between ITRs and the Map-Resolver, by Key ID; an ITR wraps with the first.

    They are others than the keys of Map-Registers (section 5.8). Without one there is nothing to wrap with.
    """

    use: Use = Use.OFF
    keys: tuple[Key, ...] = ()


@dataclass(frozen=True, slots=True)
class Admitted:
    """An xTR-ID, 16 bytes, that may subscribe to this EID-prefix and what lies in it; None for every EID-prefix."""

    xtr_id: bytes
    prefix: EidPrefix | None = None


@dataclass(frozen=True, slots=True)
class PubSub:
    """PubSub (RFC 9437): `subscribe` to mappings in use; `keys` are shared with the Map-Server, the first signs.

    On a Map-Server `subscribe` says whether subscriptions are accepted, and `limit` how many of one xTR-ID; `admitted`
    whose, where it is not empty.
    """

    subscribe: bool = False
    keys: tuple[Key, ...] = ()
    limit: int = 1000
    admitted: tuple[Admitted, ...] = ()


@dataclass(frozen=True, slots=True)
class Hints:
    """What the LISP header says of mappings: in the private profile alone (RFC 9300 sections 4.1, 10, 13, RFC 9302)."""

    echo_nonce: bool = False
    map_versioning: bool = False
    status_bits: bool = False

    @property
    def any(self) -> bool:
        """Whether the data plane has to look at them at all."""
        return self.echo_nonce or self.map_versioning or self.status_bits


class UdpChecksum(StrEnum):
    """The outer UDP checksum: none where the kernel lets us leave it out, never, or always (RFC 9300 section 5.3)."""

    AUTO = "auto"
    ZERO = "zero"
    ON = "on"


@dataclass(frozen=True, slots=True)
class Forwarding:
    """How the data plane works.

    `offload` False takes one packet a system call; `workers` 0 chooses by the number of cores; `source_ports` is how
    many outer UDP source ports carry the flows, 1 means 4341; `mss_clamp` lowers the MSS of TCP SYNs to what the tunnel
    takes; `encapsulation` is the form of every locator that names none itself, LISP or VXLAN-GPE.
    """

    offload: bool = True
    workers: int = 0
    source_ports: int = 16
    udp_checksum: UdpChecksum = UdpChecksum.AUTO
    mss_clamp: bool = False
    encapsulation: Encapsulation = Encapsulation.LISP


@dataclass(frozen=True, slots=True)
class Settings:
    """A whole configuration.

    `xtr_id` are 16 bytes and `site_id` 8 (RFC 9301 section 5.6); `allowed_destinations` are the EID-prefixes that use
    LISP, none for all; `native_forward` sends what is no EID outside of LISP; `rloc_lookup` asks whether an RLOC is an
    EID of a visited site.
    """

    mode: Mode
    map_servers: tuple[MapServerSettings, ...] = ()
    map_resolvers: tuple[Address, ...] = ()
    database: tuple[DatabaseMapping, ...] = ()
    proxy_etrs: tuple[ProxyEtr, ...] = ()
    proxy_itrs: tuple[Address, ...] = ()
    static_map_cache: tuple[Mapping, ...] = ()
    sites: tuple[Site, ...] = ()
    static_registrations: tuple[Mapping, ...] = ()
    probing: Probing = Probing()
    map_request_retries: int = 2
    tunnel_routes: TunnelRoutes = TunnelRoutes.DEFAULT
    forwarding: Forwarding = Forwarding()
    profile: Profile = Profile.PUBLIC
    hints: Hints = Hints()
    lisp_sec: LispSec = LispSec()
    pubsub: PubSub = PubSub()
    xtr_id: bytes | None = None
    site_id: bytes = bytes(8)
    allowed_destinations: tuple[EidPrefix, ...] = ()
    native_forward: bool = False
    rloc_lookup: bool = True
    map_cache_size: int = 10_000
    debug: int = 0
    state_dir: str | None = None
    control_socket: str | None = None

    @property
    def header_hints(self) -> Hints:
        """The hints in force: none on the public Internet, whatever was asked for."""
        return self.hints if self.profile is Profile.PRIVATE else Hints()

    @property
    def encapsulations(self) -> frozenset[Encapsulation]:
        """Every form that packets are sent in to somebody, and so may come back in."""
        named = [locator.encapsulation for mapping in self.static_map_cache for locator in mapping.locators]
        named += [proxy.encapsulation for proxy in self.proxy_etrs]
        return frozenset(form or self.forwarding.encapsulation for form in (None, *named))

    @property
    def interfaces(self) -> tuple[str, ...]:
        """The physical interfaces that the database-mappings name, in their order, each once."""
        names = [loc.interface for m in self.database for loc in m.locators if isinstance(loc, InterfaceLocator)]
        return tuple(dict.fromkeys(names))
