"""What would keep answers to natively forwarded packets out: a strict reverse-path filter of a physical interface.

An answer comes in where the packet left, while the host's route to who answers leads into lmn0; for a strict filter
(RFC 3704 section 2.2) that is the wrong interface. IPv6 has no such setting.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

STRICT, LOOSE = (
    1,
    2,
)  # Documentation/networking/ip-sysctl.rst, rp_filter; the higher of `all` and the interface's counts


def strict_filters(interfaces: Iterable[str], root: Path = Path("/proc/sys")) -> list[str]:
    """A sentence with the remedy for each interface whose filter is strict. It is told and not changed."""
    problems = []
    for name in interfaces:
        if max(_value(root, "all"), _value(root, name)) == STRICT:
            problems.append(
                f"{name} drops what comes back to natively forwarded packets (strict rp_filter): "
                f"sysctl -w net.ipv4.conf.{name}.rp_filter={LOOSE}"
            )
    return problems


def _value(root: Path, name: str) -> int:
    try:
        return int((root / "net/ipv4/conf" / name / "rp_filter").read_text())
    except (OSError, ValueError):
        return 0
