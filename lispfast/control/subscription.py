"""One EID-prefix that we are subscribed to, and what follows from what happens to it (RFC 9437).

    state       fact       next        what is done
    asked       confirmed  subscribed  learn, acknowledge
    subscribed  confirmed  subscribed  learn, acknowledge
    subscribed  published  subscribed  learn, acknowledge
    subscribed  withdrawn  vacant      learn, acknowledge: nobody is there, who comes is published
    subscribed  removed    done        ask anew what is in use
    subscribed  refused    done
    subscribed  moved      stale       subscribe again with our new RLOCs
    subscribed  gone       leaving     unsubscribe: the mapping is not cached any more
    stale       confirmed  subscribed  learn, acknowledge
    stale       published  stale       learn, acknowledge
    stale       withdrawn  vacant      learn, acknowledge
    stale       removed    done        ask anew what is in use
    stale       refused    done
    stale       moved      stale       subscribe again
    stale       due        stale       subscribe again
    stale       gone       leaving     unsubscribe
    vacant      confirmed  subscribed  learn, acknowledge
    vacant      published  subscribed  learn, acknowledge
    vacant      withdrawn  vacant      learn, acknowledge
    vacant      removed    done
    vacant      refused    done
    vacant      moved      leaving     unsubscribe
    vacant      due        leaving     unsubscribe
    vacant      gone       vacant
    leaving     confirmed  subscribed  learn, acknowledge: it was asked for again
    leaving     published  leaving     acknowledge
    leaving     withdrawn  leaving     acknowledge
    leaving     removed    done        the unsubscription's answer
    leaving     refused    leaving
    leaving     moved      leaving
    leaving     due        leaving     unsubscribe again
    leaving     exhausted  done        the Map-Server finds out when it has something to publish
    leaving     gone       leaving

What is not subscribed to any more has no machine, but its nonces are remembered (subscription_nonces).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from lispfast.model.addresses import EidPrefix


class State(StrEnum):
    """Where a subscription stands."""

    ASKED = "asked"
    SUBSCRIBED = "subscribed"
    STALE = "stale"
    VACANT = "vacant"
    LEAVING = "leaving"
    DONE = "done"


class Fact(StrEnum):
    """What can happen to a subscription."""

    CONFIRMED = "confirmed"
    PUBLISHED = "published"
    WITHDRAWN = "withdrawn"
    REMOVED = "removed"
    REFUSED = "refused"
    MOVED = "moved"
    DUE = "due"
    EXHAUSTED = "exhausted"
    GONE = "gone"


class Do(StrEnum):
    """What follows."""

    NOTHING = "nothing"
    LEARN = "learn"
    VACATE = "vacate"
    ACKNOWLEDGE = "acknowledge"
    RENEW = "renew"
    ASK = "ask"
    LEAVE = "leave"
    FORGET = "forget"


_LEARNT = (State.SUBSCRIBED, Do.LEARN)
_HELD = (State.SUBSCRIBED, State.STALE)
TABLE: dict[tuple[State, Fact], tuple[State, Do]] = {
    **{(state, Fact.CONFIRMED): _LEARNT for state in State if state is not State.DONE},
    (State.SUBSCRIBED, Fact.PUBLISHED): _LEARNT,
    (State.STALE, Fact.PUBLISHED): (State.STALE, Do.LEARN),
    **{(state, Fact.WITHDRAWN): (State.VACANT, Do.VACATE) for state in (*_HELD, State.VACANT)},
    **{(state, Fact.REMOVED): (State.DONE, Do.ASK) for state in _HELD},
    **{(state, Fact.REFUSED): (State.DONE, Do.FORGET) for state in (*_HELD, State.VACANT)},
    **{(state, Fact.MOVED): (State.STALE, Do.RENEW) for state in _HELD},
    **{(state, Fact.GONE): (State.LEAVING, Do.LEAVE) for state in _HELD},
    (State.STALE, Fact.DUE): (State.STALE, Do.RENEW),
    (State.VACANT, Fact.PUBLISHED): _LEARNT,
    (State.VACANT, Fact.REMOVED): (State.DONE, Do.FORGET),
    (State.VACANT, Fact.MOVED): (State.LEAVING, Do.LEAVE),
    (State.VACANT, Fact.DUE): (State.LEAVING, Do.LEAVE),
    (State.VACANT, Fact.GONE): (State.VACANT, Do.NOTHING),
    (State.LEAVING, Fact.PUBLISHED): (State.LEAVING, Do.ACKNOWLEDGE),
    (State.LEAVING, Fact.WITHDRAWN): (State.LEAVING, Do.ACKNOWLEDGE),
    (State.LEAVING, Fact.REMOVED): (State.DONE, Do.FORGET),
    (State.LEAVING, Fact.DUE): (State.LEAVING, Do.LEAVE),
    (State.LEAVING, Fact.EXHAUSTED): (State.DONE, Do.FORGET),
    **{(State.LEAVING, f): (State.LEAVING, Do.NOTHING) for f in (Fact.REFUSED, Fact.MOVED, Fact.GONE)},
}


@dataclass(slots=True)
class Subscription:
    """An EID-prefix that we are subscribed to; `last` is the digest of the Map-Notify taken last."""

    prefix: EidPrefix
    state: State = State.ASKED
    tries: int = 0
    last: bytes = b""
