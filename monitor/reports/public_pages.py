"""The public status as an HTML page, as JSON and as an Atom feed: the same content in each, and the same language."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any

from alerts.context import Context
from alerts.language import folder
from monitor.core.text import NO_BREAK_SPACE, Speech, Text, say
from monitor.reports.public import Blind, PublicStatus, PublicWork
from monitor.reports.public_atom import Facts, atom
from monitor.reports.public_incident import PublicIncident, Word

if TYPE_CHECKING:
    from jinja2 import Template

VERSION = 1
"""Of the JSON: what is added does not change it, what is renamed or taken away does."""
REFRESH = 60
"""Seconds after which a browser asks again."""
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
SHORT: dict[Word, Text] = {
    Word.NORMAL: say("normal"),
    Word.DEGRADED: say("degraded"),
    Word.INTERRUPTED: say("interrupted"),
    Word.MAINTENANCE: say("announced maintenance"),
    Word.UNKNOWN: say("not known"),
}
"""How one of several services is."""
NAMES = {"fr": "Français", "en": "English"}
"""What each language calls itself."""


class Form(StrEnum):
    """What a status can be."""

    HTML = "html"
    JSON = "json"
    ATOM = "atom"

    @property
    def media_type(self) -> str:
        """The media type, for HTTP."""
        return _TYPES[self]


_TYPES = {
    Form.HTML: "text/html; charset=utf-8",
    Form.JSON: "application/json",
    Form.ATOM: "application/atom+xml; charset=utf-8",
}


@dataclass(frozen=True, slots=True)
class Links:
    """Where the other forms are, seen from the page; `page`: the page, seen from the feed. `pages`: by language."""

    pages: Mapping[str, str]
    status: str
    feed: str
    page: str


AS_FILES = Links({}, "status.json", "feed.atom", "./")
"""Side by side in one folder."""


def rendered(status: PublicStatus, speech: Speech, form: Form, links: Links = AS_FILES) -> bytes:
    """Return `status` in a `form`, in UTF-8. `speech` is that in whose words it was made."""
    if form is Form.JSON:
        return json_bytes(status_json(status))
    if form is Form.ATOM:
        dated = _dated(status, speech)
        return atom(status, links.page, [_shown(one, dated) for one in status.incidents])
    return _html(status, speech, links).encode()


def json_bytes(status: Mapping[str, Any]) -> bytes:
    """Return a status that is JSON-ready as text in UTF-8, for people to read too."""
    return (json.dumps(status, ensure_ascii=False, indent=1) + "\n").encode()


def iso(at: datetime | None) -> str | None:
    """Return a moment as ISO 8601 in UTC, to the second."""
    return None if at is None else at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def status_json(status: PublicStatus) -> dict[str, Any]:
    """Return `status` as JSON-ready data; its shape is `PublicStatus` of the API's description."""
    return {
        "version": VERSION,
        "title": status.title,
        "language": status.language,
        "state": status.word.value,
        "text": f"{status.state}. {status.sentence}",
        "blind": None if status.blind is None else status.blind.value,
        "written_at": iso(status.written_at),
        "seen_at": iso(status.seen_at),
        "stale_after": iso(status.next_at),
        "time_is_certain": status.certain,
        "services": [
            {
                "title": one.title,
                "state": one.word.value,
                "able": _number(one.able),
                "unsure": _number(one.unsure),
                "total": _number(one.total),
                "text": one.text,
            }
            for one in status.services
        ],
        "incidents": [_incident_json(one) for one in status.incidents],
        "maintenance": [
            {"title": one.title, "from": iso(one.begins_at), "until": iso(one.ends_at), "active": one.active}
            for one in status.work
        ],
    }


def _number(amount: float) -> float:
    """Most are counted, and 62 agents are not 62.0."""
    return int(amount) if amount.is_integer() else amount


def _incident_json(one: PublicIncident) -> dict[str, Any]:
    return {
        "reference": one.reference,
        "title": one.title,
        "state": one.word.value,
        "since": iso(one.since),
        "until": iso(one.until),
        "text": one.what,
        "impact": one.impact,
        "cause": one.cause,
        "doing": one.doing,
        "next_update": iso(one.next_at),
        "following": one.following,
        "updates": [{"at": iso(update.at), "text": update.text} for update in one.updates],
    }


def _html(status: PublicStatus, speech: Speech, links: Links) -> str:
    from markupsafe import Markup  # noqa: PLC0415 - comes with jinja2, which takes 60 ms

    template, script = _template(), (folder() / "public" / "age.js").read_text(encoding="utf-8")
    dated = _dated(status, speech)
    going_on = [_shown(one, dated) for one in status.incidents if one.until is None]
    over = [_shown(one, dated) for one in status.incidents if one.until is not None]
    return template.render(
        status=status,
        links=links,
        refresh=REFRESH,
        written_iso=iso(status.written_at),
        until_iso=iso(status.next_at),
        words=_words(status, dated),
        remarks=_remarks(status, dated),
        services=[(one, dated.t(SHORT[one.word])) for one in status.services],
        going_on=going_on,
        over=over,
        work=[dated.t(_announced(one, dated)) for one in status.work],
        others=[(name, NAMES[name], href) for name, href in links.pages.items() if name != status.language],
        # Our own script is the one thing in the page that is not escaped.
        script=Markup(script),  # noqa: S704
        script_hash=f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}",
    )


def _dated(status: PublicStatus, speech: Speech) -> Context:
    """The reader, to whom every moment is told with its day: nobody knows on which one the page is read."""
    return Context(site=status.title, speech=speech, now=LONG_AGO)


def _words(status: PublicStatus, dated: Context) -> dict[str, str]:
    written, until = _day_and_time(status.written_at, dated), _day_and_time(status.next_at, dated)
    texts: dict[str, Text] = {
        "written": say("Written on {day} at {time}.", **written),
        "good_until": say("Valid until {day}, {time}. After that, this page is out of date.", **until),
        "minutes": say("Updated {n} min ago.", n="{n}"),
        "stale": say("OUT OF DATE: this page was valid until {day}, {time}. Nothing is known since.", **until),
        "services": say("Services"),
        "going_on": say("Going on"),
        "none_going_on": say("No interruption."),
        "work": say("Announced work"),
        "over": say("Over, the last 30 days"),
        "feed": say("Atom feed"),
    }
    colon = f"{NO_BREAK_SPACE}:" if status.language == "fr" else ":"
    return {name: dated.t(text) for name, text in texts.items()} | {"colon": colon}


def _day_and_time(at: datetime, dated: Context) -> dict[str, str]:
    """The day at the site, and the time with the name of the zone: each sentence joins them in its own way."""
    return {"day": dated.speech.date(at), "time": replace(dated, now=at).at(at)}


def _remarks(status: PublicStatus, dated: Context) -> list[str]:
    texts = []
    if status.blind is Blind.NO_SIGHT and status.seen_at is not None:
        texts.append(say("Last seen on {day} at {time}.", **_day_and_time(status.seen_at, dated)))
    if not status.certain:
        texts.append(say("Uncertain time: the clock of the monitoring server is not synchronised, times may be wrong."))
    return [dated.t(text) for text in texts]


def _shown(one: PublicIncident, dated: Context) -> tuple[PublicIncident, Facts, Facts]:
    """An interruption with its facts and its updates, the latest first."""
    rows = [
        (say("Began:"), dated.at(one.since)),
        (say("Over:"), "" if one.until is None else dated.at(one.until)),
        (say("Cause:"), one.cause),
        (say("What is being done:"), one.doing),
        (say("Next update:"), "" if one.next_at is None else dated.at(one.next_at)),
        (say("Reference:"), one.reference),
    ]
    facts = [(dated.t(label), value) for label, value in rows if value]
    return one, facts, [(dated.day_and_clock(update.at), update.text) for update in reversed(one.updates)]


def _announced(one: PublicWork, dated: Context) -> Text:
    speech, end = dated.speech, _day_and_time(one.ends_at, dated)
    begin = {"first_day": speech.date(one.begins_at), "first_time": speech.clock(one.begins_at)}
    if one.active:
        return say("{title}: going on, planned end on {day} at {time}.", title=one.title, **end)
    return say(
        "{title}: from {first_day}, {first_time}, to {day}, {time}. The service may be interrupted meanwhile.",
        title=one.title,
        **begin,
        **end,
    )


@cache
def _template() -> Template:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415 - 60 ms

    environment = Environment(
        loader=FileSystemLoader(folder() / "public"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("status.html")
