from __future__ import annotations

import pytest

from lispfast.model.addresses import EidPrefix
from lispfast.model.settings import Admitted, Hkdf, Key, KeyType, LispSec, PubSub, Use

from .samples import NODE, RESOLVER, SITE, said, said_after_node, settings

SERVER = "map-server { address = 192.0.2.1 key-type = 2 key = k"
MAPPING = "database-mapping { eid-prefix = 203.0.113.7/32 interface = wlan0 }\n"


def keys(section: str) -> tuple[Key, ...]:
    return settings(RESOLVER + MAPPING + section).map_servers[0].keys


def test_a_ring_of_keys_starts_with_the_one_that_signs() -> None:
    text = SERVER + " key-id = 1 other-key { key-type = 2 key = old } other-key { key-type = 2 key = new key-id = 2 } }"
    sha256 = KeyType.HMAC_SHA256
    assert keys(text) == (Key(b"k", sha256, 1), Key(b"old", sha256, 0), Key(b"new", sha256, 2))


def test_a_site_has_a_ring_too() -> None:
    text = """operating-mode = MS
        lisp-site { eid-prefix = 192.0.2.0/24 key-type = 2 key = k key-id = 1
            other-key { key-type = 2 key = old } }"""
    (site,) = settings(text).sites
    assert [(key.secret, key.key_id) for key in site.keys] == [(b"k", 1), (b"old", 0)]


@pytest.mark.parametrize("algorithm", [1, 2])
def test_keys_of_one_key_id_are_told_apart_by_their_macs(algorithm: int) -> None:
    """Open Overlay Router and LISPmob know no other Key ID than 0."""
    found = said_after_node(SERVER + f" other-key {{ key-type = {algorithm} key = old }} }}")
    assert [one for one in found if "HMAC-SHA-1, is not for the public Internet" not in one] == []


def test_what_rfc_9301_leaves_open_of_algorithm_3() -> None:
    text = SERVER.replace("= 2 ", '= hmac-sha-256-hkdf hkdf-info = "a\\xff" mac-length = 16 ')
    found = said_after_node(text + " }")
    assert len(found) == 1
    assert "warning: key-type 3 is experimental" in found[0]
    from lispfast.config import parse

    loaded = parse(NODE + text + " }").settings
    assert loaded is not None
    assert loaded.map_servers[1].key == Key(b"k", KeyType.HKDF_SHA256, 0, Hkdf(b"a\xff", 16))


def test_no_authentication_only_by_its_name_and_without_a_password() -> None:
    found = said_after_node("map-server { address = 192.0.2.1 key-type = none }")
    assert found == [
        "1:45: warning: key-type none proves nothing: anybody may say where an EID is (key-type = 2, and a key)"
    ]


def test_keys_of_lisp_sec_and_pubsub() -> None:
    text = """lisp-sec = required
        lisp-sec-key { key = a key-id = 1 } lisp-sec-key { key = b key-id = 2 }
        pubsub = on pubsub-limit = 7
        pubsub-key { key-type = 2 key = c key-id = 9 }"""
    found = settings(NODE + text)
    wrapping = KeyType.HKDF_SHA256
    assert found.lisp_sec == LispSec(Use.REQUIRED, (Key(b"a", wrapping, 1), Key(b"b", wrapping, 2)))
    assert found.pubsub == PubSub(True, (Key(b"c", KeyType.HMAC_SHA256, 9),), 7)


PROBLEMS = [
    (
        SERVER + " other-key { key-type = 2 key = k } }",
        "1:86: error: map-server has one key twice (remove one of the two)",
    ),
    (
        SERVER + " other-key { key-type = none } }",
        "1:78: error: key-type none beside another key lets everybody in (remove one of the two)",
    ),
    (SERVER + " other-key { } }", "1:55: error: other-key has no key (it needs a password)"),
    (
        SERVER + " mac-length = 16 }",
        "1:68: warning: mac-length does nothing without key-type 3",
    ),
    (SERVER + " mac-length = 20 }", '1:68: error: "20" is not known here (one of 16, 32)'),
    (
        "lisp-sec = on lisp-sec-key { key = a } lisp-sec-key { key = b }",
        "1:40: error: there are two keys with the Key ID 0 (give each its own key-id)",
    ),
    ("lisp-sec = on lisp-sec-key { }", "1:15: error: lisp-sec-key has no key (it needs a password)"),
    (
        "lisp-sec = on lisp-sec-key { key = a key-type = 2 }",
        "1:38: error: unknown key after the password in lisp-sec-key",
    ),
]


@pytest.mark.parametrize(("text", "problem"), PROBLEMS)
def test_one_problem_with_its_place(text: str, problem: str) -> None:
    errors = [one for one in said_after_node(text) if "is not for the public Internet" not in one]
    errors = [one for one in errors if "key-type none proves nothing" not in one]
    assert len(errors) == 1
    assert errors[0].startswith(problem)


def test_a_key_in_error_is_named_once() -> None:
    found = said(NODE + 'lisp-sec = on lisp-sec-key { key = "" }')
    assert found == ["4:36: error: the key is empty"]


def test_who_may_subscribe_to_what():
    found = settings(
        "operating-mode = MS\n" + SITE + "pubsub = on pubsub-key { key-type = 2 key = c }\n"
        f"pubsub-subscriber {{ xtr-id = {'0' * 31}1 }}\n"
        f"pubsub-subscriber {{ xtr-id = {'0' * 31}2 eid-prefix = 10.0.0.0/8 iid = 7 }}"
    )
    first, second = (number.to_bytes(16, "big") for number in (1, 2))
    assert found.pubsub.admitted == (Admitted(first), Admitted(second, EidPrefix.parse("10.0.0.0/8", 7)))


def test_a_subscriber_without_an_xtr_id_is_an_error():
    assert any("xtr-id" in line for line in said(NODE + "pubsub-subscriber { eid-prefix = 10.0.0.0/8 }"))
