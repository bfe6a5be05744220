"""How the voters are: the loss of one is told, and moves nothing; without a majority no lease is taken or renewed."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import reduce

from failover.etcd import Status, Unanswered, Voters
from monitor.core.text import Quantity, Text, say, verbatim
from monitor.core.verdict import Metric, Severity, Verdict

BEHIND = 1000
"""Entries of the log. A voter that keeps up is a few behind: all are asked at once, and a write is one entry."""
LARGE = 1024**3
"""Bytes of a database that is half full: etcd refuses every write from 2 GiB on, unless it was told another limit."""


class VoterState(StrEnum):
    """ALIVE: its vote counts. LAGGING: it answers, and its vote does not count, or soon will not."""

    ALIVE = "alive"
    LAGGING = "lagging"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class Voter:
    """One voter, as it is seen from here; `text` says what is wrong with it, or what may be soon."""

    endpoint: str
    state: VoterState
    text: Text = field(default_factory=lambda: Text(""))


async def look_at(voters: Voters) -> tuple[Voter, ...]:
    """Return how each voter is, in the order of the inventory, within one voter's share of the retry time."""

    async def one(endpoint: str) -> Status | Text:
        try:
            return await voters.status(endpoint)
        except Unanswered as error:
            return error.text

    found = await asyncio.gather(*(one(endpoint) for endpoint in voters.endpoints))
    return judged(dict(zip(voters.endpoints, found, strict=True)))


def judged(answers: Mapping[str, Status | Text]) -> tuple[Voter, ...]:
    """Return how each voter is, from what it says of itself, or why it says nothing."""
    statuses = [answer for answer in answers.values() if isinstance(answer, Status)]
    clusters = Counter(status.cluster for status in statuses)
    ours = max(clusters, key=lambda cluster: clusters[cluster], default=0)
    peers = [status for status in statuses if status.cluster == ours]
    term, applied = max((s.term for s in peers), default=0), max((s.applied for s in peers), default=0)
    members: dict[int, str] = {}
    voters = []
    for endpoint, answer in answers.items():
        if isinstance(answer, Text):
            voters.append(Voter(endpoint, VoterState.UNREACHABLE, answer))
            continue
        first = members.setdefault(answer.member, endpoint)
        if first != endpoint:
            text = say("is the same voter as {endpoint}", endpoint=verbatim(first))
        elif answer.cluster != ours:
            text = say("belongs to other voters than the rest")
        else:
            text = _behind(answer, term, applied)
        state = VoterState.LAGGING if text else VoterState.ALIVE
        voters.append(Voter(endpoint, state, text or _growing(answer)))
    return tuple(voters)


def _behind(status: Status, term: int, applied: int) -> Text:
    """Return why the vote does not count; empty where it does. `term`, `applied`: the highest among its peers."""
    if not status.leader or status.term < term:
        return say("has lost the others, or they have no majority")
    if status.errors:
        return say("says: {words}", words=verbatim(status.errors[0]))
    if applied - status.applied > BEHIND:
        return say("is {count} entries behind", count=Quantity(applied - status.applied, "{entry}"))
    return Text("")


def _growing(status: Status) -> Text:
    if status.size < LARGE:
        return Text("")
    return say(
        "its database has {size}: etcd refuses writes from 2 GiB on. Start it with --auto-compaction-retention=1, and "
        "run etcdctl defrag",
        size=Quantity(status.size, "By"),
    )


def margin(voters: Iterable[Voter]) -> Verdict:
    """Return how many voters may still be lost: OK when none is, CRITICAL when there is no majority.

    Metrics: `voters`, those whose vote counts, and `margin`, how many of them may be lost; negative: so many too few.
    """
    every = tuple(voters)
    alive = sum(voter.state is VoterState.ALIVE for voter in every)
    spare = alive - (len(every) // 2 + 1)
    metrics = (
        Metric("voters", float(alive), "{voter}", minimum=0.0, maximum=float(len(every))),
        Metric("margin", float(spare), "{voter}"),
    )
    facts = {voter.endpoint: voter.state.value for voter in every}
    told = [say("{endpoint}: {why}", endpoint=verbatim(v.endpoint), why=v.text) for v in every if v.text]
    if not told:
        return Verdict(Severity.OK, say("all {count} voters answer", count=len(every)), metrics, facts)
    why = reduce(lambda one, other: say("{one}; {other}", one=one, other=other), told)
    if spare < 0:
        text = say(
            "no majority of the voters as seen from here: no lease can be taken or renewed ({alive} of {count}; {why})",
            alive=alive,
            count=len(every),
            why=why,
        )
        return Verdict(Severity.CRITICAL, text, metrics, facts)
    if alive == len(every):
        return Verdict(Severity.WARNING, why, metrics, facts)
    if spare == 0:
        text = say("no margin left: {alive} of {count} voters ({why})", alive=alive, count=len(every), why=why)
    else:
        text = say("less margin: {alive} of {count} voters ({why})", alive=alive, count=len(every), why=why)
    return Verdict(Severity.WARNING, text, metrics, facts)
