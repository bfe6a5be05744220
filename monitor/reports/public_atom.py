"""The public status as an Atom feed (RFC 4287): an entry an interruption, whose id stays and whose content grows."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from uuid import NAMESPACE_URL, uuid5
from xml.etree import ElementTree as ET  # written with, never read with

from monitor.reports.public import PublicStatus
from monitor.reports.public_incident import PublicIncident

ATOM = "http://www.w3.org/2005/Atom"
Facts = list[tuple[str, str]]


def atom(status: PublicStatus, page: str, shown: Iterable[tuple[PublicIncident, Facts, Facts]]) -> bytes:
    """Return `status` as a feed; `page`: where the page is, seen from the feed, which is `feed.atom` there.

    `shown`: each interruption with its facts and its updates, in words.
    """
    # Names are written as they stand: ElementTree's own way with a default namespace forbids plain attributes.
    feed = ET.Element("feed", {"xmlns": ATOM, "xml:lang": status.language})
    updated = max((one.updated_at for one in status.incidents), default=status.written_at)
    _add(feed, "id", _urn(status.name))
    _add(feed, "title", status.title)
    _add(feed, "updated", _rfc3339(updated))
    _add(_add(feed, "author"), "name", status.title)
    _add(feed, "link", rel="self", type="application/atom+xml", href="feed.atom")
    _add(feed, "link", rel="alternate", type="text/html", href=page)
    _add(feed, "generator", "Relève")
    for one, facts, updates in shown:
        _entry(feed, one, facts, updates, status.name)
    made: bytes = ET.tostring(feed, encoding="utf-8", xml_declaration=True)
    return made


def _entry(feed: ET.Element, one: PublicIncident, facts: Facts, updates: Facts, site: str) -> None:
    entry = _add(feed, "entry")
    # Numbers begin anew with a state that was lost; the opening tells two of one number apart.
    _add(entry, "id", _urn(f"{site}|{one.opened_at.isoformat()}|{one.reference}"))
    _add(entry, "title", one.what)
    _add(entry, "published", _rfc3339(one.updates[0].at if one.updates else one.since))
    _add(entry, "updated", _rfc3339(one.updated_at))
    lines = [one.what, one.impact, one.following, *(f"{label} {value}" for label, value in facts)]
    lines += [f"{at} - {text}" for at, text in updates]
    _add(entry, "content", "\n".join(lines), type="text")


def _urn(name: str) -> str:
    """An id that stays, is anybody's to compare, and shows nothing of what it is made of."""
    return uuid5(NAMESPACE_URL, f"releve|{name}").urn


def _add(parent: ET.Element, name: str, text: str | None = None, **attributes: str) -> ET.Element:
    child = ET.SubElement(parent, name, attributes)
    child.text = text
    return child


def _rfc3339(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
