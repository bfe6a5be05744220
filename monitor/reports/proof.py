"""What had to be told of an incident beside what was: each message that the frozen protocol demanded, and its fate."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from alerts.agreement import Protocol
from alerts.demanded import demanded
from alerts.notice import BY_TIME, Audience, Copy, Notice, NoticeKey, NoticeState, Planned, Step
from monitor.core.incident import Incident
from monitor.reports.milestones import GRACE, ON_THE_MINUTE


class Standing(StrEnum):
    """What became of a message that had to leave."""

    ON_TIME = "on_time"
    LATE = "late"
    WAITING = "waiting"
    """Not sent yet, and there is still time."""
    OVERDUE = "overdue"
    """Not sent yet, and late already."""
    MISSED = "missed"
    """Relève noted that its moment had passed."""
    REFUSED = "refused"
    """Given up for good."""
    ABSENT = "absent"
    """The protocol demanded it, and the outbox has no trace of it."""


BREACHES = frozenset({Standing.LATE, Standing.OVERDUE, Standing.MISSED, Standing.REFUSED, Standing.ABSENT})
NEVER_SENT = frozenset({Standing.MISSED, Standing.REFUSED, Standing.ABSENT})


class Why(StrEnum):
    """Why a deadline was missed, as far as the record says."""

    OUT = "releve_out"
    CLOCK = "clock_not_trusted"
    NO_WAY = "no_way"
    TRIED = "tried_again"
    """It left by another attempt than the first."""
    OVER = "over_before"
    """The incident was over before it could be sent."""
    ANSWER = "answer"
    """The last answer says it."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Records:
    """What explains a gap: when Relève was started, and when its clock could not be trusted."""

    starts: tuple[datetime, ...] = ()
    untrusted: tuple[tuple[datetime, datetime], ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """One message: `late` after its time, as far as it left or is waited for. `rehearsal`: in the client's place."""

    key: NoticeKey
    due_at: datetime
    standing: Standing
    late: timedelta
    rehearsal: bool
    notice: Notice | None
    why: Why | None = None

    @property
    def breach(self) -> bool:
        """Whether a deadline was missed."""
        return self.standing in BREACHES


def proof(
    incident: Incident,
    protocol: Protocol | None,
    notices: Iterable[Notice],
    now: datetime,
    records: Records = Records(),
) -> tuple[Line, ...]:
    """Return a line for every message that `protocol` demanded and for every other one of the outbox, by `due_at`.

    Without a protocol on record nothing more can be demanded than what the outbox holds. Tests are no messages.
    """
    kept = {notice.key: notice for notice in notices if notice.key.step is not Step.TEST}
    wanted = {} if protocol is None else _wanted(protocol, incident, kept, now)
    live = protocol is None or protocol.live
    lines = []
    for key in {**wanted, **kept}:
        notice, plan = kept.get(key), wanted.get(key)
        if plan is not None and plan.hushed and (notice is None or notice.state is NoticeState.SKIPPED):
            continue
        due_at = plan.due_at if plan is not None else kept[key].due_at
        rehearsal = bool(plan.instead_of) if plan is not None else not live and key.audience is Audience.CLIENT
        lines.append(_line(key, due_at, notice, now, records, rehearsal=rehearsal))
    return tuple(sorted(lines, key=lambda line: (line.due_at, line.key)))


def _wanted(
    protocol: Protocol, incident: Incident, kept: Collection[NoticeKey], now: datetime
) -> dict[NoticeKey, Planned]:
    """What was demanded; who was on duty for a rota is what the outbox says, if the step came into being at all."""
    found = {plan.key: plan for plan in demanded(protocol, incident.timeline, now)}
    settled = {(key.audience, key.step, key.n) for key in kept}
    duty = {(key.audience, key.step, key.n): plan for key, plan in found.items() if key.recipient in protocol.rotas}
    named = {
        key: plan
        for key, plan in found.items()
        if key.recipient not in protocol.rotas or (key.audience, key.step, key.n) not in settled
    }
    others = [key for key in kept if key not in named and (key.audience, key.step, key.n) in duty]
    return named | {key: replace(duty[key.audience, key.step, key.n], key=key) for key in others}


def _line(
    key: NoticeKey, due_at: datetime, notice: Notice | None, now: datetime, records: Records, *, rehearsal: bool
) -> Line:
    standing, late = _fate(key, due_at, notice, now)
    why = _why(key, due_at, notice, now, records) if standing in BREACHES else None
    return Line(key, due_at, standing, late, rehearsal, notice, why)


def _fate(key: NoticeKey, due_at: datetime, notice: Notice | None, now: datetime) -> tuple[Standing, timedelta]:
    grace, none = GRACE.get(key.step, timedelta()), timedelta()
    if notice is None:
        # Between the moment and the tick that sees it, it cannot be there yet.
        return (Standing.ABSENT if now - due_at > max(grace, ON_THE_MINUTE) else Standing.WAITING), none
    if notice.state is NoticeState.SKIPPED:
        return Standing.MISSED, none
    if notice.state is NoticeState.DEAD:
        return Standing.REFUSED, none
    left = notice.sent_at if notice.state is NoticeState.SENT else None
    late = max(none, (left or now) - due_at)
    if left is not None:
        return (Standing.LATE if late > grace else Standing.ON_TIME), late
    return (Standing.OVERDUE if late > grace else Standing.WAITING), late


def _why(key: NoticeKey, due_at: datetime, notice: Notice | None, now: datetime, records: Records) -> Why:
    if notice is not None and notice.state is NoticeState.DEAD:
        return Why.ANSWER if notice.channel else Why.NO_WAY
    since, until = due_at, now
    if notice is not None:
        skipped = notice.state is NoticeState.SKIPPED
        since = min(due_at, notice.created_at)
        until = notice.created_at if skipped else notice.sent_at or now
    if any(since < start <= until for start in records.starts):
        return Why.OUT
    if key.step in BY_TIME and any(began <= until and due_at <= ended for began, ended in records.untrusted):
        return Why.CLOCK
    return _told_by(key, notice)


def _told_by(key: NoticeKey, notice: Notice | None) -> Why:
    """What the row of the outbox itself says."""
    if notice is None:
        return Why.UNKNOWN
    if notice.state is NoticeState.SKIPPED:
        return Why.UNKNOWN if key.step is Step.UPDATE else Why.OVER
    if notice.state is NoticeState.SENT:
        return Why.TRIED if notice.attempts > 1 else Why.UNKNOWN
    return Why.ANSWER if notice.answer else Why.UNKNOWN


@dataclass(frozen=True, slots=True)
class Totals:
    """How many messages were due, and what became of them; `worst`: the longest delay of one that left or waits."""

    due: int = 0
    on_time: int = 0
    late: int = 0
    waiting: int = 0
    overdue: int = 0
    missed: int = 0
    refused: int = 0
    absent: int = 0
    worst: timedelta = timedelta()

    @property
    def never_sent(self) -> int:
        """How many never left at all."""
        return self.missed + self.refused + self.absent

    @property
    def breaches(self) -> int:
        """How many deadlines were missed."""
        return self.late + self.overdue + self.never_sent


def totals(lines: Collection[Line]) -> Totals:
    """Return the sums over `lines`."""
    counts = {standing: sum(line.standing is standing for line in lines) for standing in Standing}
    late = [line.late for line in lines if line.standing in (Standing.LATE, Standing.OVERDUE)]
    return Totals(
        due=len(lines),
        worst=max(late, default=timedelta()),
        **{standing.value: count for standing, count in counts.items()},
    )


def line_json(line: Line) -> dict[str, Any]:
    """Return one message for other tools: ISO times in UTC, seconds, names that are alike in every language."""
    key, notice = line.key, line.notice
    return {
        "key": str(key),
        "incident": key.incident,
        "audience": key.audience.value,
        "step": key.step.value,
        "n": key.n,
        "recipient": key.recipient,
        "rehearsal": line.rehearsal,
        "due_at": iso(line.due_at),
        "written_at": None if notice is None else iso(notice.created_at),
        "sent_at": None if notice is None else iso(notice.sent_at),
        "channel": "" if notice is None else notice.channel,
        "answer": "" if notice is None else notice.answer,
        "copy": None if notice is None or notice.copy is None else _copy_json(notice.copy),
        "message_id": None if notice is None else f"<{notice.message_id}>",
        "standing": line.standing.value,
        "late_s": round(line.late.total_seconds(), 3),
        "breach": line.breach,
        "reason": None if line.why is None else line.why.value,
    }


def _copy_json(copy: Copy) -> dict[str, Any]:
    return {
        "channel": copy.channel,
        "address": copy.address,
        "accepted_at": iso(copy.at),
        "answer": copy.answer,
    }


def iso(at: datetime | None) -> str | None:
    """Return a moment as ISO 8601 in UTC, to the millisecond."""
    if at is None:
        return None
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
