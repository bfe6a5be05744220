"""One interruption as anybody may read it: what the client was told of it, in the client's own words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from alerts.agreement import Protocol
from alerts.announced import announced_work
from alerts.client_words import client_sheet, doing, interruption_began
from alerts.context import Context
from alerts.merged_words import merged_sheet
from alerts.notice import Audience, NoticeKey, Planned, Step
from alerts.public_words import for_all
from alerts.service_words import title_in
from alerts.sheet import cause_of, title_of
from alerts.slots import next_update
from monitor.core.events import Event, EventKind
from monitor.core.ids import IncidentId
from monitor.core.incident import Incident, replay
from monitor.core.maintenance import Window
from monitor.core.text import Speech, Text, say
from monitor.core.verdict import Severity

MOST_UPDATES = 50
"""Of one interruption, the latest: one that wavers for days has hundreds."""


class Word(StrEnum):
    """How a service is, or an interruption; the names are part of the contract."""

    NORMAL = "normal"
    DEGRADED = "degraded"
    INTERRUPTED = "interrupted"
    MAINTENANCE = "maintenance"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads: anybody, in the words of `speech`, at `now`. `windows`: the work that is announced.

    `in_titles`: names that are blanked in what was written for the client, `in_causes`: in what a person said.
    """

    site: str
    speech: Speech
    now: datetime
    windows: tuple[Window, ...]
    in_titles: frozenset[str]
    in_causes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Update:
    """Something that changed for the client at `at` (UTC), as a sentence."""

    at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class PublicIncident:
    """One interruption, from `since` to `until` (UTC; None while it goes on). The texts are the client's.

    `word`: how it is now, NORMAL once it is over. `opened_at`: with the reference it names the incident for good.
    `next_at`: when the client is told next. `updates`: oldest first.
    """

    reference: str
    opened_at: datetime
    title: str
    word: Word
    since: datetime
    until: datetime | None
    what: str
    impact: str
    cause: str
    doing: str
    following: str
    next_at: datetime | None
    updates: tuple[Update, ...]

    @property
    def updated_at(self) -> datetime:
        """When it changed last for the client."""
        return max((one.at for one in self.updates), default=self.since)


def told_to_client(incident: Incident) -> Incident | None:
    """Return `incident` as far as it interrupted the client's service; None when it never did.

    Of one that came back and does not interrupt again, the client knows the episode before, and its end.
    """
    if incident.disruption_seen_at is not None:
        return incident
    end, interrupts = 0, False
    for n, event in enumerate(incident.timeline):
        if event.kind is EventKind.REOPENED:
            end, interrupts = (n if interrupts else end), False
        interrupts = interrupts or _interrupts(event)
    return replay(incident.timeline[:end]).get(incident.id)


def _interrupts(event: Event) -> bool:
    """Whether the client's service is interrupted from there on, by the incident or by one that went into it."""
    return event.kind is EventKind.DISRUPTED or (event.kind is EventKind.ABSORBED and event.began_at is not None)


def carried_on(incident: Incident, others: Mapping[IncidentId, Incident]) -> Incident | None:
    """Return `incident`; one that went into another is as far as that one is. None where nobody knows of that one.

    For itself it has ended, and the client was told that it has not.
    """
    last, seen = incident, {incident.id}
    while last.joined.into is not None:
        following = others.get(last.joined.into)
        if following is None or following.id in seen:
            return None
        seen.add(following.id)
        last = following
    if last is incident:
        return incident
    return replace(
        incident,
        status=last.status,
        severity=last.severity,
        recovered_at=last.recovered_at,
        resolved_at=last.resolved_at,
    )


def public_incident(
    incident: Incident,
    protocol: Protocol,
    reader: Reader,
    titles: Mapping[str, str],
    causes: Mapping[str, str],
) -> PublicIncident:
    """Return `incident`, which interrupted the client's service. `titles`, `causes`: its kind's, by language."""
    language = reader.speech.language
    clean = replace(incident, cause=for_all(incident.cause, reader.in_causes))
    into = incident.joined.into if incident.open else None
    context = Context(
        site=reader.site,
        speech=reader.speech,
        now=reader.now,
        next_at=next_update(protocol, incident, reader.now) if into is None else None,
        title=for_all(title_in(titles, language, ""), reader.in_titles),
        usual_cause=for_all(title_in(causes, language, ""), reader.in_titles),
        alerted=bool(protocol.operations),
        live=protocol.live,
        work=announced_work(incident, reader.windows, language),
    )
    sheet = client_sheet(_as_told(clean), clean, context)
    if into is not None:
        sheet = merged_sheet(sheet, context, str(incident.id), into)
    return PublicIncident(
        reference=str(incident.id),
        opened_at=incident.opened_at,
        title=title_of(clean, context),
        word=_word(incident, context),
        since=interruption_began(incident),
        until=incident.resolved_at,
        what=sheet.what,
        impact=sheet.impact,
        cause=cause_of(clean, context, context.line(clean.cause)),
        doing=doing(clean, context) if into is None else "",
        following=sheet.following,
        next_at=context.next_at,
        updates=tuple(sorted((*_updates(clean, context, reader), *_added(clean, reader)), key=_moment))[-MOST_UPDATES:],
    )


def _as_told(incident: Incident) -> Planned:
    """The message that says how it is at any moment: an update, or that of the end. It goes to nobody."""
    step = Step.UPDATE if incident.resolved_at is None else Step.RESOLVED
    return Planned(NoticeKey(incident.id, Audience.CLIENT, step, incident.episode, ""), incident.opened_at)


def _word(incident: Incident, context: Context) -> Word:
    if incident.resolved_at is not None:
        return Word.NORMAL
    if incident.recovered_at is not None or incident.severity is not Severity.CRITICAL:
        return Word.DEGRADED
    return Word.INTERRUPTED if context.work is None else Word.MAINTENANCE


SAID: dict[EventKind, Text] = {
    EventKind.RECOVERED: say("Recovery being verified."),
    EventKind.RELAPSED: say("The recovery did not hold: the service is still interrupted."),
    EventKind.FLAPPING: say("The service is unstable: it comes and goes."),
    EventKind.STEADY: say("It no longer comes and goes."),
    EventKind.ACKNOWLEDGED: say("An administrator is working on it."),
    EventKind.RESOLVED: say("Service restored."),
}
"""What an event means for the client; its own words are ours."""


def _updates(incident: Incident, context: Context, reader: Reader) -> Iterator[Update]:
    """What changed for the client, from the interruption on; what is said again is not repeated."""
    interrupts, episode, said = False, 1, ""
    for event in incident.timeline:
        if event.kind is EventKind.REOPENED:
            interrupts, episode = False, episode + 1
        text = _begins(episode, announced=context.work is not None)
        if interrupts or not _interrupts(event):
            text = _said(event, reader) if interrupts else Text("")
        interrupts = interrupts or _interrupts(event)
        words = context.t(text) if text else ""
        if words and words != said:
            said = words
            yield Update(event.at, words)


def _added(incident: Incident, reader: Reader) -> Iterator[Update]:
    """What people added to updates that have left."""
    until = min(reader.now, incident.resolved_at or reader.now)
    for draft in incident.drafts:
        words = for_all(draft.words, reader.in_causes)
        if words and draft.due_at <= until:
            yield Update(draft.due_at, words)


def _moment(update: Update) -> datetime:
    return update.at


def _begins(episode: int, *, announced: bool) -> Text:
    if announced:
        return say("Announced maintenance: the service is interrupted.")
    return say("Service interrupted.") if episode == 1 else say("Service interrupted again.")


def _said(event: Event, reader: Reader) -> Text:
    if event.kind is EventKind.SEVERITY and event.severity is not None:
        if event.severity is Severity.CRITICAL:
            return say("The service is interrupted as before.")
        return say("Improving, not yet over.")
    if event.kind is EventKind.CAUSE:
        stated = for_all(str(dict(event.text.values).get("verbatim", "")), reader.in_causes)
        return say("Cause: {cause}", cause=stated) if stated else Text("")
    if event.kind is EventKind.MERGED:
        return say("Followed under {into} from now on.", into=str(event.data.get("into", "")))
    if event.kind is EventKind.REPAIR:
        return say("An automatic repair is under way.")
    return SAID.get(event.kind, Text(""))
