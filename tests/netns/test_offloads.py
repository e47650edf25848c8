"""Each offload forced off in turn: by configuration, by the device, by a kernel that has none or refuses it later."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from lispfast.lab import Lab, until

from .tunnelworld import (
    BOUND_S,
    ETHTOOL_SGRO,
    ETHTOOL_SGSO,
    ETHTOOL_STSO,
    ETHTOOL_STXCSUM,
    IN_FRONT,
    Pair,
    burst,
    device_offload,
    preload,
    retransmissions,
    transfer,
)

SIZE = 4 << 20
BURST = [1000, 1200, 64, 1200, 1200, 1200, 1200, 4, 900] * 40

# UDP_SEGMENT is 103 of the level of UDP: the probe at the start goes by setsockopt and passes.
NO_RUNS = """
static int is_run(struct msghdr *h)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c))
        if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == 103)
            return 1;
    return 0;
}
ssize_t sendmsg(int fd, const struct msghdr *h, int flags)
{
    if (is_run((struct msghdr *)h))
        return errno = EIO, -1;
    return REAL(sendmsg)(fd, h, flags);
}
int sendmmsg(int fd, struct mmsghdr *h, unsigned count, int flags)
{
    unsigned plain = 0;
    while (plain < count && !is_run(&h[plain].msg_hdr))
        plain++;
    if (count && !plain)
        return errno = EIO, -1;
    return REAL(sendmmsg)(fd, h, plain, flags);
}
"""
NO_OPTION = """
int setsockopt(int fd, int level, int name, const void *value, socklen_t length)
{
    if (level == IPPROTO_UDP && name == %d)
        return errno = ENOPROTOOPT, -1;
    return REAL(setsockopt)(fd, level, name, value, length);
}
"""
NO_TUN_OFFLOAD = """
int ioctl(int fd, unsigned long request, ...)
{
    va_list list;
    va_start(list, request);
    void *argument = va_arg(list, void *);
    va_end(list);
    if (request == 0x400454d0 && ((unsigned long)argument & 0x%xul))
        return errno = EINVAL, -1;
    return REAL(ioctl)(fd, request, argument);
}
"""
CONFIGURED: dict[str, tuple[str, dict[str, object]]] = {
    "offload": ("offload = off\n", dict.fromkeys(("tun_offload", "udp_segment", "udp_gro"), "off (offload = off)")),
    "zero": ("udp-checksum = zero\n", {"udp_segment": "off (udp-checksum = zero)", "udp_checksum": "zero"}),
    "on": ("udp-checksum = on\n", {"udp_checksum": "on"}),
    "one-port": ("source-ports = 1\n", {"source_ports": 1}),
    "one-port-zero": ("source-ports = 1\nudp-checksum = zero\n", {"source_ports": 1, "udp_checksum": "zero"}),
}
NONE = "off (the kernel has none)"
KERNELS: dict[str, tuple[str, dict[str, object]]] = {
    "no-gro-no-uso": (
        NO_OPTION % 104 + NO_TUN_OFFLOAD % 0x60,
        {"udp_gro": NONE, "tun_offload": "TSO (USO: the kernel has none)"},
    ),
    "no-segment-no-tso": (NO_OPTION % 103 + NO_TUN_OFFLOAD % 0x7F, {"udp_segment": NONE, "tun_offload": NONE}),
}


def sends_everything(pair: Pair) -> None:
    """Both directions, both families, TCP and UDP: nothing is lost or dropped, and both ends count the same."""
    for family in (4, 6):
        transfer(pair.left, pair.right, family, SIZE)
        transfer(pair.right, pair.left, family, SIZE)
        assert len(burst(pair.left, pair.right, family, BURST)) == len(BURST)
        assert len(burst(pair.right, pair.left, family, BURST)) == len(BURST)
    until(lambda: settled(pair.left.plane(), pair.right.plane()), BOUND_S, "all that left has come")
    left, right = pair.left.plane(), pair.right.plane()
    assert (left["drops"], right["drops"]) == ({}, {})
    assert min(left["bytes_out"], right["bytes_out"]) > 2 * (SIZE + sum(BURST))


def settled(left: dict[str, Any], right: dict[str, Any]) -> bool:
    """Whether inner packets and bytes that left at one end have come at the other."""
    words = ("packets", "bytes")
    return all(a[f"{word}_out"] == b[f"{word}_in"] for word in words for a, b in ((left, right), (right, left)))


def said(pair: Pair, outcome: Mapping[str, object]) -> None:
    """The outcome stands once in the log and in lispctl status."""
    features = pair.left.plane()["features"]
    assert {name: features[name] for name in outcome} == outcome
    (event,) = pair.left.events("data-plane")
    assert {name: event[name.replace("_", "-")] for name in outcome} == {n: str(what) for n, what in outcome.items()}
    text = pair.left.daemon.ctl("status")
    assert all(str(what) in text for what in outcome.values())


@pytest.mark.parametrize(
    ("case", "version"),
    [*((case, 4) for case in CONFIGURED), ("offload", 6), ("zero", 6), ("one-port", 6)],
)
def test_what_the_configuration_turns_off(lab: Lab, case: str, version: int) -> None:
    lines, outcome = CONFIGURED[case]
    pair = Pair(lab, version).start(lines)
    said(pair, outcome)
    sends_everything(pair)


@pytest.mark.parametrize("case", KERNELS)
def test_what_the_kernel_has_not(lab: Lab, case: str) -> None:
    code, outcome = KERNELS[case]
    pair = Pair(lab)
    pair.start(env=preload(lab, case, IN_FRONT + code))
    said(pair, outcome)
    sends_everything(pair)


@pytest.mark.parametrize("version", [4, 6], ids=["over-v4", "over-v6"])
def test_a_device_that_refuses_runs_loses_nothing(lab: Lab, version: int) -> None:
    pair = Pair(lab, version)
    pair.start(env=preload(lab, "eio", IN_FRONT + NO_RUNS))
    before = retransmissions(pair.left.host)
    sends_everything(pair)
    assert retransmissions(pair.left.host) == before, "the run that was refused was sent again by us, not by TCP"
    assert [event["interface"] for event in pair.left.events("segmentation-refused")] == ["eth0"], "said once"
    assert "none on interface" in pair.left.plane()["features"]["udp_segment"]
    assert pair.right.events("segmentation-refused") == []


def test_what_a_device_is_told_to_leave(lab: Lab) -> None:
    pair = Pair(lab).start()
    for device in ("lmn0", "eth0"):
        for command in (ETHTOOL_STSO, ETHTOOL_SGRO, ETHTOOL_SGSO, ETHTOOL_STXCSUM):
            for side in (pair.left, pair.right):
                device_offload(side.host, device, command, on=False)
            sends_everything(pair)
    assert pair.left.plane()["features"]["udp_segment"].endswith(" a run")
