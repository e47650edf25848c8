"""Map-Versions in Map-Registers: an older one than the registered is dropped in silence (RFC 9302 section 5)."""

from dataclasses import replace

import pytest

from lispfast.control.map_server import MapServer
from lispfast.model.mapping import Mapping
from lispfast.model.reasons import ControlReason
from lispfast.model.settings import Hints, Mode, Profile, Settings
from lispfast.wire.map_register import MapRegister
from lispfast.wire.records import record_from_mapping

from .ms_helpers import Bench, mapping, register, site


def serving(profile=Profile.PRIVATE, versioning=True):
    bench = Bench(site("10.0.0.0/24"))
    hints = Hints(map_versioning=versioning)
    configured = Settings(Mode.MS, profile=profile, hints=hints, sites=(site("10.0.0.0/24"),))
    bench.server = MapServer(configured, lambda: 0, {})
    return bench


def versioned(nonce: int, version: int, rloc: str = "192.0.2.7") -> MapRegister:
    told: Mapping = replace(mapping("10.0.0.0/24", rloc), version=version)
    return register(nonce, record_from_mapping(told))


def test_an_older_version_is_dropped_counted_and_not_acknowledged():
    bench = serving()
    bench.register(versioned(1, 7))
    bench.take()
    assert bench.register(versioned(2, 6, "192.0.2.8")) == []
    assert bench.registered() == {"10.0.0.0/24": ["192.0.2.7"]}
    assert bench.dropped == {ControlReason.VERSION_OLD: 1}
    assert bench.register(versioned(2, 8, "192.0.2.9")), "its nonce was not used up"
    assert bench.registered() == {"10.0.0.0/24": ["192.0.2.9"]}


@pytest.mark.parametrize("version", [0, 7, 8, 2000, 7 + 2048])
def test_the_same_a_newer_and_no_version_are_taken(version):
    bench = serving()
    bench.register(versioned(1, 7))
    bench.register(versioned(2, version, "192.0.2.8"))
    assert bench.registered() == {"10.0.0.0/24": ["192.0.2.8"]}


@pytest.mark.parametrize("how", [{"profile": Profile.PUBLIC}, {"versioning": False}])
def test_where_versions_are_not_in_use_they_do_not_count(how):
    bench = serving(**how)
    bench.register(versioned(1, 7))
    bench.register(versioned(2, 6, "192.0.2.8"))
    assert bench.registered() == {"10.0.0.0/24": ["192.0.2.8"]}
