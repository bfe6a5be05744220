"""Announced work for the commands and the API: out of what somebody asks for, and as JSON. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from alerts.service_words import title_in
from monitor.core.incident import BLIND
from monitor.core.maintenance import Span, Window
from monitor.core.text import Speech, Text, say
from monitor.core.units import BadUnit, parse_duration
from monitor.inventory.maintenance import BadWindow, end_after, moment_at, span_of, window_of
from monitor.inventory.model import Inventory
from monitor.inventory.problems import Place, Problems, nearest
from monitor.inventory.scope import look_at_name
from monitor.web.views import when

LONGEST_REASON = 500
"""Characters of a reason; it stands in every list."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Work as somebody announces it: names, and moments and a length as people write them, empty for none."""

    name: str
    devices: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    begins: str = ""
    ends: str = ""
    length: str = ""
    kind: str = ""
    reason: str = ""


def window_asked(asked: Asked, inventory: Inventory, now: datetime) -> Window:
    """Return the work that was `asked` for at `now`. Raises BadWindow, which says what is wrong with it."""
    problems = Problems()
    look_at_name(asked.name, Place(""), "maintenance", problems)
    for problem in problems.listed():
        raise BadWindow(problem.message, problem.hint)
    if asked.kind and asked.kind not in inventory.kinds:
        text = say("there is no incident kind {name}", name=asked.kind)
        raise BadWindow(text, nearest(asked.kind, inventory.kinds))
    if asked.kind == BLIND:
        raise BadWindow(say("work cannot be announced as {name}: that is what nobody can see", name=BLIND))
    return window_of(
        asked.name,
        _span(asked, inventory.site.timezone, now),
        inventory.plan.topology,
        nodes=asked.devices,
        checks=asked.checks,
        kind=asked.kind,
        reason=" ".join(asked.reason.split())[:LONGEST_REASON],
    )


def _span(asked: Asked, zone: tzinfo, now: datetime) -> Span:
    today = now.astimezone(zone).date()
    start = moment_at(asked.begins, zone, today) if asked.begins else now.replace(microsecond=0)
    if bool(asked.ends) is bool(asked.length):
        raise BadWindow(say("say how long it lasts, or until when"), say("one of the two"))
    if asked.ends:
        end = end_after(asked.ends, zone, start)
    else:
        try:
            end = start + parse_duration(asked.length)
        except BadUnit as error:
            raise BadWindow(error.text) from error
    span = span_of(start, end)
    if span.end <= now:
        raise BadWindow(say("it would be over already"))
    return span


def window_json(window: Window, speech: Speech, now: datetime) -> dict[str, Any]:
    """Return announced work: `from` and `until` of the span that goes on, else of the next, else of the last one.

    `kind`: empty where nothing of it is told meanwhile. `by`: empty for the inventory. `concerned`: how many checks.
    """
    span, active = window.next_span(now), window.span_at(now) is not None
    coming = span is not None and not active
    if span is None and isinstance(window.when, Span):
        span = window.when if window.ended is None else Span(window.when.start, window.ended)
    return {
        "id": window.id,
        "title": title_in(window.titles, speech.language, window.id),
        "kind": window.kind,
        "reason": window.reason,
        "nodes": list(window.nodes),
        "checks": list(window.checks),
        "concerned": len(window.scope),
        "by": window.by,
        "from": None if span is None else when(span.start),
        "until": None if span is None else when(span.end),
        "active": active,
        "coming": coming,
        "recurring": not isinstance(window.when, Span),
    }


def windows_json(windows: Iterable[Window], speech: Speech, now: datetime) -> list[dict[str, Any]]:
    """Return announced work as a list: what goes on, what is to come, the sooner the earlier, and what is over."""

    def order(window: Window) -> tuple[int, datetime, str]:
        span = window.next_span(now)
        if span is None:
            return 2, now, window.id
        return 0 if window.span_at(now) is not None else 1, span.start, window.id

    return [window_json(window, speech, now) for window in sorted(windows, key=order)]


def wrong_text(wrong: BadWindow) -> Text:
    """Return what is wrong with announced work in one sentence, with what to do about it."""
    return say("{message} ({hint})", message=wrong.text, hint=wrong.hint) if wrong.hint else wrong.text
