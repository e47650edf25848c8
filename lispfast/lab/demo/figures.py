"""The demo's figures, their JSON and their table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

# What the project promises, and what a step must reach to count as done.
GAP_TARGET_MS = 100.0
REGISTERED_TARGET_MS = 500.0


@dataclass(slots=True)
class Figures:
    """What one run of the demo measured; None is what it did not come to. Durations in milliseconds."""

    registered_ms: float | None = None
    first_ping_ms: float | None = None
    first_packets_lost: int | None = None
    ping_v4_ok: bool = False
    ping_v6_ok: bool = False
    bytes: int = 0
    sha256_ok: bool = False
    gbps: float | None = None
    gap_ms: float | None = None
    lost: int | None = None
    lost_in_move: int = 0  # told, but not part of the JSON
    tcp_stall_ms: float | None = None
    routes_restored: bool = False
    failures: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether every step was done; a figure over its target is told, but is no failed step."""
        measured = None not in (self.registered_ms, self.first_ping_ms, self.gap_ms, self.lost, self.tcp_stall_ms)
        done = self.ping_v4_ok and self.ping_v6_ok and self.first_packets_lost == 0 and self.sha256_ok
        return measured and done and self.routes_restored and not self.failures

    def as_json(self) -> dict[str, Any]:
        """The figures in the form of `--json`."""
        return {
            "registered_ms": _rounded(self.registered_ms),
            "first_ping_ms": _rounded(self.first_ping_ms),
            "first_packets_lost": self.first_packets_lost,
            "ping_v4_ok": self.ping_v4_ok,
            "ping_v6_ok": self.ping_v6_ok,
            "download": {"bytes": self.bytes, "sha256_ok": self.sha256_ok, "gbps": _rounded(self.gbps)},
            "handover": {
                "gap_ms": _rounded(self.gap_ms),
                "lost": self.lost,
                "tcp_stall_ms": _rounded(self.tcp_stall_ms),
            },
            "routes_restored": self.routes_restored,
            "ok": self.ok,
        }

    def facts(self) -> list[tuple[str, str]]:
        """The figures that stand beside the picture: value and name."""
        return [
            (f"{self.gap_ms or 0:.1f} ms", "gap, once the new link was usable"),
            (f"{self.tcp_stall_ms or 0:.0f} ms", "TCP stood still"),
            (f"{self.gbps or 0:.2f} Gbit/s", "mean of the whole download"),
            ("SHA-256 matches" if self.sha256_ok else "SHA-256 DIFFERS", "over one TCP connection"),
            (f"{self.registered_ms or 0:.0f} ms", "from exec to the Map-Notify"),
        ]

    def table(self) -> list[str]:
        """The figures as lines to read."""
        rows = [
            ("registered, from exec to Map-Notify", _ms(self.registered_ms, REGISTERED_TARGET_MS)),
            ("first ping, first packet", _ms(self.first_ping_ms)),
            ("packets lost on first contact", _number(self.first_packets_lost)),
            ("ping over IPv4, IPv6", f"{_word(self.ping_v4_ok)}, {_word(self.ping_v6_ok)}"),
            ("download", f"{self.bytes / 2**20:.0f} MiB at {_number(_rounded(self.gbps))} Gbit/s in the mean"),
            ("SHA-256 of the download", _word(self.sha256_ok)),
            ("handover: gap", _ms(self.gap_ms, GAP_TARGET_MS)),
            ("probes lost, in the move and elsewhere", _lost(self.lost, self.lost_in_move)),
            ("handover: TCP stood still", _ms(self.tcp_stall_ms)),
            ("routes and rules restored", _word(self.routes_restored)),
        ]
        width = max(len(name) for name, _value in rows)
        return [f"{name:<{width}}  {value}" for name, value in rows]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _number(value: float | None) -> str:
    return "not measured" if value is None else f"{value}"


def _lost(lost: int | None, in_move: int) -> str:
    return "not measured" if lost is None else f"{lost} ({in_move} and {lost - in_move})"


def _word(value: bool) -> str:
    return "ok" if value else "FAILED"


def _ms(value: float | None, target: float | None = None) -> str:
    if value is None:
        return "not measured"
    if target is None:
        return f"{value:.1f} ms"
    return f"{value:.1f} ms ({'within' if value <= target else 'OVER'} the {target:.0f} ms aimed at)"
