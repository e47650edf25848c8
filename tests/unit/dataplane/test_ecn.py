"""RFC 6040 figure 4, written out."""

from __future__ import annotations

import ctypes

import pytest

NOT_ECT, ECT1, ECT0, CE, DROP = 0, 1, 2, 3, 4
FIGURE_4 = {
    # inner: (outer Not-ECT, ECT(0), ECT(1), CE)
    NOT_ECT: (NOT_ECT, NOT_ECT, NOT_ECT, DROP),
    ECT0: (ECT0, ECT0, ECT1, CE),
    ECT1: (ECT1, ECT1, ECT1, CE),
    CE: (CE, CE, CE, CE),
}


@pytest.mark.parametrize("inner", FIGURE_4)
def test_each_row(native: ctypes.CDLL, inner: int) -> None:
    row = tuple(native.lf_ecn_combine(inner, outer) for outer in (NOT_ECT, ECT0, ECT1, CE))
    assert row == FIGURE_4[inner]
