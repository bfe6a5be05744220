"""Could the group move now, and if not, why: out of what is known anyway, without touching anything. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from failover.fences import prospect
from failover.ground import History, runs_at
from failover.loss import Loss, Measured, loss, loss_of
from failover.model import DataSet, Guarded, Mode, Part, Plan, SiteId, Start
from failover.phases import Direction
from failover.vantage import called, enough
from monitor.core.ids import CheckId
from monitor.core.text import Text, say
from monitor.core.verdict import Severity

NOT_SEEN = say("it has not been looked at yet")
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Believed:
    """What is known of a check: what it said last, None before that; `stale`: it has said nothing for too long."""

    severity: Severity | None = None
    stale: bool = False
    summary: Text = NOT_SEEN

    @property
    def blind(self) -> bool:
        """Whether nobody can tell how it is."""
        return self.stale or self.severity in (None, Severity.UNKNOWN)

    @property
    def failing(self) -> bool:
        """Whether it is seen to be bad."""
        return not self.blind and self.severity is Severity.CRITICAL


NEVER = Believed()


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a group when it is judged.

    `checks`: what is believed of those that matter. `gates`: of each site, the checks that say whether its devices are
    there. `measured`: how far the copies lag behind. `fenced_by`: of each fence of a site, by its number among
    `plan.fences_of(site)`, the gates of the devices that its steps act on. `moving`: the move that is under way;
    `asked`: what it asks, where it belongs to no incident that calls people. `needed`: whether an incident is open that
    the plan answers. `mode`: who may decide. `vantages`: the names of all who see each site.
    """

    history: History = ()
    checks: Mapping[CheckId, Believed] = field(default_factory=dict)
    gates: Mapping[SiteId, tuple[CheckId, ...]] = field(default_factory=dict)
    measured: tuple[Measured, ...] = ()
    fenced_by: Mapping[SiteId, Mapping[int, tuple[CheckId, ...]]] = field(default_factory=dict)
    moving: str | None = None
    asked: Text | None = None
    needed: bool = False
    mode: Mode = Mode.SINGLE
    vantages: Mapping[SiteId, tuple[str, ...]] = field(default_factory=dict)

    def check(self, name: CheckId) -> Believed:
        """Return what is known of a check."""
        return self.checks.get(name, NEVER)


@dataclass(frozen=True, slots=True)
class Preflight:
    """What came of it. `runs_at`: where the group runs, as far as is known; `to`: where it would go.

    `reasons`: why it is not ready, what a person should mend first comes first; none when it is. `remarks`: what a
    person should know all the same. `loss`: what would be lost now. `exercised_at`: when it was last seen to run at
    `to`, in a drill or for good. `untried`: nothing stands against it but that nobody has tried it for too long.
    `title`: what people call `to`.
    """

    runs_at: SiteId | None
    to: SiteId
    loss: Loss
    reasons: tuple[Text, ...] = ()
    remarks: tuple[Text, ...] = ()
    exercised_at: datetime | None = None
    moving: str | None = None
    asked: Text | None = None
    needed: bool = False
    untried: bool = False
    title: str = ""

    @property
    def ready(self) -> bool:
        """Whether nothing that is known stands against a move."""
        return not self.reasons and self.moving is None

    @property
    def severity(self) -> Severity:
        """How bad it is: WARNING while nobody needs it, CRITICAL once an incident is open that the plan answers.

        A move that is under way needs no second one; one that waits for an answer holds the service up.
        """
        if self.asked is not None:
            return Severity.CRITICAL
        if self.ready or self.moving is not None:
            return Severity.OK
        return Severity.CRITICAL if self.needed or self.runs_at is None else Severity.WARNING

    @property
    def text(self) -> Text:
        """The one line for people."""
        if self.moving is not None:
            return say("the move {move} is under way", move=self.moving)
        if self.ready:
            return say("ready to move to {site}", site=self.title or self.to)
        return say("not ready to move to {site}: {why}", site=self.title or self.to, why=_joined(self.reasons))

    @property
    def alarm(self) -> Text:
        """The same for whoever is called: with the question that holds the service up."""
        if self.moving is None or self.asked is None:
            return self.text
        return say("the move {move} asks: {question}", move=self.moving, question=self.asked)


def _joined(texts: Iterable[Text]) -> Text:
    first, *others = texts
    for other in others:
        first = say("{one}; {other}", one=first, other=other)
    return first


def preflight(plan: Plan, data: Iterable[DataSet], seen: Standing, now: datetime) -> Preflight:
    """Return whether the group of `plan` could move at `now` (UTC). `data`: the data sets that it needs."""
    source = runs_at(plan, seen.history)
    to = plan.standby if source is None else plan.other(source)
    lost = loss(seen.measured, now)
    at = _exercised_at(to, seen.history)
    if seen.moving is not None:
        return Preflight(
            source,
            to,
            lost,
            exercised_at=at,
            moving=seen.moving,
            asked=seen.asked,
            needed=seen.needed,
            title=plan.called(to),
        )
    reasons: list[Text] = []
    remarks: list[Text] = []
    if source is None:
        reasons.append(say("the last move did not end well: nobody knows where {plan} runs", plan=plan.title))
    reasons += _of_data(data, seen, now)
    reasons += _of_site(plan, to, seen)
    if source is not None:
        stands = hindered(plan, source, seen)
        unproven = prospect(plan.fences_of(source), stands)
        if unproven is not None:
            reasons.append(say("{site} could not be proven isolated: {why}", site=plan.called(source), why=unproven))
        remarks += _of_fences(plan, source, seen.history, stands if unproven is None else {})
    untried = tuple(_of_exercise(plan, to, seen.history, at, now))
    remarks += _of_start(plan, source, seen)
    only = bool(untried) and not reasons
    return Preflight(
        source,
        to,
        lost,
        (*reasons, *untried),
        tuple(remarks),
        at,
        needed=seen.needed,
        untried=only,
        title=plan.called(to),
    )


def _of_start(plan: Plan, source: SiteId | None, seen: Standing) -> Iterable[Text]:
    """When it begins by itself: whoever wrote that may wait for what does not come."""
    if plan.start is Start.PERSON or source is None:
        return
    if seen.mode is not Mode.QUORUM:
        yield say("a person begins the move, whatever `start` says: without three voters nobody else can tell a lost "
                  "site from a cut link")  # fmt: skip
        return
    names = seen.vantages.get(source, ())
    yield say(
        "it moves by itself once {site} is lost: seen down by {count} of these at least, and up by none: {names}",
        site=plan.called(source),
        count=enough(len(names)),
        names=called(names, plan.titles),
    )
    if plan.start is Start.BY and plan.by is not None:
        yield say("it moves by itself when an incident that it answers has lasted for {age}", age=plan.by)


def _of_data(data: Iterable[DataSet], seen: Standing, now: datetime) -> Iterable[Text]:
    """Why the copies could not take over as they are: nobody can see them, they are behind, or they are broken."""
    for one in data:
        figures = [loss_of(each, now) for each in seen.measured if each.data == one.id]
        known = [each.at_most for each in figures if each.known and each.at_most is not None]
        if not figures or len(known) < len(figures):
            yield say("nobody can say how far {data} is behind", data=one.called)
        elif max(known) > one.rpo:
            yield say("{data} is {lag} behind, {rpo} at most", data=one.called, lag=max(known), rpo=one.rpo)
        for name in one.checks:
            if seen.check(name).failing:
                yield say("{check} fails: {summary}", check=name, summary=seen.check(name).summary)


def _of_site(plan: Plan, to: SiteId, seen: Standing) -> Iterable[Text]:
    """Why the other site could not take over: its devices are not there, or what would verify it cannot be seen.

    What verifies it may fail as long as the plan has yet to start there what it looks at.
    """
    part, gates = plan.parts.get(to, Part()), seen.gates.get(to, ())
    cold = any(part.start)
    told = False
    for name in dict.fromkeys((*gates, *part.verify)):
        one = seen.check(name)
        if one.blind:
            told = True
            yield say("{check} cannot be seen: {summary}", check=name, summary=one.summary)
        elif one.failing and (name in gates or not cold):
            told = True
            yield say("{check} fails: {summary}", check=name, summary=one.summary)
    for fence in plan.fences_of(to):
        if isinstance(fence, Guarded) and fence.check is not None and (why := _not_well(fence.check, seen)) is not None:
            yield say(
                "nothing is started at {site} without its guard, which was not seen to run: {why}",
                site=plan.called(to),
                why=why,
            )
    if not gates and not part.verify and not told:
        yield say("nothing says whether {site} is there", site=plan.called(to))


def hindered(plan: Plan, source: SiteId, seen: Standing) -> dict[int, Text]:
    """Return what stands against each fence of `source` that could not be used now, by its number."""
    found: dict[int, Text] = {}
    for n, fence in enumerate(plan.fences_of(source)):
        if isinstance(fence, Guarded):
            if fence.check is not None and (why := _not_well(fence.check, seen)) is not None:
                found[n] = say("its guard was not seen to run: {why}", why=why)
            continue
        for gate in seen.fenced_by.get(source, {}).get(n, ()):
            why = _not_well(gate, seen)
            if why is not None:
                found.setdefault(n, why)
    return found


def _not_well(check: CheckId, seen: Standing) -> Text | None:
    one = seen.check(check)
    if one.blind:
        return say("{check} cannot be seen: {summary}", check=check, summary=one.summary)
    return say("{check} fails: {summary}", check=check, summary=one.summary) if one.failing else None


def _of_fences(plan: Plan, source: SiteId, history: History, hindered: Mapping[int, Text]) -> Iterable[Text]:
    """What a person should know of the fences although one of them could be used."""
    for why in hindered.values():
        yield say("one fence of {site} could not be used: {why}", site=plan.called(source), why=why)
    for fence in plan.fences_of(source):
        if isinstance(fence, Guarded) and fence.check is None:
            yield say("nobody watches whether the guard of {site} runs", site=plan.called(source))
    if not any(move.ok and move.direction.moves and plan.other(move.target) == source for move in history):
        yield say("no fence of {site} was used yet in a move", site=plan.called(source))


def _exercised_at(to: SiteId, history: History) -> datetime | None:
    """When the group was last seen to run at `to`: in a drill, or because it was moved there or away from there."""
    ends = [move.ended_at for move in history if move.ok and (move.target == to or move.direction.moves)]
    return max(ends, default=None)


def _of_exercise(plan: Plan, to: SiteId, history: History, at: datetime | None, now: datetime) -> Iterable[Text]:
    drills = [move for move in history if move.direction is Direction.DRILL and move.target == to]
    if drills and not drills[-1].ok and (at is None or at < drills[-1].ended_at):
        yield say(
            "the last drill at {site} failed, {age} ago", site=plan.called(to), age=_whole(now - drills[-1].ended_at)
        )
    elif at is None:
        yield say("it was never tried whether it runs at {site}: `releve failover drill {plan}`", site=plan.called(to),
            plan=plan.id)  # fmt: skip
    elif now - at > plan.drill_every:
        yield say(
            "the last drill was {age} ago, {most} at most: `releve failover drill {plan}`",
            age=_whole(now - at),
            most=plan.drill_every,
            plan=plan.id,
        )


def _whole(age: timedelta) -> timedelta:
    """In whole days, from one on: nobody asks for the hours of a drill of last month."""
    return age // DAY * DAY if age >= DAY else age
