"""Did the service move as it should, and never run twice? Answered from what servers hold, and from no Relève's word.

What the mail server outside received, what each simulated server noted of what was done to it, whom the callers
reached, and which recordings lie at which site.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from lab.proof import CLIENT, FIRST, RESOLVED, UPDATE, WITHIN, Received, client_told
from lab.trunk import Call
from lab.two_sites import CENTRE, DIALLER, HERMES, REHEARSAL, SECOURS, Effect, Sample
from monitor.core.text import Text, say

PLAN, REPORT = "deployment_plan", "failover_report"
BOTH = frozenset({CENTRE, SECOURS})
WRITTEN = timedelta(milliseconds=2)
"""How exactly a moment is written in JSON."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is there at the end: messages, changes on servers, where a dialler ran when, who answered which call.

    `recorded`: the centre's recordings and when each was written (UTC); `copied`: those of which a whole copy lies at
    the redundant site.
    """

    received: Sequence[Received]
    effects: Sequence[Effect]
    samples: Sequence[Sample]
    calls: Sequence[Call]
    recorded: Mapping[str, datetime]
    copied: Collection[str]

    @property
    def lost(self) -> tuple[datetime, ...]:
        """When each recording was written that exists nowhere but at the lost site, oldest first."""
        return tuple(sorted(at for name, at in self.recorded.items() if name not in self.copied))


@dataclass(frozen=True, slots=True)
class People:
    """Addresses: of the `client`, of the client's IT, which reads plans, of our own `operations`."""

    client: str
    it: str
    operations: str

    @property
    def all(self) -> frozenset[str]:
        """Everybody: who reads the report of a move that answers an incident."""
        return frozenset({self.client, self.it, self.operations})

    @property
    def of_plan(self) -> frozenset[str]:
        """Who reads the report of a drill, which no client was told of."""
        return frozenset({self.it, self.operations})


@dataclass(frozen=True, slots=True)
class Loss:
    """What happened, and what Relève says came of it.

    The agents' application failed at `fault_at` and the centre was lost at `cut_at` (UTC). `incident`: the number under
    which the first is told to the client; `began_at`: when it began, from where on they are told `every` so often;
    `due`: when each message about it was due, by its Message-ID.
    `rto`, `rpo`: for how long nobody was served and what was lost at most, as the report has it; None: it has nothing.
    """

    fault_at: datetime
    cut_at: datetime
    incident: str
    began_at: datetime
    every: timedelta
    due: Mapping[str, datetime]
    rto: timedelta | None
    rpo: timedelta | None


def of_loss(evidence: Evidence, people: People, loss: Loss) -> tuple[Text, ...]:
    """Return everything that is wrong after the loss of the centre; nothing when all is as it should be."""
    return (
        *_client(evidence.received, people, loss),
        *_grid(updates(evidence.received, people, loss.incident), loss),
        *_of_move(evidence, people, people.all),
        *_moved(evidence, loss),
        *_outage(evidence.calls, loss),
        *_never_twice(evidence),
        *_recordings(evidence, loss),
    )


def of_drill(evidence: Evidence, people: People) -> tuple[Text, ...]:
    """Return everything that is wrong after a drill; nothing when all is as it should be."""
    return (
        *_of_move(evidence, people, people.of_plan),
        *_rehearsed(evidence),
        *_never_twice(evidence),
        *_mirrored(evidence),
    )


def of_leases(lease: tuple[str, int] | None, evidence: Evidence, loss: Loss) -> tuple[Text, ...]:
    """Return what is wrong with the `lease` of the group (holder, token) that the voters have after the loss."""
    used = {one.token for one in evidence.effects if one.at > loss.cut_at}
    if lease is None or lease[0] != SECOURS or any(token is None or token > lease[1] for token in used):
        return (say("the voters do not hold that the redundant site has the lease of what was done"),)
    return ()


def updates(received: Iterable[Received], people: People, incident: str) -> tuple[Received, ...]:
    """Return the updates about `incident` that the client received, oldest first."""
    told = (one for one in client_told(received, people.client, UPDATE) if one.reference == incident)
    return tuple(sorted(told, key=lambda one: one.at))


def _client(received: Sequence[Received], people: People, loss: Loss) -> Iterable[Text]:
    told = [one for one in received if one.to == people.client and one.step not in (PLAN, REPORT)]
    references = sorted({one.reference for one in told})
    if len(references) != 2:
        names = ", ".join(references)
        yield say(
            "the client was to be told of two incidents, not {count}: {names}", count=len(references), names=names
        )
    for name in references:
        for step in (FIRST, RESOLVED):
            count = sum(one.reference == name and one.step == step for one in told)
            if count != 1:
                yield say(
                    "{incident}: the client received {count} messages of the kind {step} instead of one",
                    incident=name,
                    count=count,
                    step=step,
                )
    first = min((one.at for one in told), default=None)
    if first is not None and first - loss.fault_at > WITHIN:
        yield say("the client was told only {span} after the fault", span=first - loss.fault_at)
    if any((one.to in (people.client, people.it)) != (one.audience == CLIENT) for one in received):
        yield say("the client and our own people were mixed up")
    if len({(one.message_id, one.to) for one in received}) != len(received):
        yield say("a Message-ID came twice")


def _grid(told: Sequence[Received], loss: Loss) -> Iterable[Text]:
    if not any(one.at < loss.cut_at for one in told):
        yield say("the client received no update before the centre was lost")
    if not any(one.at > loss.cut_at for one in told):
        yield say("the client received no update after the centre was lost")
    moments = [loss.due[one.message_id] for one in told if one.message_id in loss.due]
    if len(moments) < len(told):
        yield say("the client received an update of which Relève knows nothing")
    if len(set(moments)) != len(moments):
        yield say("the client received two updates for the same moment of the grid")
    if any(min(off := (at - loss.began_at) % loss.every, loss.every - off) > WRITTEN for at in moments):
        yield say("an update was due beside the grid")
    if any(one.at < loss.due.get(one.message_id, one.at) for one in told):
        yield say("an update came before it was due")
    numbers = [one.n for one in told]
    if numbers != sorted(set(numbers)):
        yield say("the updates came in another order than their numbers")


def _of_move(evidence: Evidence, people: People, readers: Collection[str]) -> Iterable[Text]:
    plans = [one for one in evidence.received if one.step == PLAN]
    reports = [one for one in evidence.received if one.step == REPORT]
    begun = [one.at for one in evidence.effects if one.what in (f"cut {CENTRE}", f"start {REHEARSAL}")]
    if [one.to for one in plans] != [people.it]:
        yield say("the plan was to be mailed to the client's IT once, not {count} times", count=len(plans))
    elif not begun or begun[0] < plans[0].at:
        yield say("the plan was not mailed before the first step")
    if sorted(one.to for one in reports) != sorted(readers):
        names = ", ".join(sorted(one.to for one in reports)) or "-"
        yield say("the report was to reach everybody once, and reached: {names}", names=names)


def _moved(evidence: Evidence, loss: Loss) -> Iterable[Text]:
    """The order on the servers: the centre is cut off, then the other site starts, then the calls are led there."""
    done = [one for one in evidence.effects if one.at > loss.cut_at]
    wanted = [f"cut {CENTRE}", f"start {HERMES}", f"start {DIALLER}", f"lead {SECOURS}"]
    if [one.what for one in done] != wanted:
        yield say(
            "on the servers this was done: {done}; instead of: {wanted}",
            done=", ".join(one.what for one in done) or "-",
            wanted=", ".join(wanted),
        )
    tokens = [one.token for one in done if one.token is not None]
    if len(tokens) < len(done) or tokens != sorted(tokens):
        yield say("what was done on the servers carried no token of a lease, or an older one than what was done before")
    if any(one.host == "calls-1" for one in done):
        yield say("something was done at the lost site")
    if not evidence.calls or evidence.calls[-1].site != SECOURS:
        yield say("at the end the calls are not answered at the redundant site")
    if any(call.site == CENTRE and call.at > loss.cut_at for call in evidence.calls):
        yield say("a call was answered at the lost site")


def _outage(calls: Sequence[Call], loss: Loss) -> Iterable[Text]:
    """The report must not make the outage shorter than the callers found it."""
    before = max((call.at for call in calls if call.site == CENTRE), default=None)
    after = min((call.at for call in calls if call.site == SECOURS), default=None)
    if loss.rto is None:
        yield say("nobody says for how long the service was lost")
    elif before is not None and after is not None and after - before > loss.rto:
        yield say("the calls were refused for {span}; said: {rto}", span=after - before, rto=loss.rto)


def _rehearsed(evidence: Evidence) -> Iterable[Text]:
    begun = min((one.at for one in evidence.effects if one.what == f"start {REHEARSAL}"), default=None)
    done = [] if begun is None else [(one.host, one.what) for one in evidence.effects if one.at >= begun]
    wanted = [("calls-2", f"start {REHEARSAL}"), ("calls-2", f"stop {REHEARSAL}")]
    if done != wanted:
        yield say(
            "on the servers this was done: {done}; instead of: {wanted}",
            done=", ".join(what for _host, what in done) or "-",
            wanted=", ".join(what for _host, what in wanted),
        )
    if any(call.site != CENTRE for call in evidence.calls):
        yield say("calls were refused, or led elsewhere, during the drill")
    if any(CENTRE not in one.running for one in evidence.samples):
        yield say("the centre did not run throughout the drill")


def _never_twice(evidence: Evidence) -> Iterable[Text]:
    twice = [one.at for one in evidence.samples if one.running >= BOTH]
    if twice:
        yield say("a dialler ran at both sites at once, {count} times that somebody looked", count=len(twice))


def _recordings(evidence: Evidence, loss: Loss) -> Iterable[Text]:
    if not evidence.copied:
        yield say("no recording was mirrored to the redundant site")
    if loss.rpo is None:
        yield say("nobody says how much was lost")
    elif evidence.lost and loss.cut_at - evidence.lost[0] > loss.rpo:
        yield say(
            "more was lost than is said: a recording of {span} before the loss; said: {rpo}",
            span=loss.cut_at - evidence.lost[0],
            rpo=loss.rpo,
        )


def mirrored(evidence: Evidence) -> bool:
    """Return whether a recording was mirrored that was made since the standby was brought up beside."""
    begun = min((one.at for one in evidence.effects if one.what == f"start {REHEARSAL}"), default=None)
    return begun is not None and any(evidence.recorded[name] > begun for name in evidence.copied)


def _mirrored(evidence: Evidence) -> Iterable[Text]:
    if not mirrored(evidence):
        yield say("no recording was mirrored from the beginning of the drill on")
