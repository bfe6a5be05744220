"""The words of an incident that is followed under another one: it is not over, and its readers must know where."""

from __future__ import annotations

from dataclasses import replace

from alerts.context import Context
from alerts.sheet import ORANGE, Sheet
from monitor.core.incident import Incident, Status
from monitor.core.text import say


def still_going(incident: Incident) -> Incident:
    """Return `incident` as it was before it went into another one: its impact has not ended with that."""
    return replace(incident, status=Status.OPEN, resolved_at=None)


def merged_sheet(sheet: Sheet, context: Context, reference: str, into: str) -> Sheet:
    """Return `sheet`, which is of the incident as it went on, with where it is followed from now on."""
    values = {"reference": reference, "into": into, "title": sheet.title}
    return replace(
        sheet,
        subject=context.t(say("{reference} {title}: followed under {into}", **values)),
        what=context.t(say("Followed under {into} from now on, not over: {title}.", into=into, title=sheet.title)),
        following=context.t(say("Next message: under {into}.", into=into)),
        short=lambda shown: context.t(
            say("{reference} {title}. Not over, followed under {into}.", **(values | {"title": shown}))
        ),
        colour=ORANGE,
        todo=(f"releve incident show {into}",) if sheet.todo else (),
    )
