"""A notice in words: the first three lines are what happened, what it means and when the next message comes.

Where the inventory has services, what they are able to do is the first that anybody reads, then what happened.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from alerts.chase import CHASED
from alerts.chase_words import chase_sheet
from alerts.client_words import client_sheet
from alerts.conference_words import CONFERENCE, conference_sheet
from alerts.context import Context
from alerts.crisis_words import CRISIS, crisis_sheet, missed_reports
from alerts.draft_words import draft_sheet, lengthened, words_added
from alerts.gsm import LIMIT, cut, plain, septets
from alerts.handover_words import handover_sheet
from alerts.internal_words import internal_sheet, trial_sheet
from alerts.language import folder
from alerts.merged_words import merged_sheet, still_going
from alerts.move_words import move_sheet
from alerts.moved import MOVES
from alerts.notice import OF_MANY, Audience, Message, Planned, Step
from alerts.service_words import service_line, service_short
from alerts.sheet import Sheet
from alerts.storm_words import storm_sheet
from alerts.unrelieved_words import unrelieved_sheet
from alerts.worded import worded
from monitor.core.incident import Incident
from monitor.core.text import Text, say

if TYPE_CHECKING:
    from jinja2 import Environment

REHEARSAL = "[ESSAI]"
"""Begins every subject while the protocol is not live, in every language: the contract's own word."""
NAME = "[Relève]"
TEXT_LAYOUT, HTML_LAYOUT = "notice.txt", "notice.html"
MOST_MOMENTS = 24
"""Updates that were missed and are named one by one: a day of them, where one comes each hour."""
SHORTEST_TITLE = 12
"""Septets of a title that are kept in an SMS whatever stands beside it."""
LEAST_BESIDE_CODE = 30
"""Septets of a title that an SMS must have room for besides the code by which it is answered."""


def compose(planned: Planned, incident: Incident | None, context: Context, layouts: Path | None = None) -> Message:
    """Return the message of `planned` in the reader's language; `incident` is None for a test only.

    `layouts`: the folder of the layouts, Relève's own where none is given. Pure but for these, which it reads once.
    A client reads service, impact, times and a stated cause; what a person wrote as the cause is cleared of names and
    addresses. Our own people read everything.
    """
    said = worded(_sheet(planned, incident, context), incident, planned.key.audience, context)
    sheet = said.sheet
    lead = f"{REHEARSAL} " if planned.instead_of else ""
    # A test is about no incident: that 62 of 100 are able to work would be read as one.
    about = planned.key.step in OF_MANY or (incident is not None and planned.key.step is not Step.TEST)
    outlook = context.outlook if about else ()
    view = service_line(outlook, context.speech)
    lines = (sheet.what, sheet.impact) if not view else (f"{view} {sheet.impact}", sheet.what)
    subject = f"{lead}{NAME} {sheet.subject}"
    added = words_added(planned, incident, context)
    values = {
        "subject": subject,
        "language": context.speech.language,
        # A title of the inventory may go over several lines, and would move what stands below it.
        "lines": tuple(" ".join(line.splitlines()) for line in (*lines, sheet.following)),
        "remarks": (*_remarks(planned, context), *added, *sheet.remarks),
        "facts": sheet.facts,
        "events": sheet.events,
        "events_title": context.t(say("Latest events:")),
        "link": context.ack_link,
        "link_title": context.t(say("I am on it (this link is for you alone):")),
        "link_words": context.t(say("I am on it")),
        "todo": sheet.todo,
        "todo_title": context.t(say("To do:")),
        "closing": said.closing,
        "footer": (*said.signature, *_footer(context)),
        "colour": sheet.colour,
    }
    text, html = (_layouts(layouts).get_template(name).render(values) for name in (TEXT_LAYOUT, HTML_LAYOUT))
    return Message(
        subject,
        text,
        html,
        lengthened(_short(sheet, lead, service_short(outlook, context.speech), _call_back(context)), added),
    )


def _call_back(context: Context) -> str:
    """How an SMS is answered; empty where no answer is heard."""
    return plain(context.t(say("Reply OK {code}", code=context.ack_code))) if context.ack_code else ""


def _short(sheet: Sheet, lead: str, view: str, call_back: str) -> str:
    """The SMS: where it is too long, its title gives way first, then the `view` that it begins with.

    It ends with `call_back` if the title keeps so much that it still says something.
    """
    if call_back:
        tail = f" {call_back}"
        left = _room(f"{lead}{sheet.short('')}{tail}")
        if left >= min(LEAST_BESIDE_CODE, septets(plain(sheet.title)) or 0):
            frame = f"{lead}{view}. " if view and left - (septets(plain(view)) or 0) - 2 >= LEAST_BESIDE_CODE else lead
            title = cut(sheet.title, _room(f"{frame}{sheet.short('')}{tail}"))
            return cut(frame + sheet.short(title).replace("....", "...")) + tail
    if view and _room(f"{lead}{view}. {sheet.short('')}") >= min(SHORTEST_TITLE, septets(plain(sheet.title)) or 0):
        lead = f"{lead}{view}. "
    room = _room(lead + sheet.short(""))
    # The dots of a title that was cut end its sentence.
    return cut(lead + sheet.short(cut(sheet.title, max(room, SHORTEST_TITLE))).replace("....", "..."))


def _room(frame: str) -> int:
    """How many septets an SMS has left beside `frame`; below zero where that is too long by itself."""
    return LIMIT - (septets(plain(frame)) or 0)


def _sheet(planned: Planned, incident: Incident | None, context: Context) -> Sheet:
    if planned.key.step in OF_MANY:
        return storm_sheet(planned, context) if planned.key.step is Step.STORM else handover_sheet(planned, context)
    if planned.key.step in MOVES and context.move is not None:
        return move_sheet(planned.key, context.move, context)
    if incident is None or planned.key.step is Step.TEST:
        return trial_sheet(context) if context.unrelieved is None else unrelieved_sheet(context.unrelieved, context)
    to_client, step = planned.key.audience is Audience.CLIENT, planned.key.step
    into = incident.joined.into
    if into is not None:
        incident = still_going(incident)
    sheet = (client_sheet if to_client else internal_sheet)(planned, incident, context)
    if step in CRISIS:
        return crisis_sheet(sheet, planned, incident, context)
    if into is not None and step is Step.MERGED:
        return merged_sheet(sheet, context, str(incident.id), into)
    if step in CHASED:
        return chase_sheet(sheet, planned, incident, context)
    if step is Step.DRAFT:
        return draft_sheet(sheet, context, str(incident.id))
    return conference_sheet(sheet, step, context, str(incident.id), into or "") if step in CONFERENCE else sheet


def _remarks(planned: Planned, context: Context) -> list[str]:
    remarks = []
    if planned.instead_of:
        names = context.names(planned.instead_of)
        remarks.append(
            context.t(
                say("REHEARSAL: without it, this message would have gone to {names}. They were not told.", names=names)
            )
        )
    if planned.gap:
        remarks.append(context.t(_gap(planned, context)))
    unsaid = missed_reports(planned, context)
    if unsaid is not None:
        remarks.append(context.t(unsaid))
    if not context.trusted:
        remarks.append(
            context.t(
                say("Uncertain time: the clock of the monitoring server is not synchronised, times may be wrong.")
            )
        )
    return remarks


def _gap(planned: Planned, context: Context) -> Text:
    moments = [context.day_and_clock(at) for at in planned.gap]
    if len(moments) <= MOST_MOMENTS:
        return say(
            "Updates that could not be sent: {moments}. This message stands for them.", moments=", ".join(moments)
        )
    return say(
        "Updates that could not be sent: {count}, from {first} to {last}. This message stands for them.",
        count=len(moments),
        first=moments[0],
        last=moments[-1],
    )


def _footer(context: Context) -> list[str]:
    lines = [context.t(say("Automatic message of Relève, which watches {site}.", site=context.site))]
    if context.audit_head:
        lines.append(context.t(say("Head of the audit trail: {head}", head=context.audit_head)))
    return lines


@cache
def _layouts(where: Path | None) -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape  # noqa: PLC0415 - 60 ms

    return Environment(
        loader=FileSystemLoader(where or folder() / "messages"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
