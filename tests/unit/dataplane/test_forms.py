"""Three forms of encapsulation on a bench: LISP, LISP-GPE (RFC 9305) and VXLAN-GPE."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lispfast.model.encapsulation import Encapsulation
from lispfast.model.forwarding import Encapsulate
from lispfast.model.reasons import DataReason

from .bench import NEAR, Bench, free_port, incoming, inner
from .twin_segment import TCP, segment
from .vnet import pattern, read_frame, send_frame, tcp

GPE, VXLAN = Encapsulation.LISP_GPE, Encapsulation.VXLAN_GPE
HEADERS = {
    Encapsulation.LISP: bytes([0x08, 0, 0, 0, 0, 0, 0, 0]),
    GPE: bytes([0x0C, 0, 0, 0, 0, 0, 0, 0]),
    VXLAN: bytes([0x0C, 0, 0, 0, 0, 0, 0, 0]),
}
NEXT = {4: 1, 6: 2}


@pytest.fixture
def gpe() -> Iterator[Bench]:
    bench = Bench(framed=True, vxlan_port=free_port())
    yield bench
    bench.close()


def header(form: Encapsulation, version: int) -> bytes:
    """What stands in front of a packet of this family."""
    made = HEADERS[form]
    return made if form is Encapsulation.LISP else made[:3] + bytes([NEXT[version]]) + made[4:]


@pytest.mark.parametrize("outer", [4, 6])
@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("form", list(Encapsulation))
def test_a_locator_is_sent_to_in_its_form(gpe: Bench, form: Encapsulation, version: int, outer: int) -> None:
    gpe.map(Encapsulate((gpe.locator(outer, encapsulation=form, header=HEADERS[form]),)))
    alone = send_frame(gpe, inner(version, b"alone"))
    assert gpe.outer(outer).payload == header(form, version) + alone
    start = 20 if version == 4 else 40
    expected = segment(send_frame(gpe, tcp(version, pattern(9000)), 1000), TCP, start, 1000)
    assert [gpe.outer(outer).payload for _ in expected] == [header(form, version) + one for one in expected]


def inject(bench: Bench, form: Encapsulation, version: int, outer: int) -> bytes:
    packet = bytes(incoming(version, b"hello"))
    name = (NEAR[outer], int(bench.engine.describe()["vxlan_gpe_port"]) if form is VXLAN else bench.port)
    bench.far[outer].sendto(header(form, version) + packet, name)
    return packet


@pytest.mark.parametrize("outer", [4, 6])
@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("form", list(Encapsulation))
def test_every_form_is_received(gpe: Bench, form: Encapsulation, version: int, outer: int) -> None:
    sent = inject(gpe, form, version, outer)
    assert read_frame(gpe).data == sent


def test_forms_are_not_mixed_up(gpe: Bench) -> None:
    vxlan = int(gpe.engine.describe()["vxlan_gpe_port"])
    gpe.far[4].sendto(header(Encapsulation.LISP, 4) + bytes(incoming()), (NEAR[4], vxlan))  # without P: Ethernet
    gpe.wait_drops(DataReason.NEXT_PROTOCOL)
    gpe.far[4].sendto(header(VXLAN, 6) + bytes(incoming()), (NEAR[4], vxlan))
    gpe.far[4].sendto(header(GPE, 6) + bytes(incoming()), (NEAR[4], gpe.port))
    sent = inject(gpe, VXLAN, 4, 4)
    assert read_frame(gpe).data == sent
    inject(gpe, GPE, 4, 4)
    assert read_frame(gpe).data == sent
    assert gpe.drops() == {"next-protocol": 1, "inner-version": 2}
