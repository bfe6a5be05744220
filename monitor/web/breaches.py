"""The deadlines that were missed of one incident, as JSON: also of messages that the outbox has no trace of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from alerts.notice import Notice
from alerts.protocol_json import protocol_from_json
from monitor.core.incident import Incident
from monitor.core.text import Speech, say
from monitor.reports.proof import Records, line_json, proof
from monitor.reports.proof_words import fate_of, message_of, reason_of

FIELDS = ("key", "step", "audience", "recipient", "rehearsal", "due_at", "sent_at", "standing", "late_s", "reason")


def breaches_json(
    incident: Incident,
    frozen: tuple[str, Mapping[str, Any]] | None,
    starts: tuple[datetime, ...],
    notices: Iterable[Notice],
    now: datetime,
    speech: Speech,
) -> list[dict[str, Any]]:
    """Return each missed deadline with what became of the message and why, in words too.

    `frozen`: the protocol as the store gives it; `starts`: when Relève was started since the incident was opened. Of an
    incident that wavers for a week it takes a second or two.
    """
    protocol = None if frozen is None else protocol_from_json(frozen[1])
    found = []
    for line in proof(incident, protocol, notices, now, Records(starts)):
        if line.breach:
            whole = line_json(line)
            said = say("{fate} ({reason})", fate=fate_of(line), reason=reason_of(line))
            words = {"message": speech.render(message_of(line)), "text": speech.render(said)}
            found.append({name: whole[name] for name in FIELDS} | words)
    return found
