"""The proof of communication as a table for a spreadsheet: one line a message, all of them."""

from __future__ import annotations

from alerts.notice import Audience
from monitor.core.text import Speech, say
from monitor.reports.comms_material import CommsMaterial
from monitor.reports.proof import Line
from monitor.reports.proof_words import STANDINGS, message_of, reason_of
from monitor.reports.spreadsheet import Cell, as_csv

HEAD = (
    *(say("incident"), say("audience"), say("message"), say("number"), say("recipient"), say("channel"), say("due")),
    *(say("written"), say("left"), say("late by (s)"), say("what became of it"), say("deadline missed")),
    *(say("reason"), say("the server's answer"), say("attempts"), say("Message-ID")),
)


def comms_csv(material: CommsMaterial, speech: Speech) -> str:
    """Return every message of the period as CSV, in the language and the time of the reader."""
    head = (speech.render(title) for title in HEAD)
    return as_csv(head, (_row(name, line, material, speech) for name, line in material.lines), speech)


def _row(incident: str, line: Line, material: CommsMaterial, speech: Speech) -> tuple[Cell, ...]:
    key, notice = line.key, line.notice
    audience = say("client") if key.audience is Audience.CLIENT else say("our own people")
    if line.rehearsal:
        audience = say("rehearsal, in the client's place")
    return (
        incident,
        speech.render(audience),
        speech.render(message_of(line)),
        key.n,
        material.people.get(key.recipient, key.recipient),
        "" if notice is None else notice.channel,
        line.due_at,
        None if notice is None else notice.created_at,
        None if notice is None else notice.sent_at,
        round(line.late.total_seconds(), 3),
        speech.render(STANDINGS[line.standing]),
        speech.render(say("yes") if line.breach else say("no")),
        speech.render(reason_of(line)),
        "" if notice is None else notice.answer,
        0 if notice is None else notice.attempts,
        "" if notice is None else f"<{notice.message_id}>",
    )
