"""Every key of every release in one table: LISPmob 0.1.0 to 0.5.1, Open Overlay Router 1.0.0 to 1.3.0, and our own.

A row says what a key holds, what is in force when it is absent, and whether lispfast heeds it. Rows with `supported`
False keep old files working: the key is known, and a warning says that it does nothing. `first` is the release that
brought the key; a few stand in no release's example but were read by its parser.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from lispfast.config.rows import Kind, Option, digits, fixed, ignored, listed, needed, number, row, section, word
from lispfast.model.encapsulation import Encapsulation
from lispfast.model.settings import (
    DEFAULT_TTL,
    Hkdf,
    KeyType,
    Mode,
    Probing,
    Profile,
    Settings,
    TunnelRoutes,
    UdpChecksum,
    Use,
)

# From the RFCs.
MAX_INSTANCE_ID = 0xFFFFFF  # RFC 9300 section 8: 24 bits
MAX_VERSION = 4095  # RFC 9302 section 6: 12 bits, of which 0 means no version
XTR_ID_DIGITS = 32  # RFC 9301 section 5.6: 128 bits
SITE_ID_DIGITS = 16  # likewise: 64 bits
MAC_LENGTHS = ("16", "32")  # RFC 9301 section 12.5 names the truncated MAC, implementations send the whole one

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
MIN_MAP_CACHE = 100  # the peers of a quiet host; fewer would evict what is in use
MAX_MAP_CACHE = 10_000_000  # as far as the table of the data plane was measured
MAX_SUBSCRIPTIONS = 1_000_000  # of one xTR-ID; each costs the Map-Server some hundred bytes
AUTO = "auto"

MASKED_KEY = "***"  # what --print-config shows in place of a password

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
_HINTS = _MN.hints
_SENT = _MN.forwarding
_PROBING = Probing()


_ADDRESS = needed("address", Kind.ADDRESS, "Its IPv4 or IPv6 address.", "0.1.0")
_PREFIX = needed("eid-prefix", Kind.PREFIX, "The EID-prefix, address/length.", "0.1.0")
_IID = number("iid", "The instance-ID of the EID-prefix.", "0.2.4", 0, 0, MAX_INSTANCE_ID)
_TTL = number("ttl", "Minutes that others may keep the mapping.", "1.2.1", int(DEFAULT_TTL), 1, MAX_TTL)
_PRIORITY = number("priority", "The lowest is used; 255 is never used.", "0.1.0", DEFAULT_PRIORITY)
_WEIGHT = number("weight", "The share of traffic among equal priorities.", "0.1.0", DEFAULT_WEIGHT)
_KEY_TYPE = word(
    "key-type", "1 or hmac-sha-1, 2 or hmac-sha-256, 3 or hmac-sha-256-hkdf, or none.", "0.1.0", "1", KEY_TYPES
)
_KEY = row("key", Kind.SECRET, "The password shared with the other side; key-type none has none.", "0.1.0")
_KEY_ID = number("key-id", "The Key ID that goes with the key.", OURS, 0)
_KEY_ROWS = (
    _KEY_TYPE,
    _KEY,
    _KEY_ID,
    row("hkdf-info", Kind.TEXT, "key-type 3, experimental: the info of HKDF.", OURS, ""),
    word("mac-length", "key-type 3, experimental: bytes of the MAC sent.", OURS, str(Hkdf().mac_length), MAC_LENGTHS),
)
_OTHER_KEY = section("other-key", "A key that is accepted beside the first while keys are changed.", OURS)
_IP_VERSION = word("ip_version", "4 or 6: which address of the interface.", "0.5.0", "4", ("4", "6"))
_LOCATOR = needed("address", Kind.LOCATOR, "Its address, or the elp-name of an explicit-locator-path.", "0.5.0")
_RLOC_ADDRESS = section("rloc-address", "A locator given as an address or a path.", "0.5.0")
_CACHED_RLOC = section("rloc-address", "A locator.", "0.5.0", "static-map-cache rloc-address")
_LOCAL = row("local", Kind.FLAG, "off: another node's RLOC; needs proxy-reply.", "1.3.0", True)
_FORM = word("encapsulation", "The form of packets to it, where not the node's own.", OURS, None, Encapsulation)

_LATER = "remove it"
_DDT = "name a Map-Resolver instead"
_RTR = "a re-encapsulating tunnel router is not supported yet"

SCHEMA: dict[str, tuple[Option, ...]] = {
    "": (
        fixed(
            word(
                "operating-mode",
                "MN: a mobile node. xTR: a tunnel router. MS: a Map-Server and Map-Resolver.",
                "0.5.0",
                None,
                Mode,
            )
        ),
        fixed(row("router-mode", Kind.FLAG, "off: a mobile node. on: an xTR.", "0.4.0")),
        fixed(word("profile", "Where the node is used: public or private.", OURS, _MN.profile.value, Profile)),
        word("debug", "How much to log, 0 to 3; off is 0, on is 1.", "0.1.0", str(_MN.debug), DEBUG_LEVELS),
        number(
            "map-request-retries",
            "How many Map-Requests follow one that got no answer.",
            "0.1.0",
            _MN.map_request_retries,
            0,
            MAX_RETRIES,
        ),
        fixed(word("encapsulation", "LISP on UDP 4341 or VXLAN-GPE on 4790.", "1.0.0", _SENT.encapsulation, OWN_FORMS)),
        fixed(row("offload", Kind.FLAG, "Many packets in one system call.", OURS, _SENT.offload)),
        fixed(Option("workers", Kind.COUNT, "Threads that forward, or auto.", OURS, AUTO, 1, MAX_WORKERS)),
        fixed(number("source-ports", "Outer UDP ones.", OURS, _SENT.source_ports, 1, MAX_SOURCE_PORTS)),
        fixed(word("udp-checksum", "The outer one: auto, zero or on.", OURS, _SENT.udp_checksum, UdpChecksum)),
        fixed(row("mss-clamp", Kind.FLAG, "Lower the MSS of TCP to what fits the tunnel.", OURS, _SENT.mss_clamp)),
        fixed(word("tunnel-routes", "default, or halves: 0/1 and 128/1.", OURS, _MN.tunnel_routes.value, TunnelRoutes)),
        fixed(row("echo-nonce", Kind.FLAG, "Private profile: ask for nonces back.", OURS, _HINTS.echo_nonce)),
        fixed(row("map-versioning", Kind.FLAG, "Private profile: tell Map-Versions.", OURS, _HINTS.map_versioning)),
        fixed(row("locator-status-bits", Kind.FLAG, "Private profile: tell who is up.", OURS, _HINTS.status_bits)),
        fixed(
            row("native-forward", Kind.FLAG, "Packets to who is no EID leave outside LISP.", OURS, _MN.native_forward)
        ),
        row("rloc-lookup", Kind.FLAG, "Ask whether an RLOC is an EID of a visited site.", OURS, _MN.rloc_lookup),
        number("map-cache-size", "Mappings kept at most.", OURS, _MN.map_cache_size, MIN_MAP_CACHE, MAX_MAP_CACHE),
        listed(row("allowed-dst-eids", Kind.PREFIX, "The destinations that use LISP; all without it.", "1.3.0")),
        fixed(digits("xtr-id", "The xTR-ID, where it is not to be made of our EID-prefixes.", OURS, XTR_ID_DIGITS)),
        fixed(digits("site-id", "The Site-ID; 0 without it.", OURS, SITE_ID_DIGITS)),
        word("lisp-sec", "LISP-SEC: off, on, or required.", OURS, _MN.lisp_sec.use.value, Use),
        section("lisp-sec-key", "A key shared between ITRs and the Map-Resolver.", OURS),
        row("pubsub", Kind.FLAG, "Subscribe to mappings in use; MS: let others.", OURS, _MN.pubsub.subscribe),
        section("pubsub-key", "A key that subscriptions are signed with.", OURS),
        number("pubsub-limit", "MS: subscriptions of one xTR-ID.", OURS, _MN.pubsub.limit, 1, MAX_SUBSCRIPTIONS),
        section("pubsub-subscriber", "MS: who may subscribe to what; everybody with the key without one.", OURS),
        section("explicit-locator-path", "RLOCs that packets pass one after the other.", "0.5.0"),
        fixed(row("state-dir", Kind.PATH, "Where the daemon keeps what must survive a restart.", OURS)),
        fixed(row("control-socket", Kind.PATH, "The unix socket that lispctl talks to.", OURS)),
        listed(row("map-resolver", Kind.ADDRESS, "Where Map-Requests go; several are tried in turn.", "0.1.0")),
        listed(row("proxy-itrs", Kind.ADDRESS, "Proxy-ITRs: told of each move by an SMR.", "0.1.0")),
        section("map-server", "Where Map-Registers go; each one is registered with.", "0.1.0"),
        section("database-mapping", "An EID of ours and where it is reached.", "0.1.0"),
        section("static-map-cache", "A mapping that is not asked for.", "0.1.0"),
        section("proxy-etr", "Where packets for the rest of the Internet go.", "0.1.0"),
        section("proxy-etr-ipv4", "The same for IPv4 EIDs alone.", "1.2.0", "proxy-etr"),
        section("proxy-etr-ipv6", "The same for IPv6 EIDs alone.", "1.2.0", "proxy-etr"),
        replace(section("rloc-probing", "How locators are probed.", "0.3.3"), many=False),
        section("lisp-site", "MS: who may register what.", "0.5.0"),
        section("ms-static-registered-site", "MS: a mapping that counts as registered.", "0.5.0"),
        ignored("log-file", Kind.PATH, "Where a daemon logs.", "0.4.1", "the log goes to standard error"),
        ignored("ipv6-scope", Kind.CHOICE, "Scope of IPv6 locators.", "1.2.1", "locators are of global scope"),
        ignored("control-iface", Kind.INTERFACE, "MS: the interface for control messages.", "0.5.0", "all are used"),
        ignored("control-port", Kind.NUMBER, "Another control port.", "0.2.4", "the port is 4342"),
        ignored("rloc-probing-interval", Kind.NUMBER, "", "0.3.2", "use rloc-probing { rloc-probe-interval = ... }"),
        ignored("nat_traversal_support", Kind.FLAG, "NAT traversal.", "1.1.1", "the host needs a public RLOC"),
        ignored("nat-traversal", Kind.SECTION, "NAT traversal.", "0.3.3", "the host needs a public RLOC"),
        ignored("ddt-client", Kind.FLAG, "Asking the DDT hierarchy.", "0.4.0", _DDT),
        ignored("ddt-root-node", Kind.SECTION, "A DDT root.", "0.4.0", _DDT),
        listed(ignored("ddt-root-addresses", Kind.ADDRESS, "The DDT roots.", "1.2.1", _DDT)),
        ignored("ddt-auth-site", Kind.SECTION, "DDT: what the node answers for.", "1.2.1", _LATER),
        ignored("ddt-deleg-site", Kind.SECTION, "DDT: a delegation.", "1.2.1", _LATER),
        ignored("rtr-ifaces", Kind.SECTION, "RTR: its interfaces.", "0.5.0", _RTR),
        ignored("rtr-ms-node", Kind.SECTION, "RTR: a Map-Server it works with.", "1.2.1", _RTR),
        ignored("rtr-data-iface", Kind.INTERFACE, "RTR: its interface.", "0.5.0", _RTR),
        replace(ignored("rtr-database-mapping", Kind.SECTION, "RTR.", "0.5.0", _RTR), inside="database-mapping"),
        ignored("ms-rtr-node", Kind.SECTION, "MS: an RTR.", "1.2.1", _RTR),
        ignored("ms-rtrs-set", Kind.SECTION, "MS: RTRs under a name.", "1.2.1", _RTR),
        ignored("ms-advertised-rtrs-set", Kind.TEXT, "MS: RTRs told to nodes.", "1.2.1", _RTR),
        ignored("replication-list", Kind.SECTION, "Multicast replication.", "0.5.0", _LATER),
        ignored("multicast-info", Kind.SECTION, "Multicast.", "0.5.0", _LATER),
        ignored("override-dns", Kind.FLAG, "Android: other name servers.", "0.4.0", _LATER),
        ignored("override-dns-primary", Kind.ADDRESS, "Android.", "0.4.0", _LATER),
        ignored("override-dns-secondary", Kind.ADDRESS, "Android.", "0.4.0", _LATER),
    ),
    "map-server": (
        _ADDRESS,
        *_KEY_ROWS,
        _OTHER_KEY,
        row("proxy-reply", Kind.FLAG, "Ask it to answer Map-Requests for us.", "0.1.0", False),
        ignored("verify", Kind.FLAG, "Ask for our own EID after registering.", "0.1.0", "the Map-Notify tells"),
    ),
    "other-key": _KEY_ROWS,
    "lisp-sec-key": (replace(_KEY, required=True, doc="The password shared with them."), _KEY_ID),
    "pubsub-key": _KEY_ROWS,
    "pubsub-subscriber": (
        replace(digits("xtr-id", "The subscriber's xTR-ID.", OURS, XTR_ID_DIGITS), required=True),
        replace(_PREFIX, required=False, first=OURS, doc="Where it may subscribe; anywhere without it."),
        replace(_IID, first=OURS),
    ),
    "database-mapping": (
        _PREFIX,
        _IID,
        _TTL,
        number("map-version", "Its Map-Version, with map-versioning; none without it.", OURS, None, 1, MAX_VERSION),
        section("rloc-iface", "A locator: the address an interface has.", "0.5.0"),
        _RLOC_ADDRESS,
        row("interface", Kind.INTERFACE, "A locator of each family: an interface (early form).", "0.1.0"),
        replace(_PRIORITY, doc="Early form: of both families."),
        replace(_WEIGHT, doc="Early form: of both families."),
        number("priority_v4", "Early form: of the IPv4 locator; -1 leaves it out.", "0.3.0", None, -1),
        number("weight_v4", "Early form: of the IPv4 locator.", "0.3.0", None),
        number("priority_v6", "Early form: of the IPv6 locator; -1 leaves it out.", "0.3.0", None, -1),
        number("weight_v6", "Early form: of the IPv6 locator.", "0.3.0", None),
    ),
    "rloc-iface": (
        needed("interface", Kind.INTERFACE, "The interface.", "0.5.0"),
        _IP_VERSION,
        _PRIORITY,
        _WEIGHT,
    ),
    "rloc-address": (
        _LOCATOR,
        _PRIORITY,
        _WEIGHT,
        _LOCAL,
    ),
    "static-map-cache rloc-address": (_LOCATOR, _PRIORITY, _WEIGHT, _LOCAL, _FORM),
    "static-map-cache": (
        _PREFIX,
        _IID,
        _CACHED_RLOC,
        row("rloc", Kind.ADDRESS, "Its one locator (early form).", "0.1.0"),
        replace(_PRIORITY, doc="Early form: of rloc."),
        replace(_WEIGHT, doc="Early form: of rloc."),
        replace(_FORM, doc="Early form: of rloc."),
    ),
    "proxy-etr": (_ADDRESS, _PRIORITY, _WEIGHT, _FORM),
    "rloc-probing": (
        number(
            "rloc-probe-interval", "Seconds; 0 turns probing off.", "0.3.3", int(_PROBING.interval), 0, MAX_INTERVAL
        ),
        number("rloc-probe-retries", "Before a locator is down.", "0.3.3", _PROBING.retries, 0, MAX_PROBE_RETRIES),
        number(
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
        *_KEY_ROWS,
        _OTHER_KEY,
        row("accept-more-specifics", Kind.FLAG, "Prefixes inside eid-prefix too.", "0.5.0", False),
        row("proxy-reply", Kind.FLAG, "Answer for the site whatever it registers.", "1.3.0", False),
        ignored("merge", Kind.FLAG, "Merged registrations.", "0.5.0", "registrations are not merged"),
        ignored("ddt-ms-peers-complete", Kind.FLAG, "DDT.", "1.3.0", _LATER),
        listed(ignored("ddt-ms-peers", Kind.ADDRESS, "DDT.", "1.3.0", _LATER)),
    ),
    "ms-static-registered-site": (_PREFIX, _IID, _TTL, _RLOC_ADDRESS),
    "nat-traversal": (
        ignored("nat_aware", Kind.FLAG, "", "0.3.3"),
        ignored("site_id", Kind.TEXT, "", "0.3.3", "site-id = ... outside of nat-traversal"),
        ignored("xtr_id", Kind.TEXT, "", "0.3.3", "xtr-id = ... outside of nat-traversal"),
    ),
    "ddt-root-node": (_ADDRESS, _PRIORITY, _WEIGHT),
    "ddt-auth-site": (_PREFIX, _IID),
    "ddt-deleg-site": (
        _PREFIX,
        _IID,
        ignored("delegation-type", Kind.CHOICE, "", "1.2.1"),
        listed(ignored("deleg-nodes", Kind.ADDRESS, "", "1.2.1")),
    ),
    "rtr-ifaces": (section("rtr-iface", "", "0.5.0"),),
    "rtr-iface": (
        needed("iface", Kind.INTERFACE, "", "0.5.0"),
        _IP_VERSION,
        _PRIORITY,
        _WEIGHT,
    ),
    "rtr-ms-node": (_ADDRESS, _KEY, ignored("draft-version", Kind.CHOICE, "", "1.2.1")),
    "ms-rtr-node": (needed("name", Kind.TEXT, "", "1.2.1"), _ADDRESS, _KEY),
    "ms-rtrs-set": (
        needed("name", Kind.TEXT, "", "1.2.1"),
        number("ttl", "", "1.2.1", 1440, 1, MAX_TTL),
        listed(row("rtrs", Kind.TEXT, "", "1.2.1")),
    ),
    "explicit-locator-path": (
        needed("elp-name", Kind.TEXT, "What an rloc-address calls it.", "0.5.0"),
        section("elp-node", "A hop; packets pass them in the order of the file.", "0.5.0"),
    ),
    "elp-node": (
        _ADDRESS,
        row("strict", Kind.FLAG, "The path may not leave out this hop.", "0.5.0", False),
        row("probe", Kind.FLAG, "The hop is probed.", "0.5.0", False),
        row("lookup", Kind.FLAG, "The hop looks up who is next.", "0.5.0", False),
    ),
    "replication-list": (row("rle-name", Kind.TEXT, "", "0.5.0"), section("rle-node", "", "0.5.0")),
    "rle-node": (_ADDRESS, number("level", "", "0.5.0", 0)),
    "multicast-info": (
        row("mc-info-name", Kind.TEXT, "", "0.5.0"),
        row("source", Kind.ADDRESS, "", "0.5.0"),
        number("source-mask-length", "", "0.5.0", 0),
        row("group", Kind.ADDRESS, "", "0.5.0"),
        number("group-mask-length", "", "0.5.0", 0),
        _IID,
    ),
}


@cache
def options(inside: str) -> dict[str, Option]:
    """The rows of a section by key; the section is named by `Option.inside`, the whole file is ""."""
    return {option.name: option for option in SCHEMA[inside]}
