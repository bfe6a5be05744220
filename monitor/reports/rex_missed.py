"""The deadlines that were missed of one incident, named one by one: also what the outbox has no trace of."""

from __future__ import annotations

from dataclasses import replace

from monitor.core.text import say
from monitor.reports.document import Heading, Section, Table, Tone
from monitor.reports.pen import Pen
from monitor.reports.proof import Records, proof
from monitor.reports.proof_words import fate_of, message_of, reason_of
from monitor.reports.rex_told import told

MOST = 100
"""Missed deadlines that are shown: four days of hourly updates."""


def told_and_missed(pen: Pen) -> Section:
    """Return who was told what and when, and at its end every deadline that was missed, with why."""
    material, section = pen.material, told(pen)
    lines = proof(material.incident, material.protocol, material.notices, material.now, Records(material.starts))
    missed = [line for line in lines if line.breach]
    title = pen.t(say("Deadlines missed"))
    if not missed:
        none = pen.paragraph(say("None: every message that the protocol demanded left in time."), Tone.GOOD)
        unknown = pen.paragraph(say("Whether any is missing cannot be said: no protocol is on record."))
        verdict = none if material.protocol is not None else unknown
        return replace(section, blocks=(*section.blocks, Heading(title), verdict))
    rows = tuple(
        (
            pen.w(message_of(line)),
            pen.w(pen.contact(line.key.recipient)),
            pen.exact(line.due_at),
            pen.w(fate_of(line), Tone.BAD),
            pen.w(pen.context.line(reason_of(line))),
        )
        for line in missed[:MOST]
    )
    head = (say("Message"), say("Recipient"), say("Due"), say("What became of it"), say("Reason"))
    more = len(missed) - MOST
    note = pen.t(say("Messages not shown: {count}.", count=more)) if more > 0 else ""
    table = Table(title, tuple(pen.t(text) for text in head), rows, (4, 4, 3, 5, 6), note)
    return replace(section, blocks=(*section.blocks, Heading(title), table))
