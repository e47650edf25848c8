"""What lispctl prints of the views that the real roles give."""

from __future__ import annotations

import json
from dataclasses import replace
from ipaddress import ip_address

import pytest

from lispfast.cli import ctl
from lispfast.cli.exits import Exit
from lispfast.cli.map_cache import carried, ways
from lispfast.manage.client import ControlError
from lispfast.model.addresses import EidPrefix
from lispfast.model.forwarding import PathMtu, PrefixTraffic, Traffic
from lispfast.model.mapping import Action, Hop, Locator
from lispfast.model.settings import AddressLocator, Key, KeyType, LispSec, Use
from lispfast.model.units import Seconds, WireMtu
from tests.unit.control import ms_helpers as server
from tests.unit.control.mn_helpers import NOWHERE, PEER, PEER_RLOC, Bench, host, mapping, registered, settings

ABOUT: dict[str, object] = {"version": "0.1.0", "pid": 7, "uptime": 61.0, "drops": {"malformed": 2}}
PLANE: dict[str, object] = {
    "backend": "tun", "workers": 1, "packets_out": 3, "bytes_out": 252, "packets_in": 2, "bytes_in": 168, "staged": 1,
    "features": {"tun_offload": "TSO, USO", "udp_segment": "64 a run", "source_ports": 16},
    "drops": {"not-our-eid": 4},
}  # fmt: skip


def shown(bench: Bench, noun: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    view = json.loads(json.dumps(bench.node.view(noun, bench.now)))
    if noun == "status":
        view = {**view, **ABOUT, "data_plane": PLANE}
    monkeypatch.setattr(ctl, "ask", lambda path, asked: {noun: view}[asked])
    assert ctl.main([noun]) == Exit.OK
    return capsys.readouterr().out


def test_status(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(registered(), "status", monkeypatch, capsys)
    assert text.startswith("lispd-fast 0.1.0, MN, process 7, up 1m01s\nEIDs: ")
    assert "registered" in text
    assert "Packets dropped: not-our-eid 4\n" in text
    assert "  Feature       Outcome\n  tun-offload   TSO, USO\n  udp-segment   64 a run\n" in text
    assert "  source-ports  16\n" in text
    assert text.endswith("Control datagrams ignored: malformed 2\n")


def test_status_without_a_network_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    bench = registered()
    bench.move(NOWHERE)
    text = shown(bench, "status", monkeypatch, capsys)
    assert "Sending from: nowhere, no network is usable\n" in text


def test_status_says_where_lookups_are_not_protected(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "LISP-SEC" not in shown(registered(), "status", monkeypatch, capsys)
    secret = Key(b"of the Map-Resolver", KeyType.HMAC_SHA256)
    bench = registered(settings(lisp_sec=LispSec(Use.ON, (secret,))))
    assert "\nLISP-SEC: on\n" in shown(bench, "status", monkeypatch, capsys)
    bench.punt(PEER)
    bench.reply(mapping(str(host(PEER)), PEER_RLOC))
    assert "\nLISP-SEC: on, but without it at 192.0.2.1\n" in shown(bench, "status", monkeypatch, capsys)


def test_map_cache_is_in_the_words_of_show_lisp_map_cache(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bench = registered()
    bench.know(PEER, PEER_RLOC)
    bench.punt(ip_address("10.200.0.1"))
    hole = mapping("10.200.0.0/16", ttl=15, action=Action.NATIVELY_FORWARD)
    bench.reply(replace(hole, prefix=EidPrefix.parse("10.200.0.0/16")))
    lines = shown(bench, "map-cache", monkeypatch, capsys).splitlines()
    assert lines[0] == "LISP map-cache, 2 entries"
    (line,) = [line for line in lines if line.startswith(f"{PEER}/32")]
    assert line == f"{PEER}/32, uptime: 0s, expires: 10m00s, via map-reply, used 0s ago"
    header = ["Locator", "Uptime", "State", "Pri/Wgt", "RTT", "MTU", "Encapsulation"]
    assert lines[lines.index(line) + 1].split() == header
    assert lines[lines.index(line) + 2].split() == [str(PEER_RLOC), "0s", "up", "1/100", "-", "1500", "LISP"]
    assert "Packets out" not in "".join(lines), "before the first packet it says nothing of packets"
    assert "  Negative cache entry, action: natively-forward" in lines


def test_map_cache_tells_packets_and_a_learnt_mtu(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bench = registered()
    bench.know(PEER, PEER_RLOC)
    bench.node.handle_punt(PathMtu(PEER_RLOC, WireMtu(1400)), bench.now)
    used = PrefixTraffic(7, 700, 1, Seconds(0), 5, 400)
    bench.node.handle_traffic(Traffic({host(PEER): used}, {}), bench.now)
    bench.pass_time(5)
    lines = shown(bench, "map-cache", monkeypatch, capsys).splitlines()
    assert lines[-1] == "  Packets out: 7 (700 bytes), in: 5 (400 bytes), dropped: 1"
    assert lines[-2].endswith("  1400 (learnt 5s ago)  LISP")


def test_database(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(registered(), "database", monkeypatch, capsys).splitlines()
    assert lines[0] == f"{settings().database[0].prefix}, TTL {settings().database[0].ttl} min"
    assert lines[1].split() == ["Locator", "Interface", "Family", "State", "Pri/Wgt"]


def test_sites_and_a_map_servers_status(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    bench = server.Bench(server.site("10.0.0.0/24"), server.site("10.1.0.0/16", more_specifics=True))
    bench.register(server.register(5, server.record("10.0.0.0/24", "198.51.100.7")))
    views = {
        "sites": bench.server.view("sites", bench.now),
        "status": {**bench.server.view("status", bench.now), **ABOUT},
    }
    monkeypatch.setattr(ctl, "ask", lambda path, noun: json.loads(json.dumps(views[noun])))
    assert ctl.main(["sites"]) == Exit.OK
    text = capsys.readouterr().out
    assert "10.0.0.0/24, registered\n" in text
    assert "10.1.0.0/16, unregistered, accept-more-specifics" in text
    assert "198.51.100.7(1/100)" in text
    assert ctl.main(["status"]) == Exit.OK
    assert "Sites: 2, 1 of them registered; registrations: 1, static: 0\n" in capsys.readouterr().out


def test_the_subscriptions_of_a_map_server(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    one = {
        "eid_prefix": "10.0.0.1/32",
        "xtr_id": f"{0xABC:032x}",
        "site_id": f"{0:016x}",
        "itr_rlocs": ["198.51.100.7", "2001:db8::7"],
        "state": "telling",
        "temporary": False,
        "uptime": 61.0,
        "expires": 3600.0,
    }
    views = [{"enabled": False, "subscriptions": []}, {"enabled": True, "subscriptions": []}]
    views += [{"enabled": True, "subscriptions": [one]}]
    monkeypatch.setattr(ctl, "ask", lambda path, noun: views.pop(0))
    assert [ctl.main(["subscriptions"]) for _ in range(3)] == [Exit.OK] * 3
    off, none, head, line, second = capsys.readouterr().out.splitlines()
    assert off == "subscriptions are not accepted: set pubsub and a pubsub-key"
    assert none == "nobody is subscribed"
    assert head.split() == ["EID-prefix", "ITR-RLOCs", "Uptime", "Expires", "State", "xTR-ID"]
    assert line.split() == ["10.0.0.1/32", "198.51.100.7", "1m01s", "1h00m", "telling", one["xtr_id"]]
    assert second.split() == ["2001:db8::7"]


def test_json_is_the_view_itself(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(ctl, "ask", lambda path, noun: {"path": path, "noun": noun})
    assert ctl.main(["--socket", "/x/y", "status", "--json"]) == Exit.OK
    assert json.loads(capsys.readouterr().out) == {"path": "/x/y", "noun": "status"}


def test_a_daemon_that_cannot_be_asked_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(path: str, noun: str) -> dict[str, object]:
        raise ControlError("no lispd-fast runs here")

    monkeypatch.setattr(ctl, "ask", refuse)
    assert ctl.main(["status"]) == Exit.FAULT
    assert capsys.readouterr() == ("", "lispctl: no lispd-fast runs here\n")


def test_the_way_to_an_rloc_and_map_versions_are_told_where_there_are_any(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = (Hop(ip_address("192.0.2.1")), Hop(PEER_RLOC))
    (own,) = [one for one in settings().database if one.prefix.version == 4]
    ours = (Hop(ip_address("192.0.2.1")), Hop(ip_address("203.0.113.50")))
    own = replace(own, version=7, locators=(AddressLocator(ours[0].address, path=ours), *own.locators))
    known = replace(mapping("10.0.0.2/32"), locators=(Locator(path[0].address, path=path),), version=9)
    bench = registered(settings(database=(own,), static_map_cache=(known,)))
    lines = shown(bench, "map-cache", monkeypatch, capsys).splitlines()
    assert lines[2].endswith(", version 9, never used")
    assert lines[5] == f"  To 192.0.2.1 along 192.0.2.1, {PEER_RLOC}"
    lines = shown(bench, "database", monkeypatch, capsys).splitlines()
    assert lines[0].endswith(" min, version 7")
    assert lines[-1] == "  To 192.0.2.1 along 192.0.2.1, 203.0.113.50"


def test_a_visited_site_is_named() -> None:
    entry = {"locators": [{"address": "172.20.0.5", "path": [], "site": "172.20.0.0/16"}]}
    assert ways(entry) == "  To 172.20.0.5 through the locators of 172.20.0.0/16, the site it visits\n"


def test_what_is_not_acted_on_has_a_line() -> None:
    said = {"lcaf": "as-number", "number": 65000}
    entry = {
        "locators": [{"address": "192.0.2.1", "says": said}, {"address": "192.0.2.2", "says": None}],
        "carried": [{"address": {"lcaf": "json", "document": "{}"}}],
    }
    assert carried(entry) == (
        '  192.0.2.1 also says {"lcaf": "as-number", "number": 65000}\n'
        '  Not acted on: {"lcaf": "json", "document": "{}"}\n'
    )
