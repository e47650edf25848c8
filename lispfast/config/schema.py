"""Every key of every release in one table: LISPmob 0.1.0 to 0.5.1, Open Overlay Router 1.0.0 to 1.3.0, and our own.

A row says what a key holds, what is in force when it is absent, and whether lispfast heeds it. Rows with `supported`
False keep old files working: the key is known, and a warning says that it does nothing. `first` is the release that
brought the key; a few stand in no release's example but were read by its parser.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum
from functools import cache

from lispfast.model.encapsulation import Encapsulation
from lispfast.model.settings import DEFAULT_TTL, KeyType, Mode, Probing, Settings, TunnelRoutes, UdpChecksum


class Kind(Enum):
    """What a key holds; the value is how a message asks for it."""

    ADDRESS = "an address"
    PREFIX = "an EID-prefix"
    NUMBER = "a number"
    COUNT = "auto or a number"
    FLAG = "on or off"
    CHOICE = "one of its words"
    TEXT = "a text"
    SECRET = "a password"
    INTERFACE = "an interface name"
    PATH = "an absolute path"
    SECTION = "a section"


@dataclass(frozen=True, slots=True)
class Option:
    """One key. `many`: a list, or given more than once; `low` and `high`: its range; `inside`: the rows of a section.

    `default` is the value in force where the key is absent, None where there is none. `instead` says, for a key that is
    not supported, what to do about it. `reloadable` False needs a restart to change.
    """

    name: str
    kind: Kind
    doc: str
    first: str
    default: str | int | bool | None = None
    low: int = 0
    high: int = 255
    choices: tuple[str, ...] = ()
    many: bool = False
    required: bool = False
    supported: bool = True
    reloadable: bool = True
    inside: str = ""
    instead: str = ""


# From the RFCs.
MAX_INSTANCE_ID = 0xFFFFFF  # RFC 9300 section 8: 24 bits

# Ours.
OURS = "lispfast 0.1"
DEFAULT_PRIORITY = 1  # as every release's example has it
DEFAULT_WEIGHT = 100  # likewise
MAX_TTL = 0x7FFFFFFF  # a peer implementation takes the topmost bit of a record TTL for "in seconds"
MAX_RETRIES = 10  # one every 2 s: nobody waits longer for a first packet
MAX_PROBE_RETRIES = 5  # as every release has it
MAX_INTERVAL = 86400  # a day, in seconds
MAX_WORKERS = 64  # as many readers as the data plane's table has; a core each, and nobody has more for this
MAX_SOURCE_PORTS = 64  # sockets of one worker and family; more flows than that share ports without harm
AUTO = "auto"

KEY_TYPES = {
    "none": KeyType.NONE,
    "1": KeyType.HMAC_SHA1,
    "hmac-sha-1": KeyType.HMAC_SHA1,
    "hmac-sha-1-96": KeyType.HMAC_SHA1,
    "2": KeyType.HMAC_SHA256,
    "hmac-sha-256": KeyType.HMAC_SHA256,
    "hmac-sha-256-128": KeyType.HMAC_SHA256,
    "3": KeyType.HKDF_SHA256,
    "hmac-sha-256-hkdf": KeyType.HKDF_SHA256,
}
DEBUG_LEVELS = {"off": 0, "false": 0, "no": 0, "on": 1, "true": 1, "yes": 1, "0": 0, "1": 1, "2": 2, "3": 3}

OWN_FORMS = (Encapsulation.LISP, Encapsulation.VXLAN_GPE)
"""What a node may send to everybody: LISP-GPE goes only where it is known to be taken (RFC 9305 section 5)."""

WRONG_PLACE = {"encapsulation": "of one locator: in proxy-etr, or in the rloc-address of static-map-cache"}
"""Where a key belongs that would be a mistake of another kind than a missing brace."""

_MN = Settings(Mode.MN)
_SENT = _MN.forwarding
_PROBING = Probing()


def _word(name: str, doc: str, first: str, default: str | None, choices: Iterable[str]) -> Option:
    return Option(name, Kind.CHOICE, doc, first, default, choices=tuple(choices))


def _row(name: str, kind: Kind, doc: str, first: str, default: str | int | bool | None = None) -> Option:
    return Option(name, kind, doc, first, default)


def _number(name: str, doc: str, first: str, default: int | None, low: int = 0, high: int = 255) -> Option:
    return Option(name, Kind.NUMBER, doc, first, default, low, high)


def _needed(name: str, kind: Kind, doc: str, first: str) -> Option:
    return Option(name, kind, doc, first, required=True)


def _section(name: str, doc: str, first: str, inside: str = "") -> Option:
    return Option(name, Kind.SECTION, doc, first, many=True, inside=inside or name)


def _ignored(name: str, kind: Kind, doc: str, first: str, instead: str = "") -> Option:
    many = kind is Kind.SECTION
    return Option(name, kind, doc, first, many=many, supported=False, inside=name if many else "", instead=instead)


def _list(row: Option) -> Option:
    return replace(row, many=True)


def _fixed(row: Option) -> Option:
    return replace(row, reloadable=False)


_ADDRESS = _needed("address", Kind.ADDRESS, "Its IPv4 or IPv6 address.", "0.1.0")
_PREFIX = _needed("eid-prefix", Kind.PREFIX, "The EID-prefix, address/length.", "0.1.0")
_IID = _number("iid", "The instance-ID of the EID-prefix.", "0.2.4", 0, 0, MAX_INSTANCE_ID)
_TTL = _number("ttl", "Minutes that others may keep the mapping.", "1.2.1", int(DEFAULT_TTL), 1, MAX_TTL)
_PRIORITY = _number("priority", "The lowest is used; 255 is never used.", "0.1.0", DEFAULT_PRIORITY)
_WEIGHT = _number("weight", "The share of traffic among equal priorities.", "0.1.0", DEFAULT_WEIGHT)
_KEY_TYPE = _word(
    "key-type", "1 or hmac-sha-1, 2 or hmac-sha-256, 3 or hmac-sha-256-hkdf, or none.", "0.1.0", "1", KEY_TYPES
)
_KEY = _row("key", Kind.SECRET, "The password shared with the other side; key-type none has none.", "0.1.0")
_KEY_ID = _number("key-id", "The Key ID that goes with the key.", OURS, 0)
_IP_VERSION = _word("ip_version", "4 or 6: which address of the interface.", "0.5.0", "4", ("4", "6"))
_RLOC_ADDRESS = _section("rloc-address", "A locator given as an address.", "0.5.0")
_CACHED_RLOC = _section("rloc-address", "A locator.", "0.5.0", "static-map-cache rloc-address")
_LOCAL = _row("local", Kind.FLAG, "off: another node's RLOC; needs proxy-reply.", "1.3.0", True)
_FORM = _word("encapsulation", "The form of packets to it, where not the node's own.", OURS, None, Encapsulation)

_SITE_ID = "the xTR-ID and Site-ID come with NAT traversal"
_LATER = "remove it"
_DDT = "name a Map-Resolver instead"
_RTR = "a re-encapsulating tunnel router is not supported yet"

SCHEMA: dict[str, tuple[Option, ...]] = {
    "": (
        _fixed(
            _word(
                "operating-mode",
                "MN: a mobile node. MS: a Map-Server and Map-Resolver.",
                "0.5.0",
                None,
                (Mode.MN, Mode.MS),
            )
        ),
        _fixed(_row("router-mode", Kind.FLAG, "off: a mobile node; on, a tunnel router, is not there yet.", "0.4.0")),
        _word("debug", "How much to log, 0 to 3; off is 0, on is 1.", "0.1.0", str(_MN.debug), DEBUG_LEVELS),
        _number(
            "map-request-retries",
            "How many Map-Requests follow one that got no answer.",
            "0.1.0",
            _MN.map_request_retries,
            0,
            MAX_RETRIES,
        ),
        _fixed(
            _word("encapsulation", "LISP on UDP 4341 or VXLAN-GPE on 4790.", "1.0.0", _SENT.encapsulation, OWN_FORMS)
        ),
        _fixed(_row("offload", Kind.FLAG, "Many packets in one system call.", OURS, _SENT.offload)),
        _fixed(Option("workers", Kind.COUNT, "Threads that forward, or auto.", OURS, AUTO, 1, MAX_WORKERS)),
        _fixed(_number("source-ports", "Outer UDP ones.", OURS, _SENT.source_ports, 1, MAX_SOURCE_PORTS)),
        _fixed(_word("udp-checksum", "The outer one: auto, zero or on.", OURS, _SENT.udp_checksum, UdpChecksum)),
        _fixed(_row("mss-clamp", Kind.FLAG, "Lower the MSS of TCP to what fits the tunnel.", OURS, _SENT.mss_clamp)),
        _fixed(
            _word("tunnel-routes", "default, or halves: 0/1 and 128/1.", OURS, _MN.tunnel_routes.value, TunnelRoutes)
        ),
        _fixed(_row("state-dir", Kind.PATH, "Where the daemon keeps what must survive a restart.", OURS)),
        _fixed(_row("control-socket", Kind.PATH, "The unix socket that lispctl talks to.", OURS)),
        _list(_row("map-resolver", Kind.ADDRESS, "Where Map-Requests go; several are tried in turn.", "0.1.0")),
        _list(_row("proxy-itrs", Kind.ADDRESS, "Proxy-ITRs: told of each move by an SMR.", "0.1.0")),
        _section("map-server", "Where Map-Registers go; each one is registered with.", "0.1.0"),
        _section("database-mapping", "An EID of ours and where it is reached.", "0.1.0"),
        _section("static-map-cache", "A mapping that is not asked for.", "0.1.0"),
        _section("proxy-etr", "Where packets for the rest of the Internet go.", "0.1.0"),
        _section("proxy-etr-ipv4", "The same for IPv4 EIDs alone.", "1.2.0", "proxy-etr"),
        _section("proxy-etr-ipv6", "The same for IPv6 EIDs alone.", "1.2.0", "proxy-etr"),
        replace(_section("rloc-probing", "How locators are probed.", "0.3.3"), many=False),
        _section("lisp-site", "MS: who may register what.", "0.5.0"),
        _section("ms-static-registered-site", "MS: a mapping that counts as registered.", "0.5.0"),
        _ignored("log-file", Kind.PATH, "Where a daemon logs.", "0.4.1", "the log goes to standard error"),
        _ignored("ipv6-scope", Kind.CHOICE, "Scope of IPv6 locators.", "1.2.1", "locators are of global scope"),
        _ignored("control-iface", Kind.INTERFACE, "MS: the interface for control messages.", "0.5.0", "all are used"),
        _ignored("control-port", Kind.NUMBER, "Another control port.", "0.2.4", "the port is 4342"),
        _ignored("rloc-probing-interval", Kind.NUMBER, "", "0.3.2", "use rloc-probing { rloc-probe-interval = ... }"),
        _list(_ignored("allowed-dst-eids", Kind.PREFIX, "Destinations that use LISP.", "1.3.0", "every EID does")),
        _ignored("nat_traversal_support", Kind.FLAG, "NAT traversal.", "1.1.1", "the host needs a public RLOC"),
        _ignored("nat-traversal", Kind.SECTION, "NAT traversal.", "0.3.3", "the host needs a public RLOC"),
        _ignored("ddt-client", Kind.FLAG, "Asking the DDT hierarchy.", "0.4.0", _DDT),
        _ignored("ddt-root-node", Kind.SECTION, "A DDT root.", "0.4.0", _DDT),
        _list(_ignored("ddt-root-addresses", Kind.ADDRESS, "The DDT roots.", "1.2.1", _DDT)),
        _ignored("ddt-auth-site", Kind.SECTION, "DDT: what the node answers for.", "1.2.1", _LATER),
        _ignored("ddt-deleg-site", Kind.SECTION, "DDT: a delegation.", "1.2.1", _LATER),
        _ignored("rtr-ifaces", Kind.SECTION, "RTR: its interfaces.", "0.5.0", _RTR),
        _ignored("rtr-ms-node", Kind.SECTION, "RTR: a Map-Server it works with.", "1.2.1", _RTR),
        _ignored("rtr-data-iface", Kind.INTERFACE, "RTR: its interface.", "0.5.0", _RTR),
        replace(_ignored("rtr-database-mapping", Kind.SECTION, "RTR.", "0.5.0", _RTR), inside="database-mapping"),
        _ignored("ms-rtr-node", Kind.SECTION, "MS: an RTR.", "1.2.1", _RTR),
        _ignored("ms-rtrs-set", Kind.SECTION, "MS: RTRs under a name.", "1.2.1", _RTR),
        _ignored("ms-advertised-rtrs-set", Kind.TEXT, "MS: RTRs told to nodes.", "1.2.1", _RTR),
        _ignored("explicit-locator-path", Kind.SECTION, "A path over several RLOCs.", "0.5.0", _LATER),
        _ignored("replication-list", Kind.SECTION, "Multicast replication.", "0.5.0", _LATER),
        _ignored("multicast-info", Kind.SECTION, "Multicast.", "0.5.0", _LATER),
        _ignored("override-dns", Kind.FLAG, "Android: other name servers.", "0.4.0", _LATER),
        _ignored("override-dns-primary", Kind.ADDRESS, "Android.", "0.4.0", _LATER),
        _ignored("override-dns-secondary", Kind.ADDRESS, "Android.", "0.4.0", _LATER),
    ),
    "map-server": (
        _ADDRESS,
        _KEY_TYPE,
        _KEY,
        _KEY_ID,
        _row("proxy-reply", Kind.FLAG, "Ask it to answer Map-Requests for us.", "0.1.0", False),
        _ignored("verify", Kind.FLAG, "Ask for our own EID after registering.", "0.1.0", "the Map-Notify tells"),
    ),
    "database-mapping": (
        _PREFIX,
        _IID,
        _TTL,
        _section("rloc-iface", "A locator: the address an interface has.", "0.5.0"),
        _RLOC_ADDRESS,
        _row("interface", Kind.INTERFACE, "A locator of each family: an interface (early form).", "0.1.0"),
        replace(_PRIORITY, doc="Early form: of both families."),
        replace(_WEIGHT, doc="Early form: of both families."),
        _number("priority_v4", "Early form: of the IPv4 locator; -1 leaves it out.", "0.3.0", None, -1),
        _number("weight_v4", "Early form: of the IPv4 locator.", "0.3.0", None),
        _number("priority_v6", "Early form: of the IPv6 locator; -1 leaves it out.", "0.3.0", None, -1),
        _number("weight_v6", "Early form: of the IPv6 locator.", "0.3.0", None),
    ),
    "rloc-iface": (
        _needed("interface", Kind.INTERFACE, "The interface.", "0.5.0"),
        _IP_VERSION,
        _PRIORITY,
        _WEIGHT,
    ),
    "rloc-address": (
        _ADDRESS,
        _PRIORITY,
        _WEIGHT,
        _LOCAL,
    ),
    "static-map-cache rloc-address": (_ADDRESS, _PRIORITY, _WEIGHT, _LOCAL, _FORM),
    "static-map-cache": (
        _PREFIX,
        _IID,
        _CACHED_RLOC,
        _row("rloc", Kind.ADDRESS, "Its one locator (early form).", "0.1.0"),
        replace(_PRIORITY, doc="Early form: of rloc."),
        replace(_WEIGHT, doc="Early form: of rloc."),
        replace(_FORM, doc="Early form: of rloc."),
    ),
    "proxy-etr": (_ADDRESS, _PRIORITY, _WEIGHT, _FORM),
    "rloc-probing": (
        _number(
            "rloc-probe-interval", "Seconds; 0 turns probing off.", "0.3.3", int(_PROBING.interval), 0, MAX_INTERVAL
        ),
        _number("rloc-probe-retries", "Before a locator is down.", "0.3.3", _PROBING.retries, 0, MAX_PROBE_RETRIES),
        _number(
            "rloc-probe-retries-interval",
            "Seconds, at most rloc-probe-interval.",
            "0.3.3",
            int(_PROBING.retry_interval),
            1,
            MAX_INTERVAL,
        ),
    ),
    "lisp-site": (
        _PREFIX,
        _IID,
        _KEY_TYPE,
        _KEY,
        _KEY_ID,
        _row("accept-more-specifics", Kind.FLAG, "Prefixes inside eid-prefix too.", "0.5.0", False),
        _row("proxy-reply", Kind.FLAG, "Answer for the site whatever it registers.", "1.3.0", False),
        _ignored("merge", Kind.FLAG, "Merged registrations.", "0.5.0", "registrations are not merged"),
        _ignored("ddt-ms-peers-complete", Kind.FLAG, "DDT.", "1.3.0", _LATER),
        _list(_ignored("ddt-ms-peers", Kind.ADDRESS, "DDT.", "1.3.0", _LATER)),
    ),
    "ms-static-registered-site": (_PREFIX, _IID, _TTL, _RLOC_ADDRESS),
    "nat-traversal": (
        _ignored("nat_aware", Kind.FLAG, "", "0.3.3"),
        _ignored("site_id", Kind.TEXT, "", "0.3.3", _SITE_ID),
        _ignored("xtr_id", Kind.TEXT, "", "0.3.3", _SITE_ID),
    ),
    "ddt-root-node": (_ADDRESS, _PRIORITY, _WEIGHT),
    "ddt-auth-site": (_PREFIX, _IID),
    "ddt-deleg-site": (
        _PREFIX,
        _IID,
        _ignored("delegation-type", Kind.CHOICE, "", "1.2.1"),
        _list(_ignored("deleg-nodes", Kind.ADDRESS, "", "1.2.1")),
    ),
    "rtr-ifaces": (_section("rtr-iface", "", "0.5.0"),),
    "rtr-iface": (
        _needed("iface", Kind.INTERFACE, "", "0.5.0"),
        _IP_VERSION,
        _PRIORITY,
        _WEIGHT,
    ),
    "rtr-ms-node": (_ADDRESS, _KEY, _ignored("draft-version", Kind.CHOICE, "", "1.2.1")),
    "ms-rtr-node": (_needed("name", Kind.TEXT, "", "1.2.1"), _ADDRESS, _KEY),
    "ms-rtrs-set": (
        _needed("name", Kind.TEXT, "", "1.2.1"),
        _number("ttl", "", "1.2.1", 1440, 1, MAX_TTL),
        _list(_row("rtrs", Kind.TEXT, "", "1.2.1")),
    ),
    "explicit-locator-path": (_row("elp-name", Kind.TEXT, "", "0.5.0"), _section("elp-node", "", "0.5.0")),
    "elp-node": (
        _ADDRESS,
        _row("strict", Kind.FLAG, "", "0.5.0"),
        _row("probe", Kind.FLAG, "", "0.5.0"),
        _row("lookup", Kind.FLAG, "", "0.5.0"),
    ),
    "replication-list": (_row("rle-name", Kind.TEXT, "", "0.5.0"), _section("rle-node", "", "0.5.0")),
    "rle-node": (_ADDRESS, _number("level", "", "0.5.0", 0)),
    "multicast-info": (
        _row("mc-info-name", Kind.TEXT, "", "0.5.0"),
        _row("source", Kind.ADDRESS, "", "0.5.0"),
        _number("source-mask-length", "", "0.5.0", 0),
        _row("group", Kind.ADDRESS, "", "0.5.0"),
        _number("group-mask-length", "", "0.5.0", 0),
        _IID,
    ),
}


@cache
def options(section: str) -> dict[str, Option]:
    """The rows of a section by key; the section is named by `Option.inside`, the whole file is ""."""
    return {option.name: option for option in SCHEMA[section]}
