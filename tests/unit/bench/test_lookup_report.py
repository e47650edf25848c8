from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from rounds import MACHINE

from bench.lookup.__main__ import choice, sizes
from bench.lookup.build import Tools
from bench.lookup.cells import CONTENDERS, STEPS, Cell, Plan
from bench.lookup.figures import FIGURES, TARGETS, report
from bench.lookup.process import ProcessError
from bench.lookup.report import COSTS, SPEEDS, markdown, number, text
from bench.lookup.session import Session

ASKED = {
    *("lispfast_batch_mps", "lispfast_single_mps", "lispfast_python_mps", "miss_batch_mps", "rte_fib_mps"),
    *("rte_fib_miss_mps", "pytricia_mps", "pyradix_mps", "bytes_per_entry", "bytes_per_mapping_total", "load_s"),
    *("batch_mps_under_updates", "peak_rss_mb"),
}
MILLION = Cell(4, 1_000_000, "mixed")
TOOLS = Tools(
    {name: Path(name) for name in ("make", "speed", "load", "structure", "fib")},
    {name: Path("python") for name in ("pytricia", "pyradix")},
)


class Machine:
    """Programs that bring 2 for every figure, but for those that fail."""

    def __init__(self, failing: Mapping[str, str]) -> None:
        self.failing, self.commands = failing, list[list[str]]()

    def run(self, command: list[str], _memory: int, _seconds: float, _env: Mapping[str, str]) -> dict[str, float | str]:
        self.commands.append(command)
        if command[0] == "make":
            Path(command[1]).touch()
        for word, reason in self.failing.items():
            if word in command:
                raise ProcessError(reason)
        return {**dict.fromkeys(FIGURES, 2.0), "rte_fib_type": "AVX-512", "rte_fib_version": "DPDK 22"}


def session(directory: Path, failing: Mapping[str, str] | None = None, **words: Any) -> tuple[Session, Machine]:
    plan = Plan(**{"families": (4,), "sizes": (1000,), "mixes": ("mixed",), **words})
    run, machine = Session(plan, TOOLS, MACHINE, lambda _line: None), Machine(failing or {})
    run._run = machine.run
    run.run(directory, lambda: None)
    return run, machine


def test_every_figure_asked_for_is_in_a_cell(tmp_path: Path) -> None:
    run, _machine = session(tmp_path)
    whole = run.report()
    assert set(whole) == {"v4", "v6", "targets", "machine", "settings", "failures"}
    cell = whole["v4"]["1000"]["mixed"]
    assert set(cell) >= ASKED
    assert all(cell[key] == 2.0 for key in FIGURES)
    assert (cell["reasons"], whole["failures"], whole["v6"]) == ({}, [], {})
    assert json.loads(json.dumps(whole)) == whole
    assert list(tmp_path.iterdir()) == [], "a cell's file goes when it is measured"


def test_each_round_is_a_process_a_step_and_begins_with_another(tmp_path: Path) -> None:
    _run, machine = session(tmp_path, rounds=2)
    assert len(machine.commands) == 1 + 2 * len(STEPS)
    assert machine.commands[1] != machine.commands[1 + len(STEPS)]
    _run, machine = session(tmp_path, rounds=2, sizes=(10_000_000,))
    assert len(machine.commands) == 1 + len(STEPS) - 1, "one round, and not as objects"


def test_what_a_rival_cannot_do_is_null_with_the_reason(tmp_path: Path) -> None:
    run, machine = session(tmp_path, {"fib": "needs 30 GiB"}, rounds=3)
    cell = run.report()["v4"]["1000"]["mixed"]
    assert (cell["rte_fib_mps"], cell["reasons"]) == (None, {"rte_fib": "needs 30 GiB"})
    assert run.failures == []
    assert sum(command[0] == "fib" for command in machine.commands) == 1, "it is not asked again"


def test_what_ours_cannot_do_is_a_failure(tmp_path: Path) -> None:
    run, _machine = session(tmp_path, {"structure": "no memory"})
    assert run.failures == ["v4-1000-mixed, structure: no memory"]
    run, _machine = session(tmp_path, {"make": "no room"})
    assert run.failures == ["v4-1000-mixed: no room"]
    assert run.report()["v4"] == {}


def test_who_was_not_asked_says_so(tmp_path: Path) -> None:
    run, machine = session(tmp_path, contenders=("pytricia",))
    cell = run.report()["v4"]["1000"]["mixed"]
    assert cell["reasons"]["speed"] == "not asked for"
    assert [command[0] for command in machine.commands[1:]] == ["python"] * 3


def judged(**samples: list[float | None]) -> dict[str, Any]:
    return report({MILLION: samples}, {}, MACHINE)["targets"]["v4"]


def test_a_ratio_is_the_median_of_the_rounds() -> None:
    entry = judged(lispfast_batch_mps=[60.0, 120.0, 50.0], rte_fib_mps=[50.0, 60.0, None])["batch_vs_rte_fib_mixed"]
    assert (entry["value"], entry["min"], entry["max"], entry["met"]) == (1.6, 1.2, 2.0, True)
    missing = judged(lispfast_batch_mps=[60.0])["batch_vs_rte_fib_mixed"]
    assert (missing["value"], missing["met"]) == (None, None)


def test_bounds_from_above() -> None:
    assert judged(load_s=[1.5, 0.9])["load_s"]["met"] is False
    assert judged(load_s=[1.0])["load_s"]["met"] is True
    hosts = {Cell(6, 1_000_000, "hosts"): {"bytes_per_entry": [97.0]}, Cell(6, 1_000_000, "mixed"): {}}
    assert report(hosts, {}, MACHINE)["targets"]["v6"]["bytes_per_entry"]["met"] is False


def test_ten_million_is_held_against_one() -> None:
    found = {
        MILLION: {"lispfast_batch_mps": [80.0, 100.0]},
        Cell(4, 10_000_000, "mixed"): {"lispfast_batch_mps": [45.0]},
    }
    assert report(found, {}, MACHINE)["targets"]["v4"]["ten_million_vs_one"]["value"] == 0.5


def test_the_document_has_tables_targets_and_reasons(tmp_path: Path) -> None:
    run, _machine = session(tmp_path, {"pyradix": "no such package"}, sizes=(1_000_000,))
    shown = markdown(run.report())
    assert "| 1,000,000 mixed | 2.00 |" in shown
    assert "`pyradix`: no such package (IPv4 1,000,000 mixed)" in shown
    assert "at least 1.2 | 1.00, **missed** |" in shown
    assert "a processor, 2 cores" in shown
    assert "DPDK 22, lookups by AVX-512" in shown
    assert "py-radix" not in shown.replace("no such package", "")
    assert "**" not in text(run.report())


def test_every_column_is_a_figure_and_every_target_has_words() -> None:
    assert {*SPEEDS, *COSTS} <= set(FIGURES)
    assert len({target.words for target in TARGETS}) == len(TARGETS)
    assert number(None) == ""
    assert [number(value) for value in (12345.6, 12.34, 1.234, 0.0123)] == ["12,346", "12.3", "1.23", "0.0123"]


def test_options() -> None:
    assert sizes("1000,10") == (10, 1000)
    assert choice(CONTENDERS)("pytricia,lispfast") == ("lispfast", "pytricia")
    for words in ("0", "16777216"):
        with pytest.raises(argparse.ArgumentTypeError):
            sizes(words)
    with pytest.raises(argparse.ArgumentTypeError, match="no other"):
        choice(CONTENDERS)("other")
