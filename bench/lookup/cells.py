"""What is measured: tables, contenders, and the steps of each; nothing here measures."""

from __future__ import annotations

from dataclasses import dataclass

FAMILIES = (4, 6)
MIXES = ("mixed", "hosts")
SIZES = (1_000, 100_000, 1_000_000, 10_000_000)
SIZE_MAX = (1 << 24) - 1
ONCE_FROM = 5_000_000  # ours: of tables of that size there is one round
OBJECTS_MAX = 2_000_000  # ours: mappings as Python objects, of some 2 kB each


@dataclass(frozen=True, slots=True)
class Cell:
    """A table and its keys."""

    family: int
    size: int
    mix: str

    @property
    def name(self) -> str:
        """For people and files."""
        return f"v{self.family}-{self.size}-{self.mix}"


@dataclass(frozen=True, slots=True)
class Step:
    """A program over a cell: of which contender, and the figures that it brings."""

    name: str
    contender: str
    keys: tuple[str, ...]


# The figures that make up a cell of the report. The order is that of the steps within a round.
STEPS = (
    Step(
        "speed",
        "lispfast",
        (
            *("lispfast_batch_mps", "lispfast_single_mps", "miss_batch_mps", "batch_mps_under_updates"),
            *("updates_per_s", "commit_us", "commit_p99_us"),
        ),
    ),
    Step("rte_fib", "rte_fib", ("rte_fib_mps", "rte_fib_miss_mps", "rte_fib_bytes_per_entry", "rte_fib_load_s")),
    Step("load", "lispfast", ("load_s", "bytes_per_mapping_total", "peak_rss_mb")),
    Step("load_shared", "lispfast", ("load_shared_s", "bytes_per_mapping_shared")),
    Step("structure", "lispfast", ("bytes_per_entry", "bytes_per_entry_used")),
    Step("python", "python", ("lispfast_python_mps", "lispfast_python_single_mps", "load_tuples_s")),
    Step("objects", "python", ("load_objects_s",)),
    Step("pytricia", "pytricia", ("pytricia_mps", "pytricia_bytes_per_entry", "pytricia_load_s")),
    Step("pyradix", "pyradix", ("pyradix_mps", "pyradix_bytes_per_entry", "pyradix_load_s")),
)
CONTENDERS = tuple(dict.fromkeys(step.contender for step in STEPS))


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run does. `seconds` is the least that each measure lasts, `limit` the most that a program may take."""

    families: tuple[int, ...] = FAMILIES
    sizes: tuple[int, ...] = SIZES
    mixes: tuple[str, ...] = MIXES
    contenders: tuple[str, ...] = CONTENDERS
    rounds: int = 3
    seconds: float = 1.0
    limit: float = 900.0
    hits: int = 1 << 22
    misses: int = 1 << 20
    seed: int = 1

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps of one round over one cell."""
        return tuple(step for step in STEPS if step.contender in self.contenders)

    def cells(self) -> list[Cell]:
        """Every table, the small ones first."""
        return [Cell(family, size, mix) for size in self.sizes for family in self.families for mix in self.mixes]

    def rounds_of(self, cell: Cell) -> int:
        """How often it is measured."""
        return 1 if cell.size >= ONCE_FROM else self.rounds

    def order(self, number: int) -> tuple[Step, ...]:
        """A round's steps: each round begins with another one."""
        steps = self.steps
        at = number % len(steps)
        return steps[at:] + steps[:at]

    def estimate(self) -> float:
        """Seconds that it will take, roughly; from a run on two cores of a server."""
        return sum(self.rounds_of(cell) * (20 * self.seconds + cell.size * 45e-6) for cell in self.cells())
