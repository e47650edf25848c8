"""The keys of a section: one, or a ring of several while one of them is replaced by the next."""

from __future__ import annotations

from collections.abc import Sequence

from lispfast.config.draft import Draft, PlacedKey
from lispfast.config.grammar import Section
from lispfast.config.reader import Reader
from lispfast.config.rows import Kind, Option
from lispfast.config.schema import KEY_TYPES, MASKED_KEY
from lispfast.config.values import read_key_type, read_secret
from lispfast.model.settings import Hkdf, Key, KeyType


def read_key(reader: Reader, draft: Draft) -> Key | None:
    """The key of a section that has key-type, key and key-id; only key-type none goes without a password."""
    algorithm: KeyType | None = reader.one("key-type", lambda text: read_key_type(text, KEY_TYPES))
    secret = reader.one("key", read_secret)
    key_id, hkdf = reader.number("key-id"), _hkdf(reader, algorithm)
    if algorithm is KeyType.NONE:
        if reader.has("key"):
            reader.report.warning(reader.value_span("key"), "key does nothing with key-type none")
        secret = b""
    elif not reader.has("key") and not reader.attempted("key"):
        reader.error(reader.span, f"{reader.section.name} has no key", f"it needs {Kind.SECRET.value}")
    if algorithm is None or secret is None or key_id is None or hkdf is None:
        return None
    return _place(reader, draft, Key(secret, algorithm, key_id, hkdf))


def read_ring(reader: Reader, draft: Draft) -> tuple[Key, ...] | None:
    """The key of a section and its other-keys, None where one is in error."""
    ring = [read_key(reader, draft)]
    place = f"{reader.section.name} has"
    for option, section in reader.sections:
        if option.name == "other-key":
            nested = Reader(section, option.inside, reader.report, reader.section.name)
            ring.append(_distinct(nested, read_key(nested, draft), ring, place))
            reader.sound = reader.sound and nested.sound
    return _all(ring)


def read_shared(
    sections: Sequence[tuple[Option, Section]], name: str, top: Reader, draft: Draft
) -> tuple[Key, ...] | None:
    """The keys of every section of that name, None where one is in error."""
    ring: list[Key | None] = []
    for option, section in sections:
        if option.name == name:
            nested = Reader(section, option.inside, top.report)
            key = _wrapping_key(nested, draft) if name == "lisp-sec-key" else read_key(nested, draft)
            ring.append(_distinct(nested, key, ring, "there are"))
            top.sound = top.sound and nested.sound
    return _all(ring)


def _wrapping_key(reader: Reader, draft: Draft) -> Key | None:
    """A key that one-time keys are wrapped with: by HKDF-SHA-256 always (RFC 9303 section 6.5)."""
    secret, key_id = reader.one("key", read_secret), reader.number("key-id")
    if secret is None or key_id is None:
        return None
    return _place(reader, draft, Key(secret, KeyType.HKDF_SHA256, key_id))


def _place(reader: Reader, draft: Draft, key: Key) -> Key:
    type_span = reader.value_span("key-type") if "key-type" in reader.rows else reader.span
    draft.keys.append(PlacedKey(reader.section.name, key, reader.value_span("key"), type_span))
    return key


def _hkdf(reader: Reader, algorithm: KeyType | None) -> Hkdf | None:
    """What algorithm 3 leaves open."""
    info, length = reader.text("hkdf-info"), reader.choice("mac-length")
    if algorithm is not KeyType.HKDF_SHA256:
        for name in ("hkdf-info", "mac-length"):
            if reader.has(name) and reader.sound:
                reader.report.warning(reader.value_span(name), f"{name} does nothing without key-type 3")
        return Hkdf()
    if info is None or length is None:
        return None
    return Hkdf(info.encode("utf-8", "surrogateescape"), int(length))


def _distinct(reader: Reader, key: Key | None, ring: Sequence[Key | None], place: str) -> Key | None:
    """The key, if it is one more beside those before it.

    A MAC tells which of several keys of one Key ID it was made with: old nodes know no other than 0. Who unwraps a
    one-time key needs the Key ID.
    """
    if key is None:
        return None
    wrapping = reader.section.name == "lisp-sec-key"
    for other in ring:
        if other is None:
            continue
        if KeyType.NONE in (other.algorithm, key.algorithm):
            text = "key-type none beside another key lets everybody in"
            reader.error(reader.value_span("key-type"), text, "remove one of the two")
            return None
        if wrapping and other.key_id == key.key_id:
            text = f"{place} two keys with the Key ID {key.key_id}"
            reader.error(reader.value_span("key-id"), text, "give each its own key-id")
            return None
        if key == other and key.secret != MASKED_KEY.encode():
            reader.error(reader.value_span("key"), f"{place} one key twice", "remove one of the two")
            return None
    return key


def _all(ring: Sequence[Key | None]) -> tuple[Key, ...] | None:
    found = tuple(key for key in ring if key is not None)
    return found if len(found) == len(ring) else None
