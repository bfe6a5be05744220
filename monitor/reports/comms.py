"""The proof of communication (S18): every message that the contract demanded in a period, and what became of it.

Pure: material and a reader's language in, a document out. What was demanded is worked out anew from the log of each
incident and the protocol frozen with it, so that a message that never came into being is named like one that was late.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from alerts.context import Context
from alerts.notice import Audience, Step
from alerts.wording import wording
from monitor.core.incident import Incident
from monitor.core.text import Speech, Text, say
from monitor.reports.answers import answer_of
from monitor.reports.comms_material import CommsMaterial, Told
from monitor.reports.document import (
    Block,
    Document,
    Facts,
    Heading,
    Paragraph,
    Section,
    Table,
    Tone,
    Words,
    harmless,
    printable,
)
from monitor.reports.pen import LONGEST_NAME
from monitor.reports.proof import BREACHES, Line, Standing, Totals, iso, line_json, totals
from monitor.reports.proof_words import fate_of, message_of, reason_of
from monitor.reports.rex_told import STEPS, promise_of

MOST_ROWS = 2000
"""Messages of one incident that are shown: twelve weeks of hourly updates; the CSV has all."""


@dataclass(frozen=True, slots=True)
class _Scribe:
    """Writes about `material` in the reader's words."""

    material: CommsMaterial
    context: Context

    def t(self, text: Text) -> str:
        return self.context.t(text)

    def w(self, text: Text | str, tone: Tone = Tone.PLAIN) -> Words:
        return Words((text if isinstance(text, str) else self.t(text)) or "–", tone)

    def exact(self, at: datetime | None) -> Words:
        if at is None:
            return Words("–")
        speech = self.context.speech
        return Words(f"{speech.date(at)} {at.astimezone(speech.zone).strftime('%H:%M:%S')}")

    def contact(self, name: str) -> str:
        return printable(self.material.people.get(name, name), LONGEST_NAME)

    def title(self, incident: Incident) -> str:
        own, language = self.material.titles.get(incident.kind, {}), self.context.speech.language
        return own.get(language) or next(iter(own.values()), "") or self.t(wording(incident.kind).title)


def comms(material: CommsMaterial, speech: Speech) -> Document:
    """Return the proof of communication of the period in `material`, for a reader spoken to by `speech`."""
    scribe = _Scribe(material, Context(material.site, speech, material.now, people=material.people))
    made = say(
        "Written by Relève {version} on {date} at {at}",
        version=material.releve_version,
        date=speech.date(material.now),
        at=speech.clock(material.now),
    )
    return harmless(
        Document(
            reference=material.period.name,
            species=scribe.t(say("Proof of communication")),
            title=scribe.t(_span(scribe)),
            site=printable(material.site, LONGEST_NAME) or scribe.t(say("not documented")),
            language=speech.language,
            status=_status(scribe),
            facts=_glance(scribe),
            sections=(_statement(scribe), _sums(scribe), _missed(scribe), _incidents(scribe), _method(scribe)),
            footer=scribe.t(made),
            page=scribe.t(say("Page")),
            contents=scribe.t(say("Contents")),
            data=_data(material),
            header=scribe.t(say("Proof of communication")),
        )
    )


def _span(scribe: _Scribe) -> Text:
    period, speech = scribe.material.period, scribe.context.speech
    last = period.until - timedelta(seconds=1)
    return say("From {since} to {until}", since=speech.date(period.since), until=speech.date(last))


def outward(lines: Iterable[Line]) -> list[Line]:
    """Return the messages that were for the client itself."""
    return [line for line in lines if line.key.audience is Audience.CLIENT and not line.rehearsal]


def _groups(material: CommsMaterial) -> tuple[tuple[Text, list[Line]], ...]:
    lines = [line for _, line in material.lines]
    return (
        (say("To the client"), outward(lines)),
        (say("To operations in the client's place (rehearsal)"), [line for line in lines if line.rehearsal]),
        (
            say("To our own people"),
            [line for line in lines if line.key.audience is Audience.INTERNAL and not line.rehearsal],
        ),
    )


def _status(scribe: _Scribe) -> Words:
    breaches = sum(line.breach for _, line in scribe.material.lines)
    if breaches:
        return scribe.w(say("Deadlines missed: {count}", count=breaches), Tone.BAD)
    if scribe.material.period.until > scribe.material.now:
        return scribe.w(say("Every deadline met so far; the period is not over yet"), Tone.GOOD)
    return scribe.w(say("Every deadline met"), Tone.GOOD)


def _glance(scribe: _Scribe) -> Facts:
    material = scribe.material
    client = totals(outward(line for _, line in material.lines))
    rows = (
        (say("Site"), scribe.w(material.site or say("not documented"))),
        (say("Period"), scribe.w(_span(scribe))),
        (say("Incidents of which the client was to be told"), Words(str(len(material.told)))),
        (say("Other incidents, which were no business of the client"), Words(str(material.others))),
        (say("Messages due to the client"), Words(str(client.due))),
        (say("Left on time"), Words(str(client.on_time))),
        (say("Late"), scribe.w(_late(client), Tone.BAD if client.late + client.overdue else Tone.PLAIN)),
        (say("Never sent"), Words(str(client.never_sent), Tone.BAD if client.never_sent else Tone.PLAIN)),
    )
    return Facts(scribe.t(say("The period at a glance")), tuple((scribe.t(label), words) for label, words in rows))


def _late(sums: Totals) -> Text | str:
    late = sums.late + sums.overdue
    return say("{count}, by {worst} at most", count=late, worst=sums.worst) if late else "0"


def _statement(scribe: _Scribe) -> Section:
    """The sentences that a client's manager reads, and nothing else."""
    found = [Paragraph(scribe.w(text, Tone.STRONG)) for text in _sentences(scribe.material)]
    return Section("statement", scribe.t(say("What is proved")), tuple(found))


def _sentences(material: CommsMaterial) -> list[Text]:
    (_, client), (_, rehearsed), _own = _groups(material)
    sums, sentences = totals(client), list[Text]()
    if not material.told:
        sentences.append(say("No incident of this period was to be told to the client: no message was due."))
    elif client and not sums.breaches and not sums.waiting:
        text = say(
            "The contract demanded {due} messages to the client (incidents: {incidents}): every one left on time and "
            "was accepted by the server that it was handed to.",
            due=sums.due,
            incidents=len(material.told),
        )
        sentences.append(text)
    elif client:
        sentences.append(
            say(
                "The contract demanded {due} messages to the client (incidents: {incidents}). On time: {on_time}; "
                "late: {late}; never sent: {never}.",
                due=sums.due,
                incidents=len(material.told),
                on_time=sums.on_time,
                late=sums.late + sums.overdue,
                never=sums.never_sent,
            )
        )
        if sums.late or sums.overdue:
            sentences.append(say("The longest delay was {worst}.", worst=sums.worst))
        if sums.breaches:
            sentences.append(say("Each missed deadline is named below, with its reason where that is on record."))
    if rehearsed:
        sentences.append(
            say(
                "Messages of a rehearsal: {count}. They went to operations; the client was not told by them.",
                count=len(rehearsed),
            )
        )
    if any(one.protocol is None for one in material.told):
        names = ", ".join(one.incident.id for one in material.told if one.protocol is None)
        sentences.append(
            say(
                "The protocol in force is not on record, so nothing can be proved to be missing, for: {names}.",
                names=names,
            )
        )
    if material.period.until > material.now:
        sentences.append(say("The period is not over yet: this is how it stands now."))
    return sentences


def _sums(scribe: _Scribe) -> Section:
    blocks: list[Block] = []
    for title, lines in _groups(scribe.material):
        if not lines:
            continue
        steps = [step for step in Step if any(line.key.step is step for line in lines)]
        rows = [_sum(scribe, scribe.t(STEPS.get(step, say("{name}", name=step.value))), lines, step) for step in steps]
        rows.append(_sum(scribe, scribe.t(say("Total")), lines, None))
        head = (
            say("Message"),
            say("Messages due"),
            say("On time"),
            say("Late"),
            say("Never sent"),
            say("Not due to have left"),
        )
        blocks.append(Table(scribe.t(title), tuple(map(scribe.t, head)), tuple(rows), (6, 2, 2, 5, 3, 3)))
    if not blocks:
        blocks.append(Paragraph(scribe.w(say("No message was due."))))
    return Section("totals", scribe.t(say("Totals")), tuple(blocks))


def _sum(scribe: _Scribe, label: str, lines: Collection[Line], step: Step | None) -> tuple[Words, ...]:
    sums = totals([line for line in lines if step in (None, line.key.step)])
    late, never = sums.late + sums.overdue, sums.never_sent
    return (
        Words(label, Tone.STRONG if step is None else Tone.PLAIN),
        Words(str(sums.due)),
        Words(str(sums.on_time)),
        scribe.w(_late(sums), Tone.BAD if late else Tone.PLAIN),
        Words(str(never), Tone.BAD if never else Tone.PLAIN),
        Words(str(sums.waiting)),
    )


def _missed(scribe: _Scribe) -> Section:
    """Every missed deadline with its reason, the client's before ours."""
    title = scribe.t(say("Deadlines missed"))
    found = [(name, line) for name, line in scribe.material.lines if line.breach]
    if not found:
        return Section("breaches", title, (Paragraph(scribe.w(say("None."), Tone.GOOD)),))
    found.sort(key=lambda one: (one[1].key.audience is not Audience.CLIENT or one[1].rehearsal, one[1].due_at))
    head = (say("Incident"), say("Message"), say("Recipient"), say("Due"), say("What became of it"), say("Reason"))
    rows = [
        (
            Words(name),
            scribe.w(message_of(line)),
            scribe.w(scribe.contact(line.key.recipient)),
            scribe.exact(line.due_at),
            scribe.w(fate_of(line), Tone.BAD),
            scribe.w(reason_of(line)),
        )
        for name, line in found[:MOST_ROWS]
    ]
    note = _left_out(scribe, len(found) - MOST_ROWS)
    return Section(
        "breaches", title, (Table(title, tuple(map(scribe.t, head)), tuple(rows), (3, 4, 4, 4, 5, 6), note),)
    )


def _left_out(scribe: _Scribe, count: int) -> str:
    return scribe.t(say("Messages not shown: {count}. The CSV has them all.", count=count)) if count > 0 else ""


def _incidents(scribe: _Scribe) -> Section:
    title = scribe.t(say("Each incident"))
    blocks = [block for one in scribe.material.told for block in _incident(scribe, one)]
    return Section("incidents", title, tuple(blocks) or (Paragraph(scribe.w(say("None."))),))


def _incident(scribe: _Scribe, one: Told) -> list[Block]:
    incident, context = one.incident, scribe.context
    title = f"{incident.id} {scribe.title(incident)}"
    ended = (
        say("it goes on")
        if incident.resolved_at is None
        else say("over since {at}", at=context.at(incident.resolved_at))
    )
    when = say("Since {began}; {ended}.", began=context.at(incident.began_at), ended=ended)
    promise = promise_of(one.protocol, scribe.contact)
    head = (
        *(say("Message"), say("Recipient"), say("Due"), say("Left"), say("What became of it"), say("Reason")),
        say("The server's answer"),
    )
    rows = [_row(scribe, line) for line in one.lines[:MOST_ROWS]]
    note = scribe.t(say("Times: {zone}.", zone=_zone(scribe)))
    more = _left_out(scribe, len(one.lines) - MOST_ROWS)
    table = Table(
        scribe.t(say("Messages about {id}", id=incident.id)),
        tuple(map(scribe.t, head)),
        tuple(rows),
        (4, 4, 4, 4, 4, 4, 6),
        f"{note} {more}".strip(),
    )
    return [Heading(title), Paragraph(scribe.w(when)), Paragraph(scribe.w(promise)), table]


def _zone(scribe: _Scribe) -> str:
    at, context = scribe.material.now, scribe.context
    return context.at(at).removeprefix(context.day_and_clock(at)).lstrip(" ,")


def _row(scribe: _Scribe, line: Line) -> tuple[Words, ...]:
    notice = line.notice
    name: Text | str = scribe.contact(line.key.recipient)
    if notice is not None and notice.channel:
        name = say("{name} ({channel})", name=str(name), channel=printable(notice.channel, LONGEST_NAME))
    good = line.standing in (Standing.ON_TIME, Standing.WAITING)
    return (
        scribe.w(message_of(line)),
        scribe.w(name),
        scribe.exact(line.due_at),
        scribe.exact(None if notice is None else notice.sent_at),
        scribe.w(fate_of(line), Tone.PLAIN if good else Tone.BAD),
        scribe.w(reason_of(line)),
        scribe.w(answer_of(notice, scribe.context) if notice is not None else ""),
    )


def _method(scribe: _Scribe) -> Section:
    material = scribe.material
    how = say(
        "What was due is worked out anew from the log of each incident and from the protocol that was frozen when it "
        "was opened; then each message is looked for in the outbox. So one that was never written counts as missing."
    )
    late = say(
        "A first notice is late from its time limit on. An update, a conference call or a resolved notice is due at "
        "the very moment of which it tells: it is late when it leaves a minute after that."
    )
    accepted = say("Left means: the server that it was handed to has accepted it, with the answer that is shown.")
    versions = dict.fromkeys(one.protocol_version[:12] for one in material.told if one.protocol_version)
    rows = [
        (say("Protocols"), scribe.w(", ".join(versions) or say("none was in force"))),
        (say("Head of the audit trail"), scribe.w(material.audit_head)),
    ]
    if material.audit_head:
        rows.append((say("To verify"), scribe.w(f"releve audit verify --head {material.audit_head}", Tone.CODE)))
    facts = Facts(
        scribe.t(say("By what this document can be checked")), tuple((scribe.t(label), words) for label, words in rows)
    )
    paragraphs = tuple(Paragraph(scribe.w(text)) for text in (how, late, accepted))
    return Section("method", scribe.t(say("How it is proved")), (*paragraphs, facts))


def _data(material: CommsMaterial) -> dict[str, Any]:
    """The figures for other tools: ISO times in UTC, seconds, names that are alike in every language."""
    (_, client), (_, rehearsed), (_, own) = _groups(material)
    return {
        "period": {"since": iso(material.period.since), "until": iso(material.period.until)},
        "site": material.site,
        "incidents": [one.incident.id for one in material.told],
        "other_incidents": material.others,
        "totals": {"client": _figures(client), "rehearsal": _figures(rehearsed), "operations": _figures(own)},
        "breaches": sum(line.standing in BREACHES for _, line in material.lines),
        "messages": [line_json(line) for _, line in material.lines],
        "audit_head": material.audit_head,
        "written_at": iso(material.now),
    }


def _figures(lines: list[Line]) -> dict[str, Any]:
    sums = totals(lines)
    counts = {standing.value: getattr(sums, standing.value) for standing in Standing}
    return {"due": sums.due, **counts, "never_sent": sums.never_sent, "worst_s": sums.worst.total_seconds()}
