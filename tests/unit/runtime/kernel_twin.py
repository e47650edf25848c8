"""A slow, simple kernel: applies changes to a HostView as Linux would, as far as the planner can tell."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import replace

from lispfast.model.units import WireMtu
from lispfast.runtime.changes import Change, Flag, Message
from lispfast.runtime.hostview import HostAddress, HostView, Link, Route, Rule
from lispfast.runtime.rtnl import attributes, decode_route, decode_rule

IFLA_MTU = 4  # linux/if_link.h


class RefusedError(Exception):
    pass


class Kernel:
    def __init__(self, view: HostView) -> None:
        self.links: list[Link] = list(view.links)
        self.addresses: list[HostAddress] = list(view.addresses)
        self.routes: list[Route] = list(view.routes)
        self.rules: list[Rule] = list(view.rules)

    def view(self) -> HostView:
        # The kernel tells a table's routes by destination and metric; of equal ones the first in its list is first.
        routes = sorted(self.routes, key=lambda r: (r.version, r.table, str(r.destination), r.metric))
        return HostView(tuple(self.links), tuple(self.addresses), tuple(routes), tuple(self.rules))

    def apply(self, changes: Iterable[Change]) -> None:
        for change in changes:
            self.change(change)

    def change(self, change: Change) -> None:
        match change.message:
            case Message.NEWROUTE:
                self._new_route(change)
            case Message.DELROUTE:
                self._delete_route(change)
            case Message.NEWRULE:
                rule = decode_rule(change.body)
                assert rule is not None
                self.rules.append(rule)
            case Message.DELRULE:
                self.rules = [rule for rule in self.rules if rule.body != change.body]
            case Message.SETLINK:
                self._set_link(change)
            case other:
                raise AssertionError(other)

    def _set_link(self, change: Change) -> None:
        index = struct.unpack_from("=i", change.body, 4)[0]
        said = dict(attributes(change.body[16:]))
        if IFLA_MTU in said:
            mtu = WireMtu(struct.unpack("=I", said[IFLA_MTU])[0])
            self.links = [replace(link, mtu=mtu) if link.index == index else link for link in self.links]

    def remove_link(self, index: int) -> None:
        self.links = [link for link in self.links if link.index != index]
        self.routes = [route for route in self.routes if index not in route.indices]

    def _new_route(self, change: Change) -> None:
        route = decode_route(change.body)
        assert route is not None
        rivals = [r for r in self.routes if _slot(r) == _slot(route)]
        if rivals and change.flags & Flag.EXCLUSIVE:
            raise RefusedError(change.text)
        if any(r.identity() == route.identity() for r in rivals):
            return
        if rivals and change.flags & Flag.REPLACE:
            self.routes[self.routes.index(rivals[0])] = route
        else:
            self.routes.append(route)

    def _delete_route(self, change: Change) -> None:
        gone = decode_route(change.body)
        assert gone is not None
        for route in sorted(self.routes, key=lambda r: r.metric):
            # On IPv4 a metric of 0 means any.
            same = _slot(route) == _slot(gone) or (gone.version == 4 and not gone.metric)
            if route.table == gone.table and same and route.identity(0) == gone.identity(0):
                self.routes.remove(route)
                return


def _slot(route: Route) -> tuple[object, ...]:
    return route.table, route.destination, route.metric, route.tos
