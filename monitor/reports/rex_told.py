"""The proof of what was said: each message, to whom, when it was due, when it left, and what the server answered."""

from __future__ import annotations

from collections.abc import Callable

from alerts.agreement import Protocol
from alerts.notice import Audience, Notice, NoticeState, Step
from monitor.core.text import Text, say
from monitor.reports.answers import answer_of
from monitor.reports.document import Block, Heading, Paragraph, Section, Table, Tone, Words
from monitor.reports.milestones import is_late, is_live, lateness
from monitor.reports.pen import Pen

MOST = 60
"""Rows of one table: two days of hourly updates."""
STEPS = {
    Step.FIRST_NOTICE: say("first notice"),
    Step.WORSENED: say("worsened"),
    Step.DISRUPTED: say("service interrupted"),
    Step.FLAPPING: say("comes and goes"),
    Step.CONFERENCE: say("conference call"),
    Step.CONFERENCE_CANCELLED: say("conference call cancelled"),
    Step.CONFERENCE_UPDATED: say("conference call updated"),
    Step.LONG_SOON: say("soon a long interruption"),
    Step.LONG: say("long interruption"),
    Step.CRISIS_OPENED: say("crisis cell called for"),
    Step.CRISIS_REPORT: say("crisis report"),
    Step.OVERRUN: say("maintenance overruns"),
    Step.MERGED: say("followed under another incident"),
    Step.DRAFT: say("draft of an update"),
    Step.ESCALATED: say("not acknowledged"),
    Step.HANDOVER: say("handover"),
    Step.STORM: say("much at once"),
    Step.UNACKNOWLEDGED: say("nobody is on it"),
    Step.UPDATE: say("update"),
    Step.RESOLVED: say("resolved notice"),
    Step.PERSON_CALLED: say("call for a person"),
    Step.REMINDER: say("reminder of a question"),
    Step.RUNBOOK: say("message of a runbook"),
    Step.REVIEW_HOT: say("hot review due"),
    Step.REVIEW_COLD: say("cold review due"),
    Step.ACTION_DUE: say("action due"),
    Step.DEPLOYMENT_PLAN: say("deployment plan"),
    Step.FAILOVER_REPORT: say("report of a move"),
    Step.TEST: say("test"),
}
STATES = {
    NoticeState.PENDING: say("waiting, not sent yet"),
    NoticeState.SENDING: say("being sent"),
    NoticeState.SENT: say("accepted"),
    NoticeState.DEAD: say("refused for good, never sent"),
    NoticeState.SKIPPED: say("missed; the next message says so"),
}


def told(pen: Pen) -> Section:
    """Return who was told what and when, apart for the client and for our own people."""
    notices = pen.material.notices
    client = tuple(n for n in notices if n.key.audience is Audience.CLIENT)
    own = tuple(n for n in notices if n.key.audience is Audience.INTERNAL)
    blocks: list[Block] = [
        pen.paragraph(promise_of(pen.material.protocol, pen.contact)),
        *_conference(pen),
        Heading(pen.t(say("To the client"))),
    ]
    if client and not is_live(pen.material):
        text = say("Rehearsal: what follows went to operations in the client's place. The client was not told.")
        blocks.append(pen.paragraph(text, Tone.BAD))
    none = say("No message was due to the client: its service was not interrupted.")
    blocks += _messages(pen, client, say("Messages to the client"), none)
    blocks.append(Heading(pen.t(say("To our own people"))))
    blocks += _messages(pen, own, say("Messages to our own people"), say("No message was due."))
    return Section("told", pen.t(say("Communication: the proof")), tuple(blocks))


def promise_of(protocol: Protocol | None, contact: Callable[[str], str]) -> Text:
    """Return what the protocol in force when the incident was opened wants; `contact`: what each is called."""
    if protocol is None:
        return say("The protocol that was in force is not on record.")
    every = protocol.update_every
    first = ", ".join(contact(name) for name in protocol.first_to)
    if not first:
        return say("The protocol in force told no client of anything.")
    if every is None or not protocol.update_to:
        within = protocol.first_within
        return say("Protocol in force: {first} told within {within}; no updates.", first=first, within=within)
    return say(
        "Protocol in force: {first} told within {within} of the confirmed interruption, then {update} every {every} "
        "until it is over.",
        first=first,
        within=protocol.first_within,
        update=", ".join(contact(name) for name in protocol.update_to),
        every=every,
    )


def _conference(pen: Pen) -> list[Block]:
    """The conference that the protocol in force wants, if any."""
    protocol = pen.material.protocol
    if protocol is None or protocol.conference_after is None or not protocol.conference_to:
        return []
    people = ", ".join(pen.contact(name) for name in protocol.conference_to)
    text = say(
        "Conference call with {people} once it has lasted {after}.",
        people=people,
        after=pen.span(protocol.conference_after),
    )
    return [pen.paragraph(text)]


def _messages(pen: Pen, notices: tuple[Notice, ...], title: Text, none: Text) -> list[Block]:
    if not notices:
        return [pen.paragraph(none)]
    return [Paragraph(balance(pen, notices)), _table(pen, notices, title)]


def balance(pen: Pen, notices: tuple[Notice, ...]) -> Words:
    """Return how many messages were accepted, how many of them late, and what became of the others."""
    now = pen.material.now
    accepted = sum(n.state is NoticeState.SENT for n in notices)
    late = [n for n in notices if is_late(n, now)]
    lost = sum(n.state in (NoticeState.DEAD, NoticeState.SKIPPED) for n in notices)
    parts = [say("Messages accepted: {accepted} of {count}", accepted=accepted, count=len(notices))]
    if late:
        worst = pen.span(max(lateness(n, now) for n in late))
        parts.append(say("late: {late}, by {worst} at most", late=len(late), worst=worst))
    else:
        parts.append(say("none late"))
    if lost:
        parts.append(say("never sent: {lost}", lost=lost))
    text = parts[0]
    for part in parts[1:]:
        text = say("{first}; {rest}", first=text, rest=part)
    return pen.w(say("{text}.", text=text), Tone.BAD if late or lost else Tone.GOOD)


def _table(pen: Pen, notices: tuple[Notice, ...], title: Text) -> Table:
    ordered = sorted(notices, key=lambda n: (n.sent_at or n.due_at, n.key))
    left_out = max(0, len(ordered) - MOST)
    shown = ordered if not left_out else [*ordered[: MOST // 2], *ordered[-(MOST // 2) :]]
    note = pen.t(
        say(
            "Times: {zone}. An update or a resolved notice is late when it leaves a minute after its moment.",
            zone=pen.zone,
        )
    )
    if left_out:
        note += " " + pen.t(say("Messages not shown: {count}.", count=left_out))
    head = (say("Message"), say("Recipient"), say("Due"), say("Left"), say("Late by"), say("The server's answer"))
    rows = tuple(_row(pen, notice) for notice in shown)
    return Table(pen.t(title), tuple(pen.t(text) for text in head), rows, (4, 4, 3, 3, 3, 7), note)


def _row(pen: Pen, notice: Notice) -> tuple[Words, ...]:
    key = notice.key
    step = STEPS.get(key.step)
    name = pen.t(step) if step is not None else key.step.value
    message = pen.w(say("{step} no. {n}", step=name, n=key.n) if key.step is Step.UPDATE else name)
    recipient = pen.contact(key.recipient)
    to = pen.w(
        say("{name} ({channel})", name=recipient, channel=pen.name(notice.channel)) if notice.channel else recipient
    )
    return message, to, pen.exact(notice.due_at), _left(pen, notice), _late(pen, notice), _answer(pen, notice)


def _left(pen: Pen, notice: Notice) -> Words:
    if notice.sent_at is not None:
        return pen.exact(notice.sent_at)
    return pen.w(say("not sent"), Tone.BAD)


def _late(pen: Pen, notice: Notice) -> Words:
    if notice.state in (NoticeState.DEAD, NoticeState.SKIPPED):
        return Words("–")
    late = lateness(notice, pen.material.now)
    if not late:
        return pen.w(say("on time"))
    return Words(pen.span(late), Tone.BAD if is_late(notice, pen.material.now) else Tone.PLAIN)


def _answer(pen: Pen, notice: Notice) -> Words:
    state = STATES[notice.state]
    if notice.state is NoticeState.SKIPPED and notice.key.step is not Step.UPDATE:
        state = say("missed; it was over before it could be sent")
    good = notice.state is NoticeState.SENT
    tone = Tone.PLAIN if good or notice.state in (NoticeState.PENDING, NoticeState.SENDING) else Tone.BAD
    if not notice.answer:
        return pen.w(say("{state}; no answer on record", state=state) if good else state, tone)
    return pen.w(say("{state}: {answer}", state=state, answer=answer_of(notice, pen.context)), tone)
