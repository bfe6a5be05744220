"""The JSON that the commands and the API share: one function a thing, pure but for the history that it reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from alerts.agreement import Protocol
from alerts.crisis import next_report
from alerts.escalation import next_rung
from alerts.notice import Copy, Notice, NoticeKey
from alerts.service_words import title_in
from alerts.slots import next_update
from monitor.core.attachment import Attachment
from monitor.core.crisis import Action, Crisis, Decision, Need, Role
from monitor.core.events import Event
from monitor.core.health import Health
from monitor.core.ids import CheckId
from monitor.core.impact import Outlook
from monitor.core.incident import Incident
from monitor.core.review import part_to_json
from monitor.core.reviewing import owed
from monitor.core.text import Speech
from monitor.core.verdict import Severity, worst
from monitor.inventory.model import Check
from monitor.store import Store


def when(at: datetime | None) -> str | None:
    """Return a moment as ISO 8601 in UTC, to the millisecond."""
    return None if at is None else at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def event_json(event: Event, speech: Speech) -> dict[str, Any]:
    """Return one line of an incident's timeline."""
    data = {
        "check": event.check,
        "severity": None if event.severity is None else event.severity.word,
        "began_at": when(event.began_at),
        "run": event.run or None,
        "until": when(event.until),
        "maintenance": event.window or None,
        **event.data,
    }
    return {
        "at": when(event.at),
        "kind": event.kind.value,
        "actor": event.actor,
        "text": speech.render(event.text),
        "data": {name: value for name, value in data.items() if value is not None},
    }


def notice_json(notice: Notice) -> dict[str, Any]:
    """Return one notice with how far it got and what the server said."""
    return {
        "key": str(notice.key),
        "step": notice.key.step.value,
        "audience": notice.key.audience.value,
        "recipient": notice.key.recipient,
        "channel": notice.channel,
        "due_at": when(notice.due_at),
        "queued_at": when(notice.created_at),
        "handed_over_at": when(notice.handed_at),
        "sent_at": when(notice.sent_at),
        "accepted_at": when(notice.sent_at),
        "state": notice.state.value,
        "message_id": f"<{notice.message_id}>",
        "attempts": notice.attempts,
        "answer": notice.answer,
        "subject": notice.message.subject,
        "copy": None if notice.copy is None else copy_json(notice.copy),
    }


def copy_json(copy: Copy) -> dict[str, Any]:
    """Return what the first channel said to the copy that it was given later; `accepted_at` None for a refusal."""
    return {
        "channel": copy.channel,
        "address": copy.address,
        "accepted_at": when(copy.at),
        "answer": copy.answer,
    }


def incident_json(
    incident: Incident, notices: Iterable[Notice], speech: Speech, runs: Iterable[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    """Return an incident as CONTRACT.md describes it; `runs` as `run_json` gives them."""
    return {
        "id": incident.id,
        "kind": incident.kind,
        "severity": incident.severity.word,
        "status": incident.status.value,
        "title": speech.render(incident.title),
        "began_at": when(incident.began_at),
        "opened_at": when(incident.opened_at),
        "disrupted_at": when(incident.disrupted_at),
        "acknowledged_at": when(incident.acknowledged_at),
        "acknowledged_by": incident.acknowledged_by,
        "acknowledged_until": when(incident.acknowledged_until),
        "flapping_since": when(incident.flapping_at),
        "flaps": incident.flaps,
        "maintenance": incident.window or None,
        "recovered_at": when(incident.recovered_at),
        "resolved_at": when(incident.resolved_at),
        "merged_into": incident.joined.into,
        "root_cause": incident.check,
        "suppressed": list(incident.suppressed),
        "cause": incident.cause,
        "timeline": [event_json(event, speech) for event in incident.timeline],
        "notices": [notice_json(notice) for notice in sorted(notices, key=_by_time)],
        "runs": [dict(run) for run in runs],
        **crisis_json(incident.crisis),
        "review": review_json(incident),
    }


def crisis_json(crisis: Crisis) -> dict[str, Any]:
    """Return what an incident's JSON has of a crisis cell: what it wrote down, its roles, and since when it is."""
    return {
        "actions": [_action(one) for one in crisis.actions],
        "decisions": [_decision(one) for one in crisis.decisions],
        "needs": [_need(one) for one in crisis.needs],
        "attachments": [_attachment(one) for one in crisis.attachments],
        "crisis_opened_at": when(crisis.opened_at),
        "roles": {role.value: crisis.who(role) or None for role in Role},
    }


def _action(one: Action) -> dict[str, Any]:
    return {
        "n": one.n,
        "what": one.what,
        "owner": one.owner,
        "due_at": when(one.due_at),
        "state": one.state.value,
        "at": when(one.at),
        "by": one.by,
        "ended_at": when(one.ended_at),
        "result": one.result,
    }


def review_json(incident: Incident) -> dict[str, Any]:
    """Return what people wrote for the review, its closed versions, and which of them is owed until when."""
    review = incident.review
    return {
        "points": [
            {"topic": one.topic.value, "n": one.n, "what": one.what, "by": one.by, "at": when(one.at)}
            for one in review.points
            if one.what
        ],
        "versions": [
            {
                "stage": one.stage.value,
                "episode": one.episode,
                "at": when(one.at),
                "by": one.by,
                "parts": [part_to_json(part) for part in one.parts],
            }
            for one in review.versions
        ],
        "owed": [{"stage": one.stage.value, "due_at": when(one.due_at)} for one in owed(incident)],
    }


def _attachment(one: Attachment) -> dict[str, Any]:
    """Return one file; `event_json` and this say its hash, so that nobody has to believe the name."""
    return {
        "n": one.n, "name": one.name, "size": one.size, "sha256": one.sha256, "at": when(one.at), "by": one.by,
    }  # fmt: skip


def _decision(one: Decision) -> dict[str, Any]:
    return {"n": one.n, "what": one.what, "at": when(one.at), "by": one.by}


def _need(one: Need) -> dict[str, Any]:
    return {"n": one.n, "what": one.what, "at": when(one.at), "by": one.by, "met_at": when(one.met_at)}


def _by_time(notice: Notice) -> tuple[datetime, NoticeKey]:
    """As they left; what has not left yet, by when it is due."""
    return notice.sent_at or notice.due_at, notice.key


def health_json(
    name: CheckId,
    check: Check | None,
    health: Health | None,
    speech: Speech,
    *,
    stale: bool = False,
    rests: bool = False,
) -> dict[str, Any]:
    """Return what is believed of one check, with its last words.

    `stale`: it has given no result for too long. `rests`: it fails because what it looks at stands by.
    """
    return {
        "check": name,
        "kind": None if check is None else check.probe,
        "device": None if check is None else check.node,
        "severity": None if health is None else health.confirmed.word,
        "latest": None if health is None else health.latest.word,
        "phase": None if health is None else health.phase.value,
        "since": None if health is None else when(health.began_at),
        "seen_at": None if health is None else when(health.seen_at),
        "summary": None if health is None else speech.render(health.summary),
        "stale": stale,
        "flapping": health is not None and health.flapping,
        "stands_by": rests,
    }


def service_json(one: Outlook, speech: Speech) -> dict[str, Any]:
    """Return what one service is able to do: `able` surely, `unsure` more perhaps, out of `total`."""
    service, seen = one.service, one.view
    return {
        "name": service.name,
        "title": title_in(service.titles, speech.language, service.name),
        "able": _short(seen.able),
        "unsure": _short(seen.unsure),
        "total": _short(seen.total),
        "interrupted": one.interrupted,
    }


def _short(value: float) -> float:
    """A whole number without its decimals."""
    return int(value) if float(value).is_integer() else value


def status_json(
    *,
    site: str,
    now: datetime,
    checks: list[dict[str, Any]],
    healths: Mapping[CheckId, Health],
    incidents: Iterable[tuple[Incident, Protocol]],
    speech: Speech,
    daemon: Mapping[str, Any] | None = None,
    runs: Iterable[Mapping[str, Any]] = (),
    services: Iterable[Outlook] = (),
    maintenance: Iterable[Mapping[str, Any]] = (),
    on_call: Iterable[Mapping[str, Any]] = (),
    overdue: tuple[int, int] = (0, 0),
    moves: Iterable[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Return the site now: the worst severity, open incidents with who is told next and when, every check.

    `runs`: those that are not over, as `run_json` gives them. `services`: what each is able to do. `maintenance`: the
    announced work, as `windows_json` gives it. `on_call`: who is on duty, as `duty_json` gives it.
    `overdue`: how many reviews and how many actions should have been done by now. `moves`: those of groups that are not
    over, as `going_json` gives them.
    """
    told = [(incident, protocol) for incident, protocol in incidents if incident.open]
    return {
        "site": site,
        "at": when(now),
        "severity": worst(
            [*(health.confirmed for health in healths.values()), *(incident.severity for incident, _ in told)]
        ).word,
        "services": [service_json(one, speech) for one in services],
        "incidents": [
            {
                **incident_json(incident, (), speech),
                "next_update_at": when(next_update(protocol, incident, now)),
                "next_update_to": _next_to(protocol, incident, now),
                "next_report_at": when(next_report(protocol, incident, now)),
                "next_report_to": _reported_to(protocol, incident, now),
                **_next_rung(protocol, incident, now),
            }
            for incident, protocol in told
        ],
        "runs": [dict(run) for run in runs],
        "moves": [dict(move) for move in moves],
        "maintenance": [dict(one) for one in maintenance],
        "on_call": [dict(one) for one in on_call],
        "overdue": dict(zip(("reviews", "actions"), overdue, strict=True)),
        "checks": checks,
        "daemon": dict(daemon) if daemon is not None else None,
    }


def _next_to(protocol: Protocol, incident: Incident, now: datetime) -> list[str]:
    """Who gets the next update: while the protocol is not live, operations in the client's place."""
    if next_update(protocol, incident, now) is None:
        return []
    return list(protocol.update_to if protocol.live else protocol.operations)


def _reported_to(protocol: Protocol, incident: Incident, now: datetime) -> list[str]:
    """Who reads the next crisis report: while the protocol is not live, operations in the client's place."""
    if next_report(protocol, incident, now) is None:
        return []
    return list(protocol.crisis_to if protocol.live else protocol.operations)


def _next_rung(protocol: Protocol, incident: Incident, now: datetime) -> dict[str, Any]:
    """Who is told next unless somebody acknowledges, and when."""
    rung = next_rung(protocol.escalation, incident, now)
    to = () if rung is None else rung.to if protocol.live else protocol.operations
    return {"next_escalation_at": None if rung is None else when(rung.at), "next_escalation_to": list(to)}


def severity_of(word: str) -> Severity:
    """Return the severity that `word` (`ok`, `warning`, `unknown`, `critical`) names. Raises KeyError."""
    return Severity[word.upper()]


def history_json(
    store: Store, check: CheckId, metric: str | None, since: datetime, until: datetime
) -> list[dict[str, Any]]:
    """Return the series of a check (or only that of `metric`): its unit and `[time, value]` pairs, oldest first."""
    return [
        {
            "metric": one.metric,
            "unit": one.unit,
            "samples": [[when(at), value] for at, value in store.samples(check, one.metric, since, until)],
        }
        for one in store.series(check)
        if metric in (None, one.metric)
    ]
