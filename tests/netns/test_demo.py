"""The demo as a newcomer runs it, with the real daemons."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

FIGURES = {
    "registered_ms", "first_ping_ms", "first_packets_lost", "ping_v4_ok", "ping_v6_ok", "download", "handover",
    "routes_restored", "ok",
}  # fmt: skip
MOVE = (
    "link event: wlan0",
    "new=198.51.100.10 interface=wwan0",
    "Map-Register, phone to ms",
    "map-register-accepted",
    "Map-Notify, ms to phone",
    "SMR, phone to laptop",
    "SMR-invoked Map-Request, laptop to ms",
    "Map-Reply, phone to laptop",
    "first probe by LTE",
)


def test_the_demo_tells_the_whole_move_and_leaves_its_figures_and_pictures(tmp_path: Path) -> None:
    """Nothing here is timed but by the demo itself: how fast it was is a figure, not a test."""
    figures, out = tmp_path / "figures.json", tmp_path / "out"
    command = [sys.executable, "-m", "lispfast.lab.demo", "--json", str(figures), "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(figures.read_text())
    assert set(told) == FIGURES
    assert set(told["download"]) == {"bytes", "sha256_ok", "gbps"}
    assert set(told["handover"]) == {"gap_ms", "lost", "tcp_stall_ms"}
    assert (told["ok"], told["first_packets_lost"], told["routes_restored"]) == (True, 0, True)
    assert told["download"]["bytes"] >= 512 << 20
    at = 0
    for moment in MOVE:
        assert moment in done.stdout[at:], f"{moment!r} is missing, or not in its order:\n{done.stdout}"
        at = done.stdout.index(moment, at)
    assert (out / "handover.png").read_bytes().startswith(b"\x89PNG")
    assert (out / "handover.svg").read_text().rstrip().endswith("</svg>")
    assert (out / "move.pcap").stat().st_size > 0
