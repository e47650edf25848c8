"""A run: cell after cell, round after round, a fresh process for each step."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bench.lookup import process
from bench.lookup.build import ROOT, Tools
from bench.lookup.cells import OBJECTS_MAX, STEPS, Cell, Plan, Step
from bench.lookup.figures import FIGURES, report

Run = Callable[[list[str], int, float, Mapping[str, str]], process.Figures]


class Session:
    """Samples of a run as they come. `failures` are ours alone: what a rival cannot do is a reason in its cell."""

    def __init__(self, plan: Plan, tools: Tools, machine: Mapping[str, Any], say: Callable[[str], None]) -> None:
        self.plan, self.tools, self.machine = plan, tools, dict(machine)
        self.found: dict[Cell, dict[str, list[float | None]]] = {}
        self.reasons: dict[Cell, dict[str, str]] = {}
        self.notes: dict[str, str] = {}
        self.failures: list[str] = []
        self._say = say
        self._run: Run = process.run

    def run(self, directory: Path, store: Callable[[], None]) -> None:
        """Measure everything; `store` is called after each cell. The file of one cell is in `directory` at a time."""
        for cell in self.plan.cells():
            path = directory / cell.name
            try:
                self._make(cell, path)
                self._measure(cell, path)
            except process.ProcessError as error:
                self.failures.append(f"{cell.name}: {error}")
            finally:
                path.unlink(missing_ok=True)
            store()

    def _make(self, cell: Cell, path: Path) -> None:
        plan = self.plan
        words = [
            str(path),
            str(cell.family),
            str(cell.size),
            cell.mix,
            str(plan.hits),
            str(plan.misses),
            str(plan.seed),
        ]
        self._say(f"{cell.name}: table and keys")
        self._run([str(self.tools.programs["make"]), *words], process.room(), plan.limit, {})

    def _measure(self, cell: Cell, path: Path) -> None:
        rounds = self.plan.rounds_of(cell)
        self.found[cell] = {key: [None] * rounds for key in FIGURES}
        asked = {step.contender for step in self.plan.steps}
        self.reasons[cell] = {step.name: "not asked for" for step in STEPS if step.contender not in asked}
        for number in range(rounds):
            for step in self.plan.order(number):
                if step.name not in self.reasons[cell]:
                    self._step(cell, path, step, number)

    def _step(self, cell: Cell, path: Path, step: Step, number: int) -> None:
        try:
            figures = self._figures(cell, path, step)
        except process.ProcessError as error:
            self.reasons[cell][step.name] = str(error)
            if step.contender in ("lispfast", "python") and step.name != "objects":
                self.failures.append(f"{cell.name}, {step.name}: {error}")
            self._say(f"{cell.name}: {step.name}: none: {error}")
            return
        for key in step.keys:
            value = figures.get(key)
            self.found[cell][key][number] = value if isinstance(value, float) else None
        self.notes |= {key: value for key, value in figures.items() if isinstance(value, str)}
        shown = ", ".join(f"{key} {figures[key]:.4g}" for key in step.keys if isinstance(figures.get(key), float))
        self._say(f"{cell.name}: round {number + 1}: {step.name}: {shown}")

    def _figures(self, cell: Cell, path: Path, step: Step) -> process.Figures:
        if why := self.tools.absent.get(step.contender):
            raise process.ProcessError(why)
        if step.name == "objects" and cell.size > OBJECTS_MAX:
            raise process.ProcessError(f"not tried above {OBJECTS_MAX:,} mappings: as objects they take some 2 kB each")
        memory = process.room()
        return self._run(self._command(path, step, memory), memory, self.plan.limit, {"PYTHONPATH": str(ROOT)})

    def _command(self, path: Path, step: Step, memory: int) -> list[str]:
        programs, seconds = self.tools.programs, f"{self.plan.seconds:g}"
        modules = [sys.executable, "-P", "-m"]
        match step.name:
            case "speed":
                return [str(programs["speed"]), str(path), seconds]
            case "load" | "load_shared":
                return [str(programs["load"]), str(path), "own" if step.name == "load" else "shared"]
            case "structure":
                return [str(programs["structure"]), str(path)]
            case "rte_fib":
                return [str(programs["fib"]), str(path), str(memory >> 20), seconds]
            case "python" | "objects":
                return [*modules, "bench.lookup.api", step.name, str(path), seconds]
        tree = str(self.tools.pythons[step.name])
        return [tree, "-P", "-m", "bench.lookup.trees", step.name, str(path), seconds]

    def report(self) -> dict[str, Any]:
        """What there is so far."""
        plan = self.plan
        settings = {
            "rounds": plan.rounds,
            "seconds": plan.seconds,
            "limit_s": plan.limit,
            "seed": plan.seed,
            "hits": plan.hits,
            "misses": plan.misses,
            **self.notes,
        }
        whole = report(self.found, self.reasons, self.machine)
        return {**whole, "settings": settings, "failures": list(self.failures)}
