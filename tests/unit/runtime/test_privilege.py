from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from lispfast.model.errors import PrivilegeError
from lispfast.runtime.privilege import (
    allow_descriptors,
    keep_net_raw,
    require_net_admin,
    require_tun_device,
    tun_device_error,
)


@pytest.mark.parametrize("capabilities", ["0000000000000000", "ffffffffffffefff"])
def test_without_net_admin(tmp_path: Path, capabilities: str) -> None:
    status = tmp_path / "status"
    status.write_text(f"Name:\tx\nCapPrm:\tffffffffffffffff\nCapEff:\t{capabilities}\n")
    with pytest.raises(PrivilegeError, match="CAP_NET_ADMIN is missing: start lispd-fast as root"):
        require_net_admin(status)


def test_with_net_admin_alone(tmp_path: Path) -> None:
    status = tmp_path / "status"
    status.write_text("CapEff:\t0000000000001000\n")
    require_net_admin(status)


def test_without_the_tun_device(tmp_path: Path) -> None:
    missing = str(tmp_path / "tun")
    with pytest.raises(PrivilegeError, match="does not exist: run `modprobe tun`"):
        require_tun_device(missing)
    Path(missing).write_text("")
    require_tun_device(missing)


def test_each_refusal_has_its_remedy() -> None:
    assert "start lispd-fast as root" in str(tun_device_error("/dev/net/tun", PermissionError(13, "no")))
    assert "modprobe" in str(tun_device_error("/dev/net/tun", OSError(19, os.strerror(19))))


def test_as_many_descriptors_as_the_host_allows() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (before[1] - 1, before[1]))
        allow_descriptors()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (before[1], before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.parametrize(("own_session", "written"), [(True, "-10\n"), (False, "")])
def test_priority_is_raised_in_a_session_of_our_own_alone(tmp_path: Path, own_session: bool, written: str) -> None:
    autogroup = tmp_path / "autogroup"
    autogroup.write_text("")
    program = "import sys, pathlib; from lispfast.runtime.privilege import raise_priority as r; "
    program += "r(pathlib.Path(sys.argv[1])); r(pathlib.Path('/nowhere/autogroup'))"
    command = [sys.executable, "-c", program, str(autogroup)]
    subprocess.run(command, check=True, timeout=30, start_new_session=own_session)
    assert autogroup.read_text() == written


@pytest.mark.parametrize("capabilities", ["0000000000001000", "ffffffffffffdfff"])
def test_native_forward_without_net_raw(tmp_path: Path, capabilities: str) -> None:
    status = tmp_path / "status"
    status.write_text(f"CapPrm:\tffffffffffffffff\nCapEff:\t{capabilities}\n")
    with pytest.raises(PrivilegeError, match=r"CAP_NET_RAW is missing, .*native-forward = off"):
        keep_net_raw(True, status)
    keep_net_raw(False, status)


@pytest.mark.parametrize("needed", [True, False])
def test_net_raw_is_kept_for_native_forward_alone(needed: bool) -> None:
    before = capabilities_of("/proc/self/status")
    program = "import sys; from lispfast.runtime.privilege import keep_net_raw as k; "
    program += "k(sys.argv[1] == 'True'); print(open('/proc/thread-self/status').read())"
    done = subprocess.run([sys.executable, "-c", program, str(needed)], capture_output=True, text=True, timeout=30)
    if not before["CapEff"] >> 13 & 1:
        pytest.skip("this process has no CAP_NET_RAW to give away")
    after = capabilities_of(done.stdout)
    raw = 0 if needed else 1 << 13
    assert after["CapEff"] == before["CapEff"] & ~raw
    assert after["CapPrm"] == before["CapPrm"] & ~raw


def capabilities_of(status: str) -> dict[str, int]:
    text = Path(status).read_text() if status.startswith("/proc") else status
    lines = (line.split(":") for line in text.splitlines() if line.startswith("Cap"))
    return {name: int(value, 16) for name, value in lines}
