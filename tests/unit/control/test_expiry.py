from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from lispfast.control.expiry import ExpiryQueue

KEYS = st.sampled_from("abcdef")
TIMES = st.integers(0, 50)


class ExpiryMachine(RuleBasedStateMachine):
    """Against a plain dictionary."""

    def __init__(self):
        super().__init__()
        self.queue = ExpiryQueue()
        self.twin = {}

    @rule(key=KEYS, at=TIMES)
    def set(self, key, at):
        self.queue.set(key, at)
        self.twin[key] = at

    @rule(key=KEYS)
    def discard(self, key):
        self.queue.discard(key)
        self.twin.pop(key, None)

    @rule(now=TIMES)
    def pop(self, now):
        due = self.queue.pop_due(now)
        assert [self.twin[key] for key in due] == sorted(self.twin[key] for key in due)
        assert set(due) == {key for key, at in self.twin.items() if at <= now}
        for key in due:
            del self.twin[key]

    @invariant()
    def agree(self):
        assert len(self.queue) == len(self.twin)
        assert self.queue.next() == min(self.twin.values(), default=None)


TestExpiryQueue = ExpiryMachine.TestCase


def test_moving_a_deadline_for_ever_does_not_grow_the_heap():
    queue = ExpiryQueue()
    for at in range(10_000):
        queue.set("key", float(at))
    assert len(queue._heap) <= 2 + 64 + 1
    assert queue.pop_due(9998.0) == []
    assert queue.pop_due(9999.0) == ["key"]
