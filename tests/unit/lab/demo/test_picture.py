from __future__ import annotations

from pathlib import Path

import pytest

from lispfast.lab.demo.handover import Handover
from lispfast.lab.demo.story import Recording
from lispfast.lab.demo.timeline import Moment
from lispfast.lab.download import Sample

picture = pytest.importorskip("lispfast.lab.demo.picture", reason="matplotlib is not installed")

MS = 1_000_000
LEFT = 2_000 * MS


def recording(gap: int) -> Recording:
    samples = [Sample(at * MS, at * 40_000) for at in range(0, 8_000, 5)]
    new = LEFT + (10 + gap) * MS
    probes = [(LEFT - n * MS, 1.0, False) for n in range(50)] + [(new + n * MS, 2.0, True) for n in range(50)]
    handover = Handover(LEFT, LEFT + 10 * MS, LEFT - MS, new, 60, 1000, 12, 12, 0)
    moments = [
        Moment(LEFT, "phone", "link event: wlan0 is told to go down"),
        Moment(LEFT + 2 * MS, "router capture", "Map-Register, phone to ms, at bs0"),
        Moment(LEFT + 3 * MS, "router capture", "SMR, phone to laptop, at bs0"),
        Moment(new, "phone", "first probe by LTE, number 60"),
    ]
    return Recording(samples, probes, handover, moments, 320_000_000, [("12 ms", "gap")])


@pytest.mark.parametrize("gap", [0, 12, 400])
def test_both_files_are_drawn_with_what_happened(tmp_path: Path, gap: int) -> None:
    files = [tmp_path / "a.png", tmp_path / "a.svg"]
    picture.draw(recording(gap), files)
    assert files[0].read_bytes().startswith(b"\x89PNG")
    assert files[1].read_text().startswith("<?xml")


def test_marks_are_the_first_of_their_kind_after_the_link_event() -> None:
    moments = [
        Moment(5 * MS, "router capture", "Map-Register, phone to ms, at ap0"),
        Moment(12 * MS, "router capture", "Map-Register, phone to ms, at bs0"),
        Moment(13 * MS, "router capture", "Map-Register, phone to ms, at bs0"),
        Moment(11 * MS, "phone daemon", "source-locator-changed new=198.51.100.10 interface=wwan0"),
    ]
    moments.append(Moment(10 * MS, "phone daemon", "source-locator-changed new=none interface=none"))
    assert picture._marks(moments, 10 * MS) == [(1.0, "source locator changed"), (2.0, "Map-Register")]
