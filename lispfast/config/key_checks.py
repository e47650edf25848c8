"""What is wrong with the keys of a file: too weak for where the node is, or one key for two purposes."""

from __future__ import annotations

from collections.abc import Iterable

from lispfast.config.draft import Draft, PlacedKey
from lispfast.config.schema import MASKED_KEY
from lispfast.model.settings import KeyType, Mode, Profile, Use

_SIGNING = ("map-server", "lisp-site", "other-key", "pubsub-key")
_WEAK = {
    KeyType.NONE: ("key-type none proves nothing: anybody may say where an EID is", "key-type = 2, and a key"),
    KeyType.HMAC_SHA1: ("key-type 1, HMAC-SHA-1, is not for the public Internet", "key-type = 2 on both sides"),
}
_FORBIDDEN = "on the public profile (RFC 9301 section 1.1)"


def check_keys(draft: Draft) -> None:
    """Report what only shows when every key is known."""
    signing = [placed for placed in draft.keys if placed.section in _SIGNING]
    _check_strength(draft, signing)
    _check_independence(draft, signing)
    _check_use(draft)


def _check_strength(draft: Draft, signing: Iterable[PlacedKey]) -> None:
    """A warning each would fill the list of problems of a large Map-Server: the first of a sort speaks for all."""
    for algorithm, (text, hint) in _WEAK.items():
        weak = [placed for placed in signing if placed.key.algorithm is algorithm and not _refused(placed)]
        if draft.profile is Profile.PUBLIC:
            for placed in weak:
                draft.error(placed.type_span, f"key-type {_name(algorithm)} is refused {_FORBIDDEN}", hint)
        elif weak:
            count = f"{text} ({len(weak)} keys)" if len(weak) > 1 else text
            draft.report.warning(weak[0].type_span, count, hint)
    experimental = [placed for placed in signing if placed.key.algorithm is KeyType.HKDF_SHA256]
    if experimental:
        text = "key-type 3 is experimental: what RFC 9301 leaves open of it may differ on the other side"
        draft.report.warning(experimental[0].type_span, text, "hkdf-info and mac-length")


def _refused(placed: PlacedKey) -> bool:
    """A subscription without a security association does not count (RFC 9437 section 3), on any profile."""
    return placed.section == "pubsub-key" and placed.key.algorithm is KeyType.NONE


def _name(algorithm: KeyType) -> str:
    return "none" if algorithm is KeyType.NONE else algorithm.value


def _check_independence(draft: Draft, signing: Iterable[PlacedKey]) -> None:
    """Who shares a key with Map-Servers could otherwise read the one-time keys of ITRs (RFC 9303 section 6.5)."""
    known = {placed.key.secret: placed for placed in reversed([*signing]) if placed.key.secret}
    known.pop(MASKED_KEY.encode(), None)
    for placed in draft.keys:
        other = known.get(placed.key.secret)
        if placed.section == "lisp-sec-key" and other is not None:
            text = f"the lisp-sec-key has the password of the {other.section} in line {other.span.line}"
            draft.error(placed.span, text, "they must be independent: RFC 9303 section 6.5")


def _check_use(draft: Draft) -> None:
    """Keys that nobody uses, and protections without a key."""
    lisp_sec, pubsub = draft.lisp_sec, draft.pubsub
    key_span = draft.attempted.get("lisp-sec-key")
    asked = "what we ask for" if draft.mode is not Mode.MS else "what we are asked for"
    if lisp_sec.use is Use.OFF and key_span:
        draft.report.warning(key_span, "lisp-sec-key does nothing without lisp-sec", "lisp-sec = on")
    elif lisp_sec.use is Use.REQUIRED and not key_span and draft.mode is not Mode.MS:
        draft.error(draft.lisp_sec_span, "lisp-sec required without a key: nothing would be resolved", _SEC_KEY)
    elif lisp_sec.use is not Use.OFF and not key_span:
        draft.report.warning(draft.lisp_sec_span, f"lisp-sec without a key does not protect {asked}", _SEC_KEY)
    for placed in draft.keys:
        if _refused(placed):
            text = "key-type none is no key of PubSub: anybody could publish (RFC 9437 section 3)"
            draft.error(placed.type_span, text, _WEAK[KeyType.NONE][1])
    key_span = draft.attempted.get("pubsub-key")
    if key_span and not pubsub.subscribe:
        draft.report.warning(key_span, "pubsub-key does nothing without pubsub", "pubsub = on")
    elif pubsub.subscribe and not key_span:
        draft.error(draft.pubsub_span, "pubsub needs a key shared with the Map-Server", "pubsub-key { key = ... }")


_SEC_KEY = "lisp-sec-key { key = ... }"
