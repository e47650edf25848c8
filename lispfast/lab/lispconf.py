"""Writes the lispd.conf files of the lab's nodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

KEY_TYPE_SHA256 = 2


@dataclass(frozen=True, slots=True)
class MobileNode:
    """A mobile node or, in that `mode`, an xTR: its EID-prefixes, the interfaces it may be reached at, best first."""

    eids: Sequence[str]
    interfaces: Sequence[str]
    map_server: str
    key: str
    proxy_reply: bool = False
    key_type: int = KEY_TYPE_SHA256
    rloc_versions: Sequence[int] = (4, 6)  # the preferred family first
    extra: str = ""
    mode: str = "MN"

    def render(self) -> str:
        """The text of its lispd.conf."""
        server = (
            f"    address     = {self.map_server}\n"
            f"    key-type    = {self.key_type}\n"
            f'    key         = "{self.key}"\n'
            f"    proxy-reply = {'on' if self.proxy_reply else 'off'}\n"
        )
        text = f"operating-mode = {self.mode}\nmap-resolver = {{ {self.map_server} }}\nmap-server {{\n{server}}}\n"
        for eid in self.eids:
            text += f"database-mapping {{\n    eid-prefix = {eid}\n{self._locators()}}}\n"
        return text + self.extra

    def _locators(self) -> str:
        lines = [
            f"    rloc-iface {{\n        interface  = {interface}\n        ip_version = {version}\n"
            f"        priority   = {priority}\n        weight     = 100\n    }}\n"
            for interface in self.interfaces
            for priority, version in enumerate(self.rloc_versions, start=1)
        ]
        return "".join(lines)


@dataclass(frozen=True, slots=True)
class MapServer:
    """A Map-Server and Map-Resolver: the EID-prefixes that may register, more-specifics too, all with one key."""

    eids: Sequence[str]
    key: str
    key_type: int = KEY_TYPE_SHA256
    extra: str = ""

    def render(self) -> str:
        """The text of its lispd.conf."""
        text = "operating-mode = MS\n"
        for eid in self.eids:
            key = f'    key-type   = {self.key_type}\n    key        = "{self.key}"\n'
            text += f"lisp-site {{\n    eid-prefix = {eid}\n{key}    accept-more-specifics = true\n}}\n"
        return text + self.extra
