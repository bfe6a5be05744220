"""What anybody may read of the service: a word, figures, what the client was told, and announced work. No internals.

It is made of what the client reads anyway, and of nothing else: no event's own words, no machine, address, check,
contact or command. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from alerts.agreement import Protocol
from alerts.public_words import for_all, plain
from alerts.service_words import title_in, view_text
from alerts.wording import wording
from monitor.core.impact import Outlook, outlook
from monitor.core.incident import Incident, Interruption
from monitor.core.maintenance import Window
from monitor.core.plan import Plan, State
from monitor.core.text import Speech, Text, say
from monitor.inventory.model import Inventory
from monitor.inventory.privacy import machines, people, private_names
from monitor.reports.public_incident import PublicIncident, Reader, Word, carried_on, public_incident, told_to_client

PAST = timedelta(days=30)
"""For how long what is over is shown."""
COMING = timedelta(days=30)
"""How far ahead announced work is shown."""
MOST_INCIDENTS, MOST_WORK = 200, 50
"""Shown at most, the latest and the next ones: a page is read on a telephone."""
GOOD_FOR = 2.5
"""Times `every` after which what was written is stale: one writing that fails and one that is late are borne."""

STATES: dict[Word, Text] = {
    Word.NORMAL: say("Service normal"),
    Word.DEGRADED: say("Service degraded"),
    Word.INTERRUPTED: say("Service interrupted"),
    Word.MAINTENANCE: say("Announced maintenance"),
    Word.UNKNOWN: say("State not known"),
}
SENTENCES: dict[Word, Text] = {
    Word.NORMAL: say("Everything works as it should."),
    Word.DEGRADED: say("The service works, with restrictions."),
    Word.INTERRUPTED: say("The service cannot be used, or only in part."),
    Word.MAINTENANCE: say("Announced work is being carried out; the service may be interrupted."),
    Word.UNKNOWN: say("Part of the service is not visible at the moment, so nothing is said of the whole."),
}


class Blind(StrEnum):
    """Why nothing is said of the service."""

    REHEARSAL = "rehearsal"
    """The client is told nothing yet, so neither is anybody else."""
    NO_SIGHT = "no_sight"
    """Relève itself does not see."""


BLIND: dict[Blind, Text] = {
    Blind.REHEARSAL: say("This page is being tried out: it says nothing of the service yet."),
    Blind.NO_SIGHT: say("The monitoring does not see the service at the moment: nothing can be said of it."),
}


@dataclass(frozen=True, slots=True)
class PublicFacts:
    """What is known at `now` (UTC): `incidents` with the protocol of each, `windows` of announced work.

    `sees`: Relève watches and gets results. `seen_at`: the latest of them. `trusted`: the clock can be believed.
    """

    now: datetime
    outlook: tuple[Outlook, ...]
    incidents: tuple[tuple[Incident, Protocol], ...]
    windows: tuple[Window, ...]
    sees: bool
    seen_at: datetime | None
    trusted: bool = True


@dataclass(frozen=True, slots=True)
class PublicService:
    """One service: `able` surely work, `unsure` more may, of `total`; `text` says so in words."""

    title: str
    word: Word
    able: float
    unsure: float
    total: float
    text: str


@dataclass(frozen=True, slots=True)
class PublicWork:
    """Announced work that goes on (`active`) or is to come; `title`: what the client would read of it."""

    title: str
    begins_at: datetime
    ends_at: datetime
    active: bool


@dataclass(frozen=True, slots=True)
class PublicStatus:
    """The whole, in the words of one `language`. Moments are UTC.

    Written at `written_at` of what was seen last at `seen_at`; good until `next_at`, and stale after it. `name`: what
    tells this site apart from others, for identifiers that are not shown as such. `blind`: why nothing is said.
    """

    name: str
    title: str
    language: str
    word: Word
    state: str
    sentence: str
    written_at: datetime
    seen_at: datetime | None
    next_at: datetime
    services: tuple[PublicService, ...] = ()
    incidents: tuple[PublicIncident, ...] = ()
    work: tuple[PublicWork, ...] = ()
    blind: Blind | None = None
    certain: bool = True


def public_facts(
    plan: Plan,
    state: State,
    incidents: Iterable[tuple[Incident, Protocol]],
    now: datetime,
    *,
    watching: bool = True,
    trusted: bool = True,
) -> PublicFacts:
    """Return what is known at `now`, by `state`. `watching`: False when Relève is known not to."""
    looked = [state.healths[name].seen_at for name in plan.checks if name in state.healths]
    return PublicFacts(
        now=now,
        outlook=outlook(plan, state),
        incidents=tuple(incidents),
        windows=state.windows,
        sees=watching and _sees(plan, state, now),
        seen_at=max(looked, default=None),
        trusted=trusted,
    )


def _sees(plan: Plan, state: State, now: datetime) -> bool:
    """Whether at least one check that comes by a grid has come of late; where none does, there is nothing to see."""
    limits, healths = plan.silence_limits, state.healths
    return not limits or any(name in healths and now - healths[name].seen_at <= limit for name, limit in limits.items())


@dataclass(frozen=True, slots=True)
class Inside:
    """Names of the inside: those that are blanked in titles, and those in what a person said."""

    in_titles: frozenset[str]
    in_causes: frozenset[str]


def inside_of(inventory: Inventory, windows: Iterable[Window]) -> Inside:
    """Return what `inventory` and announced work name that no stranger should read; it is worth keeping."""
    own = machines(inventory) | people(inventory)
    return Inside(own, own | {*private_names(inventory), *inventory.books, *(one.id for one in windows)})


def public_status(
    inventory: Inventory, facts: PublicFacts, speech: Speech, inside: Inside | None = None
) -> PublicStatus:
    """Return what anybody may read of `facts` in the words of `speech`. `inside`: what `inside_of` returns, where kept.

    While the protocol is a rehearsal nothing is said but that: the client would read what it is not told.
    """
    public = inventory.public
    blind = None if facts.sees else Blind.NO_SIGHT
    services: tuple[PublicService, ...] = ()
    incidents: tuple[PublicIncident, ...] = ()
    work: tuple[PublicWork, ...] = ()
    if not inventory.protocol.live:
        blind = Blind.REHEARSAL
    else:
        reader = _reader(inventory, facts, speech, inside or inside_of(inventory, facts.windows))
        services = _services(facts.outlook, public.degraded_below, reader)
        incidents = _incidents(inventory, facts, reader)
        work = _work(inventory, facts, reader)
    word = Word.UNKNOWN if blind is not None else _word(services, incidents, work)
    return PublicStatus(
        name=inventory.site.name,
        title=plain(title_in(public.titles, speech.language, inventory.site.name)),
        language=speech.language,
        word=word,
        state=speech.render(STATES[word]),
        sentence=speech.render(SENTENCES[word] if blind is None else BLIND[blind]),
        written_at=facts.now,
        seen_at=facts.seen_at,
        next_at=facts.now + public.every * GOOD_FOR,
        services=services,
        incidents=incidents,
        work=work,
        blind=blind,
        certain=facts.trusted,
    )


def _reader(inventory: Inventory, facts: PublicFacts, speech: Speech, inside: Inside) -> Reader:
    return Reader(
        site=inventory.site.name,
        speech=speech,
        now=facts.now,
        windows=facts.windows,
        in_titles=inside.in_titles,
        in_causes=inside.in_causes,
    )


def _services(known: Sequence[Outlook], degraded_below: float, reader: Reader) -> tuple[PublicService, ...]:
    speech = reader.speech
    found = []
    for one in known:
        seen = one.view
        if seen.total <= 0:
            continue
        title = for_all(title_in(one.service.titles, speech.language, one.service.name), reader.in_titles)
        text = speech.render(view_text(seen, speech))
        word = _word_of_service(one, degraded_below)
        found.append(PublicService(title, word, seen.able, seen.unsure, seen.total, text))
    return tuple(found)


def _word_of_service(one: Outlook, degraded_below: float) -> Word:
    """What is not seen counts as able where it would only make things worse, and as unknown where it decides."""
    enough = degraded_below * one.view.total
    if one.interrupted:
        return Word.INTERRUPTED
    if one.view.able + one.view.unsure < enough:
        return Word.DEGRADED
    return Word.UNKNOWN if one.view.able < enough else Word.NORMAL


def _incidents(inventory: Inventory, facts: PublicFacts, reader: Reader) -> tuple[PublicIncident, ...]:
    """What interrupted the client's service: what goes on first, then the latest."""
    found, known = [], {incident.id: incident for incident, _ in facts.incidents}
    for incident, protocol in facts.incidents:
        told = told_to_client(incident) if protocol.live else None
        told = None if told is None else carried_on(told, known)
        if told is None or (told.resolved_at is not None and told.resolved_at < facts.now - PAST):
            continue
        kind = inventory.kinds.get(told.kind)
        titles, causes = ({}, {}) if kind is None else (kind.titles, kind.causes)
        found.append(public_incident(told, protocol, reader, titles, causes))
    found.sort(key=lambda one: (one.until is None, one.since, one.reference), reverse=True)
    return tuple(found[:MOST_INCIDENTS])


def _work(inventory: Inventory, facts: PublicFacts, reader: Reader) -> tuple[PublicWork, ...]:
    """The work of which the client would be told; its own title may name machines, so that of its kind is read."""
    found = []
    for window in facts.windows:
        kind, span = inventory.kinds.get(window.kind), window.next_span(facts.now)
        if kind is None or kind.interruption is Interruption.NEVER or span is None:
            continue
        if span.start - facts.now > COMING:
            continue
        words = title_in(kind.titles, reader.speech.language, "") or reader.speech.render(wording(kind.name).title)
        found.append(PublicWork(for_all(words, reader.in_titles), span.start, span.end, span.start <= facts.now))
    found.sort(key=lambda one: (one.begins_at, one.ends_at, one.title))
    return tuple(dict.fromkeys(found))[:MOST_WORK]


def _word(services: Sequence[PublicService], incidents: Sequence[PublicIncident], work: Sequence[PublicWork]) -> Word:
    """The worst of what is surely so; what was announced explains what it may have brought down."""
    told = {one.word for one in incidents if one.until is None}
    seen = {one.word for one in services}
    if Word.INTERRUPTED in told:
        return Word.INTERRUPTED
    if Word.MAINTENANCE in told or any(one.active for one in work):
        return Word.MAINTENANCE
    return next((word for word in (Word.INTERRUPTED, Word.DEGRADED, Word.UNKNOWN) if word in told | seen), Word.NORMAL)
