from ipaddress import ip_address

from hypothesis import given
from hypothesis import strategies as st

from lispfast.control import replay
from lispfast.control.effects import Send
from lispfast.control.replay import ReplayGuard, Verdict, tracks_of
from lispfast.model.addresses import Endpoint

from .ms_helpers import KEY, OTHER_KEY, prefix

NOTIFY = Send(b"notify", Endpoint(ip_address("198.51.100.7"), 4342))


def saved_by(effects):
    return {effect.key: effect.value for effect in effects}


def test_nonces_rise_or_are_old():
    guard = ReplayGuard({})
    assert guard.judge(KEY, ("a",), 5, b"", 0.0) is Verdict.FRESH
    guard.accept(KEY, ("a",), 5)
    verdicts = [guard.judge(KEY, ("a",), nonce, b"", 0.0) for nonce in (4, 5, 6)]
    assert verdicts == [Verdict.OLD, Verdict.OLD, Verdict.FRESH]
    assert guard.judge(KEY, ("b",), 1, b"", 0.0) is Verdict.FRESH
    assert guard.judge(OTHER_KEY, ("a",), 1, b"", 0.0) is Verdict.FRESH, "a new key starts anew (RFC 9301 section 5.6)"


def test_one_old_track_makes_the_message_old():
    guard = ReplayGuard({})
    guard.accept(KEY, ("a",), 5)
    assert guard.judge(KEY, ("b", "a"), 5, b"", 0.0) is Verdict.OLD


def test_what_was_persisted_outlives_a_restart():
    kept = saved_by(ReplayGuard({}).accept(KEY, ("10.0.0.0/8", "[5]2001:db8::/32"), 77))
    assert len(kept) == 1, "one disk sync a message"
    again = ReplayGuard({**kept, "something-else": 99, "map-server-nonce": 1})
    assert again.judge(KEY, ("[5]2001:db8::/32",), 77, b"", 0.0) is Verdict.OLD
    assert again.judge(KEY, ("[5]2001:db8::/32",), 78, b"", 0.0) is Verdict.FRESH
    assert KEY.secret.decode() not in str(kept)


@given(st.lists(st.tuples(st.sets(st.sampled_from("abc"), min_size=1), st.integers(1, 9)), max_size=20), st.booleans())
def test_a_message_is_fresh_exactly_where_its_nonce_rises_on_every_track(messages, restarts):
    guard, saved, last = ReplayGuard({}), {}, {}
    for chosen, nonce in messages:
        tracks = tuple(sorted(chosen))
        rises = all(nonce > last.get(track, 0) for track in tracks)
        assert (guard.judge(KEY, tracks, nonce, b"", 0.0) is Verdict.FRESH) == rises
        if rises:
            last.update(dict.fromkeys(tracks, nonce))
            saved.update(saved_by(guard.accept(KEY, tracks, nonce)))
            if restarts:
                guard = ReplayGuard(dict(sorted(saved.items())))


def test_a_repeat_is_the_last_one_only_and_for_a_while_only():
    guard = ReplayGuard({})
    guard.accept(KEY, ("a",), 5)
    guard.remember(b"five", NOTIFY, 0.0)
    assert guard.judge(KEY, ("a",), 5, b"five", 60.0) is Verdict.REPEAT
    assert guard.repeat_of(b"five") is NOTIFY
    assert guard.judge(KEY, ("a",), 5, b"other bytes", 60.0) is Verdict.OLD
    assert guard.judge(KEY, ("a",), 5, b"five", 181.0) is Verdict.OLD
    guard.accept(KEY, ("a",), 6)
    guard.remember(b"six", NOTIFY, 1.0)
    assert guard.judge(KEY, ("a",), 5, b"five", 60.0) is Verdict.OLD


def test_tables_are_bounded(monkeypatch):
    monkeypatch.setattr(replay, "MAX_TRACKS_PER_KEY", 2)
    monkeypatch.setattr(replay, "MAX_REPEATS", 2)
    guard, saved = ReplayGuard({}), {}
    for n, track in enumerate("abc", start=1):
        saved.update(saved_by(guard.accept(KEY, (track,), n)))
        guard.remember(track.encode(), NOTIFY, 0.0)
    assert sorted(saved.values()) == [0, 2, 3], "the oldest is given up, on disk as well"
    assert guard.judge(KEY, ("a",), 1, b"", 0.0) is Verdict.FRESH
    assert guard.judge(KEY, ("b",), 2, b"b", 0.0) is Verdict.REPEAT
    assert guard.judge(KEY, ("c",), 3, b"c", 0.0) is Verdict.REPEAT
    assert ReplayGuard(saved).judge(KEY, ("b",), 2, b"", 0.0) is Verdict.OLD
    assert len(guard._repeats) == 2


def test_forgetting_a_message_keeps_what_a_later_one_said(monkeypatch):
    monkeypatch.setattr(replay, "MAX_TRACKS_PER_KEY", 2)
    guard = ReplayGuard({})
    guard.accept(KEY, ("a", "b"), 5)
    guard.accept(KEY, ("a",), 6)
    assert guard.judge(KEY, ("a",), 6, b"", 0.0) is Verdict.OLD
    assert guard.judge(KEY, ("b",), 5, b"", 0.0) is Verdict.FRESH
    guard.accept(KEY, ("a", "b", "c"), 9)
    assert guard.judge(KEY, ("a", "b", "c"), 9, b"", 0.0) is Verdict.OLD, "one message is always remembered"


def test_repeats_that_are_too_old_are_forgotten():
    guard = ReplayGuard({})
    guard.remember(b"old", NOTIFY, 0.0)
    guard.remember(b"new", NOTIFY, 181.0)
    assert len(guard._repeats) == 1


def test_tracks():
    prefixes = (prefix("10.0.0.0/8"), prefix("10.0.0.0/8", iid=5), prefix("10.0.0.0/8"))
    assert tracks_of(None, prefixes) == ("10.0.0.0/8", "[5]10.0.0.0/8"), "in an order of their own"
    assert len(tracks_of((1, 2), prefixes)) == 1
    assert tracks_of((1, 2), prefixes) != tracks_of((2, 1), prefixes)
