from __future__ import annotations

from rounds import MACHINE

from bench.document import table
from bench.wire import measure
from bench.wire.__main__ import HEAD, rows
from bench.wire.measure import Cost, cost, inner_cost, microseconds
from bench.wire.messages import MESSAGES
from lispfast.wire import message
from lispfast.wire.encapsulated_control import EncapsulatedControl
from lispfast.wire.packet import decode_packet


def test_every_codec_is_measured() -> None:
    assert {type(each) for each in MESSAGES.values()} == set(message.Message.__args__)


def test_every_message_is_one_that_can_be_sent() -> None:
    for each in MESSAGES.values():
        assert message.decode(each.encode()) == each
        assert len(each.encode()) <= 576 - 28
        if isinstance(each, EncapsulatedControl):
            message.decode(decode_packet(each.packet).payload)


def test_a_cost_is_a_time_of_one_call() -> None:
    calls = []
    assert microseconds(lambda: calls.append(None), 1) > 0
    assert len(calls) > 10
    assert all(figure > 0 for figure in cost(MESSAGES["SMR"], 1))
    wrapped = MESSAGES["ECM"]
    assert isinstance(wrapped, EncapsulatedControl)
    assert inner_cost(wrapped.packet, 1) > 0
    assert measure.ROUNDS > 1


def test_the_table() -> None:
    messages = {"Map-Reply": Cost(64, 12.34, 0.5, 99.0)._asdict()}
    lines = rows({"machine": MACHINE, "messages": messages, "opening": 7.0})
    assert lines[0] == HEAD
    assert lines[1] == ["Map-Reply", "64", "12.3", "0.5", "81,000", "2,000,000"]
    assert all(len(line) == len(HEAD) for line in lines)
    assert table(lines).count("\n") == len(lines)
