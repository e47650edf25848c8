from __future__ import annotations

import pytest

from .samples import MAP_SERVER, NODE, said, said_after_node

FORBIDDEN = "is refused on the public profile (RFC 9301 section 1.1)"
SITES = "".join(f"lisp-site {{ eid-prefix = 192.0.2.{n}/32 key-type = 1 key = k }}\n" for n in range(250))


@pytest.mark.parametrize("profile", ["", "profile = private\n"])
def test_a_weak_key_is_a_warning_where_the_file_does_not_say_public(profile: str) -> None:
    text = profile + "map-server { address = 192.0.2.1 key-type = 1 key = k }"
    (found,) = said_after_node(text)
    assert "warning: key-type 1, HMAC-SHA-1, is not for the public Internet (key-type = 2 on both sides)" in found


def test_however_many_weak_keys_are_one_warning() -> None:
    assert said("operating-mode = MS\n" + SITES) == [
        "2:50: warning: key-type 1, HMAC-SHA-1, is not for the public Internet (250 keys) (key-type = 2 on both sides)"
    ]


@pytest.mark.parametrize(("algorithm", "name"), [("1", "1"), ("hmac-sha-1", "1"), ("none", "none")])
def test_a_written_public_profile_refuses_weak_keys(algorithm: str, name: str) -> None:
    key = "" if name == "none" else "key = k"
    text = f"profile = public\nmap-server {{ address = 192.0.2.1 key-type = {algorithm} {key} }}\n"
    found = said_after_node(text + text.replace("192.0.2.1", "192.0.2.2"))
    assert [one.split(" (key-type")[0] for one in found if "error" in one] == [
        f"2:45: error: key-type {name} {FORBIDDEN}",
        f"4:45: error: key-type {name} {FORBIDDEN}",
    ]


@pytest.mark.parametrize("profile", ["", "profile = public\n", "profile = private\n"])
def test_pubsub_without_authentication_is_refused_on_every_profile(profile: str) -> None:
    """Its Map-Notifies are believed unasked: RFC 9437 section 3 wants a security association."""
    (found,) = said_after_node(profile + "pubsub = on\npubsub-key { key-type = none }")
    assert "error: key-type none is no key of PubSub: anybody could publish (RFC 9437 section 3)" in found


def test_every_sort_of_signing_key_is_looked_at() -> None:
    text = """profile = public pubsub = on
pubsub-key { key-type = 1 key = k }
map-server { address = 192.0.2.1 key-type = 2 key = k
    other-key { key-type = 1 key = k } }
"""
    found = said_after_node(text)
    assert [one.split(": ")[0] for one in found] == ["2:25", "4:28"]


def test_a_key_of_map_servers_cannot_wrap_one_time_keys() -> None:
    """Else an ETR could read the one-time keys of ITRs and claim more than its own (RFC 9303 section 6.5)."""
    assert said(NODE + 'lisp-sec = on\nlisp-sec-key { key = "secret" }') == [
        "5:22: error: the lisp-sec-key has the password of the map-server in line 1 "
        "(they must be independent: RFC 9303 section 6.5)"
    ]


USES = [
    ("lisp-sec-key { key = k }", "1:1: warning: lisp-sec-key does nothing without lisp-sec (lisp-sec = on)"),
    (
        "lisp-sec = on",
        "1:12: warning: lisp-sec without a key does not protect what we ask for (lisp-sec-key { key = ... })",
    ),
    (
        "lisp-sec = required",
        "1:12: error: lisp-sec required without a key: nothing would be resolved (lisp-sec-key { key = ... })",
    ),
    (
        "pubsub-key { key-type = 2 key = k }",
        "1:1: warning: pubsub-key does nothing without pubsub (pubsub = on)",
    ),
    ("pubsub = on", "1:10: error: pubsub needs a key shared with the Map-Server (pubsub-key { key = ... })"),
]


@pytest.mark.parametrize(("text", "problem"), USES)
def test_protections_and_their_keys_come_together(text: str, problem: str) -> None:
    assert said_after_node(text) == [problem]


@pytest.mark.parametrize("use", ["on", "required"])
def test_a_map_server_without_a_key_answers_as_ever(use: str) -> None:
    assert said(MAP_SERVER + f"lisp-sec = {use}") == [
        "3:12: warning: lisp-sec without a key does not protect what we are asked for (lisp-sec-key { key = ... })"
    ]
