"""Why a packet or a datagram was dropped: the one enumeration of C, Python, metrics and documentation.

The data plane's names stand in `_native/reasons.def` in the same order; tests/meta compares the two.
"""

from __future__ import annotations

from enum import StrEnum


class DataReason(StrEnum):
    """Why the data plane dropped a packet."""

    # On the way out: read from the TUN.
    INNER_MALFORMED = "inner-malformed"  # not an IP packet, or its lengths disagree
    INNER_SOURCE = "inner-source"  # the source is not one of our EIDs
    NOT_UNICAST = "not-unicast"  # multicast, broadcast or link-local: never leaves, nor is such a source let in
    MAPPING_DROP = "mapping-drop"  # the mapping says drop
    MAPPING_REJECT = "mapping-reject"  # answered by ICMP unreachable
    NATIVE_UNAVAILABLE = "native-unavailable"  # natively-forward, and this backend cannot
    NO_LOCATOR = "no-locator"  # no locator that we have a source RLOC for
    TOO_BIG = "too-big"  # does not fit the path
    STAGE_FULL = "stage-full"  # the oldest staged packet gave way to a newer
    STAGE_AGED = "stage-aged"  # waited longer than a mapping may take
    SEND_FAILED = "send-failed"  # the kernel refused the outer packet
    # On the way in: received on 4341 or 4790.
    OUTER_TRUNCATED = "outer-truncated"  # shorter than a LISP header and an IP header
    OUTER_CHECKSUM = "outer-checksum"  # the outer UDP checksum is wrong
    SOCKET_FULL = "socket-full"  # came faster than the worker took it: the kernel's receive queue was full
    HEADER_UNSUPPORTED = "header-unsupported"  # KK set: encrypted; or a version of VXLAN-GPE that is not 0
    NEXT_PROTOCOL = "next-protocol"  # a GPE form that carries something else than IPv4 or IPv6
    INNER_VERSION = "inner-version"  # the first nibble is neither 4 nor 6
    INNER_LENGTH = "inner-length"  # the inner lengths disagree with what came
    INSTANCE_UNKNOWN = "instance-unknown"  # an instance-ID that we have no EID in
    NOT_OUR_EID = "not-our-eid"  # the inner destination is not ours
    OWN_SOURCE = "own-source"  # the inner source is our own EID
    MAP_VERSION = "map-version"  # its destination Map-Version cannot be: none of ours, or newer (RFC 9302 section 7.1)
    ECN_DROP = "ecn-drop"  # CE outside on Not-ECT inside (RFC 6040 section 4.2)
    TUN_REFUSED = "tun-refused"  # the kernel refused the inner packet


class ControlReason(StrEnum):
    """Why the control plane ignored a datagram or a part of it."""

    MALFORMED = "malformed"  # the codec refused it
    UNKNOWN_TYPE = "unknown-type"
    TOO_LONG = "too-long"  # more bytes than any message needs
    NOT_FOR_ROLE = "not-for-role"  # a message that this role does not receive
    WRONG_PORT = "wrong-port"  # neither port is 4342
    NONCE_UNKNOWN = "nonce-unknown"  # a reply to nothing outstanding
    NONCE_OLD = "nonce-old"  # a Map-Register whose nonce does not rise
    NOTIFY_OLD = "notify-old"  # a publication whose nonce does not rise (RFC 9437 section 6)
    NOT_SUBSCRIBED = "not-subscribed"  # a publication of what no subscription of ours covers
    SUBSCRIPTION_OLD = "subscription-old"  # a Map-Request that subscribes, whose nonce does not rise
    XTR_ID_OTHER = "xtr-id-other"  # a publication for another xTR that shares the key
    SENDER_UNEXPECTED = "sender-unexpected"  # an answer from an address that was not asked
    KEY_UNKNOWN = "key-unknown"  # no key for what it claims
    MAC_WRONG = "mac-wrong"
    PREFIX_NOT_ALLOWED = "prefix-not-allowed"  # an EID-prefix outside the site, or the answer's question
    EID_NOT_OURS = "eid-not-ours"
    NO_ITR_RLOC = "no-itr-rloc"
    ECM_INNER = "ecm-inner"  # the packet inside an Encapsulated Control Message is bad
    PROBE_VIA_SYSTEM = "probe-via-system"  # an RLOC-probe where none may come (RFC 9301 section 5.3)
    NOT_AUTHORITATIVE = "not-authoritative"  # a probe reply with A=0
    LOCATOR_REFUSED = "locator-refused"  # broadcast, multicast or otherwise no RLOC
    RLOC_LOOP = "rloc-loop"  # an RLOC that is an EID whose own RLOC leads back, or a path that passes a hop twice
    RATE_LIMITED = "rate-limited"
    RELEARNING = "relearning"  # asked for what nobody has registered yet since the Map-Server's restart
    SMR_UNCACHED = "smr-uncached"  # solicited for an EID that we do not have cached
    SMR_KNOWN = "smr-known"  # solicited once more for what is being asked already: the same SMR at another RLOC of ours
    VERSION_OLD = "version-old"  # a Map-Register with an older Map-Version than the one registered (RFC 9302 section 5)
    TABLE_FULL = "table-full"  # a bounded table has no room for what is new
    SUBSCRIPTIONS_OF_XTR = "subscriptions-of-xtr"  # one xTR-ID has as many subscriptions as it may have
    SUBSCRIPTIONS_OF_EID = "subscriptions-of-eid"  # one EID-prefix has as many subscribers as it may have
    SUBSCRIPTION_DENIED = "subscription-denied"  # an xTR-ID that may not subscribe to this EID-prefix
    # LISP-SEC (RFC 9303).
    LISP_SEC_KEY_UNKNOWN = "lisp-sec-key-unknown"  # a one-time key under a Key ID that we have no secret for
    LISP_SEC_UNWRAP = "lisp-sec-unwrap"  # a one-time key that none of the secrets opens
    LISP_SEC_UNENCRYPTED = "lisp-sec-unencrypted"  # a one-time key in clear, or in an unknown wrapping
    LISP_SEC_MISSING = "lisp-sec-missing"  # a Map-Reply without the S-bit to a protected Map-Request
    LISP_SEC_ALGORITHM = "lisp-sec-algorithm"  # a Map-Reply protected by other algorithms than those asked for
    LISP_SEC_EID_HMAC = "lisp-sec-eid-hmac"  # the Map-Server's MAC over its EID-prefixes is wrong
    LISP_SEC_PKT_HMAC = "lisp-sec-pkt-hmac"  # the MAC over the Map-Reply is wrong
    LISP_SEC_OVERCLAIM = "lisp-sec-overclaim"  # a record for more than the Map-Server vouches for
    LISP_SEC_CANT_SIGN = "lisp-sec-cant-sign"  # no ETR can protect it: asked again without protection
