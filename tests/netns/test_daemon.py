"""How the daemon starts, refuses, waits, dies and is cleaned up after: each time the host's routing is looked at."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

from lispfast.lab import Host, Lab, Node, until

from .internet import BOUND_S, KEY, PHONE_EIDS, Internet, join, leave

DAEMON = (sys.executable, "-m", "lispfast.cli.daemon")


@pytest.fixture
def net(lab: Lab) -> Internet:
    return Internet(lab)


def attempt(host: Host, conf: str, *prefix: str, state: str = "") -> tuple[int, str]:
    """Start the daemon where it has to refuse; its exit code and its last words."""
    path = host.directory / "refused.conf"
    path.write_text(
        f"{conf}state-dir = {state or host.directory / 'state'}\ncontrol-socket = {host.directory}/refused.sock\n"
    )
    done = host.call(
        lambda: subprocess.run([*prefix, *DAEMON, "-c", str(path)], capture_output=True, text=True, timeout=BOUND_S)
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr


def phone_conf(net: Internet, *eids: str) -> str:
    return net.mobile_conf(eids or PHONE_EIDS, ("wlan0", "wwan0"))


def test_without_the_capability(net: Internet) -> None:
    before = net.phone.routing()
    without = ("setpriv", "--bounding-set", "-net_admin", "--")
    for state in ("", "/proc/nobody-makes-this"):  # as for a user who may not write to /var/lib either
        code, words = attempt(net.phone, phone_conf(net), *without, state=state)
        assert (code, "CAP_NET_ADMIN is missing" in words) == (4, True), words
    assert net.phone.routing() == before


def test_without_the_tun_device(net: Internet) -> None:
    before = net.phone.routing()
    hide = 'mount -t tmpfs tmpfs /dev/net && exec "$@"'
    code, words = attempt(net.phone, phone_conf(net), "unshare", "--mount", "sh", "-c", hide, "sh")
    assert (code, "/dev/net/tun does not exist: run `modprobe tun`" in words) == (4, True), words
    assert net.phone.routing() == before


def test_a_second_daemon_of_the_namespace(net: Internet) -> None:
    net.start_map_server()
    first = net.start_phone()
    running = net.phone.routing()
    code, words = attempt(net.phone, phone_conf(net))
    assert (code, f"already runs in this network namespace as process {first.process.pid}" in words) == (5, True), words
    assert net.phone.routing() == running
    assert json.loads(first.ctl("status", "--json"))["pid"] == first.process.pid


def test_an_eid_that_another_interface_has(net: Internet) -> None:
    before = net.phone.routing()
    code, words = attempt(net.phone, phone_conf(net, net.wifi.address(10, 4)))
    assert (code, "is already an address of wlan0: remove it there" in words) == (1, True), words
    assert net.phone.routing() == before


def test_a_configuration_with_errors_changes_nothing(net: Internet) -> None:
    before = net.phone.routing()
    code, words = attempt(net.phone, phone_conf(net, "172.16.1.999") + "map-sever { }\n")
    assert code == 3
    assert "refused.conf:10:18: error:" in words
    assert 'did you mean "map-server"?' in words
    assert net.phone.routing() == before


def test_a_control_port_that_is_taken(net: Internet) -> None:
    before = net.phone.routing()
    take = (
        "import socket, time; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('', 4342)); "
        "print('ok', flush=True); time.sleep(60)"
    )
    other = net.phone.spawn(sys.executable, "-c", take, pipe=True)
    assert other.stdout.readline() == b"ok\n"
    code, words = attempt(net.phone, phone_conf(net))
    assert (code, "UDP port 4342 cannot be opened" in words) == (1, True), words
    assert net.phone.routing() == before


def test_a_map_server_that_is_silent_at_first(net: Internet) -> None:
    phone = Node(net.phone, phone_conf(net))
    phone.start()
    lost = phone.wait_event("registration-lost", BOUND_S)
    assert (lost.level, "answer" in lost.fields["why"]) == ("warning", True), lost
    net.start_map_server()
    phone.wait_event("map-notify-received", BOUND_S)
    assert json.loads(phone.ctl("status", "--json"))["registrations"][0]["state"] == "registered"


def test_a_key_that_the_map_server_refuses(net: Internet) -> None:
    ms = net.start_map_server()
    phone = Node(net.phone, phone_conf(net).replace(KEY, "another secret"))
    phone.start()
    refused = ms.wait_event("map-register-refused", BOUND_S)
    assert (refused.level, refused.fields["reason"]) == ("warning", "mac-wrong"), refused
    assert phone.wait_event("registration-lost", BOUND_S).level == "warning"
    assert json.loads(ms.ctl("sites", "--json"))["sites"][0]["state"] == "unregistered"
    for log in (phone.log, ms.log):
        assert "secret" not in "".join(str(event) for event in log.read())


def test_an_interface_that_is_not_there_yet(lab: Lab, net: Internet) -> None:
    net.start_map_server()
    leave(net.wlan0)
    phone = Node(net.phone, net.mobile_conf(PHONE_EIDS, ("usb0",)))
    phone.start()
    phone.wait_ready()
    warning = phone.wait_event("host", BOUND_S)
    assert (warning.level, "there is no interface usb0 yet" in warning.fields["text"]) == ("warning", True)
    assert json.loads(phone.ctl("status", "--json"))["missing_interfaces"] == ["usb0"]
    ours, usb0 = lab.link(net.router, "usb1", net.phone, "usb0")
    net.router.interface("ap0").flush_addresses()  # the link moves to another port of the router
    ours.up()
    ours.add_address(*net.wifi.with_length(1))
    join(usb0, net.wifi)
    phone.wait_event("map-notify-received", BOUND_S)


@pytest.mark.parametrize("again", ["start", "cleanup"])
def test_a_killed_daemon_is_cleaned_up_after(net: Internet, again: str) -> None:
    net.start_map_server()
    before = net.phone.routing()
    phone = net.start_phone()
    phone.process.signal(signal.SIGKILL)
    phone.process.wait(BOUND_S)
    assert net.phone.routing() != before
    if again == "cleanup":
        words = net.phone.run(*DAEMON, "-c", str(phone.config), "--cleanup")
        assert "table 5" in words
    else:
        begun = phone.log.read()[-1].at + 1
        phone.start()
        phone.wait_ready()
        assert "cleaned up after a daemon that was killed" in phone.wait_event("host", BOUND_S, begun).fields["text"]
        phone.wait_event("map-notify-received", BOUND_S, begun)
        assert phone.stop() == 0
    assert net.phone.routing() == before
    assert net.phone.run(*DAEMON, "-c", str(phone.config), "--cleanup") == "nothing to clean up\n"


def test_a_default_route_that_comes_after_the_address_is_used_at_once(lab: Lab) -> None:
    net = Internet(lab, (4,))
    net.start_map_server()
    phone = net.start_phone(rloc_versions=(4,))
    leave(net.wlan0)
    begun = phone.log.read()[-1].at + 1
    net.wwan0.up()
    until(net.router.interface("bs0").running, BOUND_S, "the router's end of the link")
    net.wwan0.add_address(*net.lte.with_length(10))
    early = phone.wait_event("map-register-sent", BOUND_S, begun)
    net.wwan0.add_default(*net.lte.gateways())
    heard = phone.wait_event("map-notify-received", BOUND_S, early.at)
    sent = [event for event in phone.log.read() if event.name == "map-register-sent" and begun <= event.at <= heard.at]
    assert {event.fields["attempt"] for event in sent} == {"1"}, "none of them waited for a retransmission"


def test_ended_after_a_move_it_leaves_the_new_network_alone(net: Internet) -> None:
    net.start_map_server()
    leave(net.wlan0)
    join(net.wwan0, net.lte)
    on_lte = net.phone.routing()
    leave(net.wwan0)
    join(net.wlan0, net.wifi)
    phone = net.start_phone()
    leave(net.wlan0)
    join(net.wwan0, net.lte)
    phone.wait_event("source-locator-changed", BOUND_S, interface="wwan0")
    assert phone.stop() == 0
    assert net.phone.routing() == on_lte


def test_a_node_that_leaves_in_good_order_is_unregistered(net: Internet) -> None:
    ms = net.start_map_server()
    phone = net.start_phone()
    assert phone.stop() == 0
    until(lambda: json.loads(ms.ctl("status", "--json"))["registrations"] == 0, BOUND_S, "the Map-Server to hear of it")
