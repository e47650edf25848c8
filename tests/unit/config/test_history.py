"""The example file of every release of LISPmob and Open Overlay Router."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lispfast.config import load
from lispfast.model.addresses import EidPrefix
from lispfast.model.settings import InterfaceLocator

HISTORY = Path(__file__).parents[4] / "shared" / "vectors" / "conf-history"
FILES = sorted(HISTORY.glob("*.conf.example")) if HISTORY.is_dir() else []
ALLOWED_ERROR = re.compile(r'placeholder (".*"|in place of a password): put .* here|key-type 0 is cleartext')
ALLOWED_WARNING = re.compile(
    r".* is not supported yet.*|(lisp-site|ms-static-registered-site) does nothing in .*"
    r"|key-type 1, HMAC-SHA-1, is not for the public Internet.*"
)
LEFT_TO_FILL_IN = re.compile(r"[^#]*(<.*>|\[.*\]|\.\.\.|= *IPv4 or|= *interface name|^\s*address,)")

pytestmark = pytest.mark.skipif(not FILES, reason="the history of example files is not beside the checkout")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_only_placeholders_and_cleartext_are_errors(path: Path) -> None:
    loaded = load(path)
    assert [str(p) for p in loaded.errors if not ALLOWED_ERROR.match(p.text)] == []
    assert [str(p) for p in loaded.warnings if not ALLOWED_WARNING.match(p.text)] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_placeholder_is_named_at_its_line(path: Path) -> None:
    named = {problem.line for problem in load(path).errors if problem.text.startswith("placeholder")}
    lines = path.read_text().splitlines()
    assert named == {number for number, line in enumerate(lines, 1) if LEFT_TO_FILL_IN.match(line)}


@pytest.mark.parametrize("release", ["0.2.4", "0.3.0", "0.3.1"])
def test_complete_files_give_settings(release: str) -> None:
    loaded = load(HISTORY / f"{release}-lispd.conf.example")
    assert loaded.settings is not None
    first = loaded.settings.database[0]
    assert first.prefix == EidPrefix.parse("153.16.254.1/32")
    assert first.locators == (InterfaceLocator("eth0", 4), InterfaceLocator("eth0", 6))
    assert loaded.settings.map_servers[0].key.secret == b"foo%bar"
    assert len(loaded.settings.proxy_itrs) == 9


def test_the_first_release_lacks_nothing_but_a_better_key_type(tmp_path: Path) -> None:
    text = (HISTORY / "0.1.0-lispd.conf.example").read_text()
    path = tmp_path / "lispd.conf"
    path.write_text(text.replace("key-type    = 0", "key-type    = 1"))
    loaded = load(path)
    assert loaded.settings is not None
    assert str(loaded.settings.proxy_etrs[0].address) == "149.20.48.60"
    assert str(loaded.settings.static_map_cache[0].locators[0].address) == "128.223.156.134"
