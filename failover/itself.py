"""Which of two Relèves is the active one, where three voters keep a lease for it: decided by each for itself.

Relève is a group of one. Whoever holds the lease `releve` watches, tells and repairs; the other keeps a copy of its
state, and goes on with it once the lease has lapsed and nothing has come from the active one for as long. Different
from any other group, an active Relève that only cannot reach the voters goes on: a message that comes twice bears the
same Message-ID, and one that never comes helps nobody. What must not happen twice needs a lease of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from failover.lease import Record, Refused, Seen, Standing
from failover.lease import Why as Denied
from monitor.core.text import Quantity, Text, say, verbatim

RECORD = "releve"
"""What the lease is called among those of the groups; no plan may have that name."""


class Ground(StrEnum):
    """What a Relève that is not active would go on with."""

    OWN = "own"
    """Its own state: nothing newer has come from the other one."""
    COPY = "copy"
    """The copy of the other's state, which is newer and whole."""
    BROKEN = "broken"
    """The other's state is newer, and its copy is not whole."""
    DAMAGED = "damaged"
    """The other's state is newer, and its copy was damaged on the disk."""
    TAKEN = "taken"
    """That copy has become its own state, but for its files, which are being moved."""
    NOTHING = "nothing"


class Why(StrEnum):
    """Why a Relève stands by."""

    HELD = "held"
    WAITING = "waiting"
    """The record has to stand still for a while before it may be taken."""
    SPEAKS = "speaks"
    """The lease is free, and the other one goes on all the same."""
    COMING = "coming"
    """The lease is its own, to be renewed, and the last of the other's state has yet to come."""
    BROKEN = "broken"
    DAMAGED = "damaged"
    NOTHING = "nothing"
    SILENT = "silent"
    """Nobody could say how the lease stands."""
    ILLEGIBLE = "illegible"


@dataclass(frozen=True, slots=True)
class Lead:
    """Take the lease under a token of at least `above`, or go on with it, and be the active one."""

    above: int


@dataclass(frozen=True, slots=True)
class Alone:
    """Go on as the active one without the lease: nobody can be asked, and nothing newer is known here."""

    text: Text


@dataclass(frozen=True, slots=True)
class StandBy:
    """Do nothing but receive."""

    why: Why
    text: Text


Role = Lead | Alone | StandBy


@dataclass(frozen=True, slots=True)
class Known:
    """What a Relève that is not active knows.

    `token`: the highest under which any state that lies here was written. `seen`: the lease as it was read just now.
    `silent`: seconds since the other's Relève was last heard, or since it has been listened for. `relieved`: it said
    that all of its state is here and that it has ended for us. `ttl`: seconds, ours. `starting`: this is the first look
    of a process, which has not listened yet.
    """

    ground: Ground
    seen: Seen | Refused
    silent: float
    ttl: float
    token: int = 0
    relieved: bool = False
    starting: bool = False


def next_role(known: Known) -> Role:
    """Return what a Relève that is not active does now."""
    if isinstance(known.seen, Refused):
        return _unanswered(known, known.seen)
    record = known.seen.record
    if known.seen.standing is Standing.OURS and record is not None and record.token >= known.token:
        return _named(known, record)
    return _unnamed(known, known.seen)


def _unanswered(known: Known, refused: Refused) -> Role:
    if known.starting and known.ground in (Ground.OWN, Ground.TAKEN):
        return Alone(refused.text)
    why = Why.ILLEGIBLE if refused.why in (Denied.ILLEGIBLE, Denied.EXHAUSTED) else Why.SILENT
    return StandBy(why, refused.text)


def _named(known: Known, record: Record) -> Role:
    """The lease is ours: from before a restart, or because the other one gave it to us."""
    lacking = _lacking(known)
    if lacking is not None:
        return lacking
    # Its own state needs nothing more of the other; a copy might.
    if known.ground in (Ground.OWN, Ground.TAKEN) or known.relieved or known.silent >= known.ttl:
        return Lead(known.token)
    return StandBy(Why.COMING, say("this Relève is to be the active one; the last of the state has yet to come"))


def _unnamed(known: Known, seen: Seen) -> Role:
    record = seen.record
    if seen.standing in (Standing.HELD, Standing.ABSENT):
        return _waits(known, record)
    if known.ground is Ground.NOTHING and record is None:
        # Who has a state goes before who has none: the other one takes it after half of that.
        if known.silent >= 2 * known.ttl:
            return Lead(known.token)
        return _waits(known, record)
    lacking = _lacking(known)
    if lacking is not None:
        return lacking
    if known.silent < known.ttl:
        left = Quantity(round(known.ttl - known.silent, 1), "s")
        text = say("the lease of Relève is free; what the other site sends is waited for another {left}", left=left)
        return StandBy(Why.SPEAKS, text)
    return Lead(known.token)


def _waits(known: Known, record: Record | None) -> StandBy:
    if record is None:
        text = say("nobody has held the lease of Relève so far; it is watched for a while before it is taken")
        return StandBy(Why.WAITING, text)
    return StandBy(Why.HELD, led_by(record))


def led_by(record: Record) -> Text:
    """Return that another one leads, for people."""
    return say("the Relève at {holder} is the active one; this one stays passive", holder=verbatim(record.holder))


def _lacking(known: Known) -> StandBy | None:
    """Return why there is nothing to go on with."""
    match known.ground:
        case Ground.BROKEN:
            text = say(
                "the copy of the other site's state could not follow to its end, and has yet to come again. If that "
                "site is lost: stop this Relève, take over what there is (releve peer take-over --yes), and start it"
            )
            return StandBy(Why.BROKEN, text)
        case Ground.DAMAGED:
            text = say(
                "the copy of the other site's state is damaged on the disk here, and has yet to come again. If that "
                "site is lost: stop this Relève, put the last backup back (releve restore FILE --yes), and start it"
            )
            return StandBy(Why.DAMAGED, text)
        case Ground.NOTHING:
            text = say(
                "there is no state here to go on with; it has yet to come from the other site. If that one is lost: "
                "stop this Relève, put the last backup back (releve restore FILE --yes), and start it"
            )
            return StandBy(Why.NOTHING, text)
    return None


def superseded_by(seen: Seen | Refused, token: int) -> Record | None:
    """Return the record of whoever leads in the place of an active Relève whose token is `token`; None while nobody.

    A record that was deleted, or put back from a copy, names nobody who has led since.
    """
    record = seen.record if isinstance(seen, Seen) else None
    if record is None or (isinstance(seen, Seen) and seen.standing is Standing.OURS) or record.token <= token:
        return None
    return record
