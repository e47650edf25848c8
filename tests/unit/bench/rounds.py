"""Rounds as a run brings them."""

from __future__ import annotations

from typing import Any

MACHINE = {
    "cpu": "a processor",
    "cores": 2,
    "memory_gib": 8.0,
    "kernel": "6.1.0",
    "iperf3": "iperf 3.12",
    "compiler": "cc 12",
    "commit": "0123456",
    "date": "2026-11-22T21:00:00+00:00",
    "busy_before": 0.01,
}


def row(scale: float) -> dict[str, float]:
    return {
        "tcp1_gbps": 10 * scale,
        "tcp4_gbps": 20 * scale,
        "udp64_mpps": 0.2 * scale,
        "udp64_flood_mpps": 0.3 * scale,
        "rtt_ms": 0.01 / scale,
        "cpu_s_per_gb": 1 / scale,
    }


def one_round(vxlan: float = 1.0, lispfast: float = 0.9) -> dict[str, dict[str, Any]]:
    rows = {"veth": row(2.0), "vxlan": row(vxlan), "lispfast_plain": row(0.2), "lispfast": row(lispfast)}
    return {"ipv4": rows, "ipv6": rows}
