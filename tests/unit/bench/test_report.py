from __future__ import annotations

from pathlib import Path

import pytest
from rounds import MACHINE, one_round

from bench.document import fill, table
from bench.throughput.figures import TARGETS, report
from bench.throughput.report import TARGET_NAMES, markdown, text

SETTINGS = {"rounds": 1, "seconds": 5}
IDLE = {"seconds": 60, "switches_before": 7, "switches_after": 9}


def full() -> dict[str, object]:
    return {**report([one_round()], MACHINE, IDLE, ["a step: why"]), "settings": SETTINGS}


def test_markdown_has_figures_targets_machine_and_failures() -> None:
    shown = markdown(full())
    assert "| `vxlan` | 10.00 (10.00 to 10.00) |" in shown
    assert "| TCP, 1 stream, lispfast to kernel VXLAN | at least 0.85 | 0.900 (0.900 to 0.900), met |" in shown
    assert "in 60 s | none | 2, **missed** |" in shown
    assert "a processor, 2 cores, 8 GiB, Linux 6.1.0" in shown
    assert "Not measured: a step: why" in shown
    assert "IPv6 underlay" in shown


def test_a_report_of_a_part_shows_that_part() -> None:
    rounds = [{"ipv4": {"veth": {"tcp1_gbps": 1.0}}}]
    part = {**report(rounds, MACHINE, None, []), "settings": SETTINGS}
    assert "IPv6" not in markdown(part)
    assert "Side by side" not in markdown(part)
    assert "1.00 (1.00 to 1.00)" in text(part)
    assert "Ping" not in text(part), "a figure that nobody has"
    assert text({**report([], MACHINE, None, []), "settings": SETTINGS}) == ""


def test_the_terminal_gets_no_markup() -> None:
    assert "missed" in text(full())
    assert "**" not in text(full())
    assert "`" not in text(full())


def test_every_target_has_a_name_for_readers() -> None:
    assert set(TARGET_NAMES) == {target.name for target in TARGETS}


def test_figures_are_put_between_their_comments(tmp_path: Path) -> None:
    document = tmp_path / "page.md"
    document.write_text("before\n<!-- a -->\nold\n<!-- /a -->\nafter\n<!-- b -->\n<!-- /b -->\n")
    fill(document, "a", "new\n")
    fill(document, "a", "newer\n")
    assert document.read_text() == "before\n<!-- a -->\n\nnewer\n\n<!-- /a -->\nafter\n<!-- b -->\n<!-- /b -->\n"
    with pytest.raises(ValueError, match="<!-- c -->"):
        fill(document, "c", "")


def test_a_table() -> None:
    assert table([["a", "b"], ["c", "1"]]) == "| a | b |\n| --- | ---: |\n| c | 1 |"
