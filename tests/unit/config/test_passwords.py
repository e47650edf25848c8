"""Whatever a password looks like and however it is mistyped: no problem shows any of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from lispfast.config import parse, render

from .samples import MAPPING, NODE, RESOLVER, settings

CANARY = "Hunter2"
_PIECES = [CANARY, CANARY, *" ={}()[]<>\"',#+/\\", "+=", "/*", "\\9", "\\400", "...", "${X}", "word"]
_PASSWORDS = st.lists(st.sampled_from(_PIECES), min_size=1, max_size=8).map("".join)

SECTIONS = [
    RESOLVER + MAPPING + "map-server { address = 192.0.2.1 key-type = 2\n key = %s\n}\n",
    RESOLVER + MAPPING + "map-server { address = 192.0.2.1 KEY =\n %s }\n",
    "operating-mode = MS\nlisp-site { eid-prefix = 192.0.2.0/24 other-key { key-type = 1 key = %s } }\n",
    NODE + "pubsub = on pubsub-key { key = %s }\n",
    NODE + "lisp-sec = on lisp-sec-key { key-id = 1 key = %s }\n",
    NODE + "rtr-ms-node { address = 192.0.2.1 key = %s }\n",
]


@pytest.mark.parametrize("text", SECTIONS)
@limits(deadline=None)
@given(password=_PASSWORDS)
def test_no_problem_shows_a_password(text: str, password: str) -> None:
    for problem in parse(text.replace("%s", password)).problems:
        assert CANARY.lower() not in str(problem).lower()


@pytest.mark.parametrize("keyword", ["hkdf-info", "key"])
def test_what_is_hidden_still_says_what_to_do(keyword: str) -> None:
    text = f"map-server {{ address = 192.0.2.1 key-type = 2\n {keyword} = correct horse = battery\n}}\n"
    found = [str(problem) for problem in parse(NODE + text).problems]
    if keyword == "key":
        assert len(found) == 1
        assert "unknown key after the password in map-server (a password with spaces or symbols" in found[0]
    else:
        assert any('"horse"' in one for one in found)


def test_settings_do_not_show_one_either() -> None:
    found = settings(NODE.replace('"secret"', CANARY) + f"pubsub = on pubsub-key {{ key-type = 2 key = {CANARY} }}")
    assert CANARY not in repr(found)
    assert CANARY not in render(found)
