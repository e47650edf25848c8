"""The walk over a role finds what is kept wherever it is kept."""

from __future__ import annotations

from enum import StrEnum

from lispfast.model.units import Minutes
from tests.sim.crowd import TRAVELLER, Crowd, eid
from tests.sim.host import interface
from tests.sim.sizes import sizes, strangers


def test_what_is_kept_is_counted_and_a_leak_shows():
    crowd = Crowd(peers=3, registering=1, ttl=Minutes(10), node_settings={"rloc_lookup": False})
    crowd.network.run(61)
    crowd.traveller.attach(interface("eth0", "198.51.100.1"))
    crowd.traveller.start()
    before = sizes(crowd.traveller.role)
    for n in range(3):
        crowd.traveller.send(TRAVELLER, eid(n), n)
    crowd.network.run(1)
    assert [peer.serials for peer in crowd.peers] == [[0], [1], [2]]
    grown = sizes(crowd.traveller.role) - before
    assert grown[".cache._entries._values"] == 3
    assert grown[".prober._paths"] == 3


class State(StrEnum):
    SOMEWHERE = "somewhere"
    ADRIFT = "adrift"


TABLE = {(State.SOMEWHERE, "fact"): (State.SOMEWHERE, "nothing")}


def test_a_machine_outside_its_table_is_found():
    crowd = Crowd(peers=0, registering=0, ttl=Minutes(10))
    crowd.traveller.start()
    role = crowd.traveller.role
    assert strangers(role) == []
    role.solicitor.state = State.SOMEWHERE
    assert strangers(role) == []
    role.solicitor.state = State.ADRIFT
    assert strangers(role) == [".solicitor: <State.ADRIFT: 'adrift'>"]
