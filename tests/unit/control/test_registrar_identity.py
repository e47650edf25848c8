"""The xTR-ID and Site-ID of a node in its Map-Registers (RFC 9301 section 5.6)."""

from __future__ import annotations

import pytest

from lispfast.wire.identity import XtrIdentity

from . import mn_helpers as mn

XTR_ID, SITE_ID = bytes(range(16)), bytes(range(8))


def test_ids_that_are_configured_stand_in_every_map_register():
    bench = mn.Bench(mn.settings(xtr_id=XTR_ID, site_id=SITE_ID), mn.ON_WIFI)
    bench.pass_time(10)
    bench.move(mn.ON_LTE)
    registers = bench.registers()
    assert len(registers) > 3
    expected = XtrIdentity(int.from_bytes(XTR_ID, "big"), int.from_bytes(SITE_ID, "big"))
    assert {register.identity for register in registers} == {expected}


def test_without_a_site_id_it_is_0():
    bench = mn.Bench(mn.settings(xtr_id=XTR_ID), mn.ON_WIFI)
    (register,) = bench.registers()
    assert register.identity == XtrIdentity(int.from_bytes(XTR_ID, "big"), 0)


def test_where_none_is_configured_the_i_bit_is_not_set():
    (register,) = mn.Bench(mn.settings(), mn.ON_WIFI).registers()
    assert register.identity is None


@pytest.mark.parametrize("count", [1, 40])
def test_messages_that_carry_them_still_fit_an_unknown_path(count):
    eids = [mn.ip_address(f"10.0.1.{n}") for n in range(count)]
    bench = mn.Bench(mn.settings(xtr_id=XTR_ID, database=mn.database(*eids)), mn.ON_BOTH)
    sizes = [len(send.payload) for send in bench.sent]
    assert max(sizes) <= 576 - 28
    assert sum(len(register.records) for register in bench.registers()) == count
