"""Which announced work an incident belongs to, as its messages tell it."""

from __future__ import annotations

from collections.abc import Collection

from alerts.context import AnnouncedWork
from alerts.service_words import title_in
from monitor.core.incident import Incident
from monitor.core.maintenance import Window


def announced_work(incident: Incident, windows: Collection[Window], language: str) -> AnnouncedWork | None:
    """Return the announced work that `incident` belongs to, with the end that was planned when it happened."""
    if not incident.window:
        return None
    window = next((one for one in windows if one.id == incident.window), None)
    if window is None:
        return AnnouncedWork(incident.window)
    span = window.span_at(incident.episode_at or incident.opened_at)
    return AnnouncedWork(title_in(window.titles, language, window.id), None if span is None else span.end)
