"""The review of an incident (REX, retour d'expérience, S18): everything that is on record, and every gap in it named.

Pure: material and a reader's language in, a document out. Nothing in it is guessed; what only people can say and nobody
has said is marked as not documented, with the command that writes it down.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from failover.run import Move
from monitor.core.text import Speech, Text, say
from monitor.reports.document import Document, Facts, Section, Tone, Words, harmless
from monitor.reports.material import Material
from monitor.reports.milestones import measures, milestones
from monitor.reports.pen import Pen, pen_for
from monitor.reports.review import whole_review
from monitor.reports.rex_lessons import Gap, actions, causes, gaps, lessons, people
from monitor.reports.rex_measured import measured
from monitor.reports.rex_missed import told_and_missed
from monitor.reports.rex_repair import repair
from monitor.reports.rex_summary import glance, impact, summary
from monitor.reports.rex_timeline import timeline
from monitor.reports.rex_times import times
from monitor.reports.rex_versions import versions, which


def rex(material: Material, speech: Speech) -> Document:
    """Return the review of the incident in `material`, for a reader spoken to by `speech`."""
    pen = pen_for(material, speech)
    review = whole_review(material.incident)
    missing = gaps(pen, review)
    incident = material.incident
    sections = (
        summary(pen),
        times(pen),
        impact(pen),
        timeline(pen),
        told_and_missed(pen),
        repair(pen),
        measured(pen),
        causes(pen, review),
        lessons(pen, review),
        actions(pen, review),
        people(pen, missing),
        versions(pen),
        annexes(pen),
    )
    made = say(
        "Written by Relève {version} on {date} at {at}",
        version=material.releve_version,
        date=speech.date(material.now),
        at=speech.clock(material.now),
    )
    return harmless(
        Document(
            reference=str(incident.id),
            species=pen.t(say("Review of an incident (REX)")),
            title=pen.title,
            site=pen.name(material.site) or pen.gap().text,
            language=speech.language,
            status=_status(pen, missing),
            facts=glance(pen),
            sections=sections,
            footer=pen.t(made),
            page=pen.t(say("Page")),
            contents=pen.t(say("Contents")),
            data=_data(material, missing),
        )
    )


def _status(pen: Pen, missing: tuple[Gap, ...]) -> Words:
    """Whether the document is final; an incident that goes on, or a part that nobody wrote, makes it provisional."""
    if pen.material.incident.open:
        return pen.w(say("Provisional: the incident is still going on"), Tone.BAD)
    if missing:
        text = say("To be completed: parts not documented: {count}", count=len(missing))
        return pen.w(_versioned(pen, text), Tone.GAP)
    return pen.w(_versioned(pen, say("Complete: every part is documented")), Tone.GOOD)


def _versioned(pen: Pen, text: Text) -> Text:
    """With the version that was closed last, if any."""
    if not pen.material.incident.review.versions:
        return text
    return say("{status}. {version}", status=text, version=which(pen))


def annexes(pen: Pen) -> Section:
    """Return by what the document can be checked."""
    material, speech = pen.material, pen.context.speech
    books = tuple(
        dict.fromkeys(
            pen.t(say("{runbook}, version {version}", runbook=run.runbook, version=run.version))
            for run in material.runs
        )
    )
    made = say("{date} at {at}", date=speech.date(material.now), at=pen.context.day_and_clock(material.now))
    when = pen.at(material.now) if speech.date(material.now) != speech.date(material.incident.began_at) else made
    rows = (
        (say("Runbooks"), pen.w(", ".join(books)) if books else pen.w(say("none was started"))),
        (
            say("Protocol"),
            pen.w(say("version {version}", version=material.protocol_version[:12]))
            if material.protocol_version
            else pen.gap(),
        ),
        (
            say("Inventory"),
            pen.w(say("version {version}", version=material.inventory_version[:12]))
            if material.inventory_version
            else pen.gap(),
        ),
        (say("Head of the audit trail"), pen.w(material.audit_head)),
        (
            say("Relève"),
            pen.w(say("version {version}", version=material.releve_version)) if material.releve_version else pen.gap(),
        ),
        (say("Written"), pen.w(when)),
        (
            say("To verify"),
            pen.w(f"releve audit verify --head {material.audit_head}", Tone.CODE) if material.audit_head else pen.gap(),
        ),
    )
    facts = Facts(
        pen.t(say("By what this document can be checked")), tuple((pen.t(label), words) for label, words in rows)
    )
    return Section("annexes", pen.t(say("Annexes")), (facts,))


def _data(material: Material, missing: tuple[Gap, ...]) -> dict[str, Any]:
    """The figures of the review for other tools: ISO times in UTC, seconds, names that are alike in every language."""
    incident, at = material.incident, milestones(material)
    moments = {name: _when(getattr(at, name)) for name in at.__slots__}
    return {
        "id": str(incident.id),
        "kind": incident.kind,
        "severity": incident.worst.word,
        "status": incident.status.value,
        "provisional": incident.open,
        "site": material.site,
        "root_cause": incident.check,
        "cause": incident.cause,
        "maintenance": list(dict.fromkeys(event.window for event in incident.timeline if event.window)),
        "moments": moments,
        "measures": [
            {
                "name": one.name,
                "seconds": None if one.span is None else one.span.total_seconds(),
                "target_seconds": None if one.target is None else one.target.total_seconds(),
                "outcome": one.outcome.value,
            }
            for one in measures(material)
        ],
        "versions": [
            {"stage": one.stage.value, "episode": one.episode, "at": _when(one.at), "by": one.by}
            for one in incident.review.versions
        ],
        "moves": [_moved(move) for move in material.moves],
        "gaps": [gap.name for gap in missing],
        "audit_head": material.audit_head,
        "written_at": _when(material.now),
    }


def _moved(move: Move) -> dict[str, Any]:
    return {
        "id": move.id,
        "plan": move.plan,
        "direction": move.direction.value,
        "from": move.source,
        "to": move.target,
        "state": move.state.value,
        "started_at": _when(move.started_at),
        "ended_at": _when(move.ended_at),
        "rto_s": None if move.rto is None else move.rto.total_seconds(),
        "rpo_s": None if move.rpo is None else move.rpo.total_seconds(),
    }


def _when(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
