"""The table under readers, sleepers, full rings and a writer; the environment is that of test_native."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_native import SANITIZERS, SEED, TIMES, compile_harness, run


@pytest.mark.parametrize("sanitizer", SANITIZERS)
def test_a_reader_sees_all_of_a_transaction_or_none(tmp_path: Path, sanitizer: str) -> None:
    program = compile_harness("stress", sanitizer, tmp_path)
    assert "refused" in run(program, SEED, {"asan": 20_000, "tsan": 5_000}[sanitizer] * TIMES)
