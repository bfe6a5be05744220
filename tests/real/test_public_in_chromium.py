"""The public page as a browser shows it, on a telephone and on a desk, by day and by night, fresh and out of date."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from alerts.language import speech
from monitor.clock import SystemClock
from monitor.reports.public import SENTENCES, STATES, PublicService, PublicStatus, PublicWork
from monitor.reports.public_incident import PublicIncident, Update, Word
from monitor.reports.public_pages import Form, rendered
from tests.real.chromium import dom, framed

VIEWS = ((360, "light"), (800, "light"), (360, "dark"))
"""CSS pixels: a telephone held upright, and a window on a desk."""
LEGIBLE = 4.5
"""Contrast of text (WCAG 2.2, 1.4.3, level AA)."""
NOW = datetime(2026, 11, 23, 13, 0, tzinfo=UTC)
LONG = "anticonstitutionnellement" * 4


def status_of(word: Word, language: str, written_at: datetime = NOW) -> PublicStatus:
    """A status with everything in it, some of it of more length than anybody would write."""
    words = speech(language, "Africa/Douala")
    incident = PublicIncident(
        reference="26-0042",
        opened_at=NOW,
        title=f"Coupure {LONG}",
        word=word,
        since=NOW,
        until=None,
        what="Service still interrupted: Data link cut or unstable, since 14:00, Douala time.",
        impact=f"Impact: {LONG}.",
        cause="a digger",
        doing="the technical team was alerted",
        following="Next update: 15:00, Douala time, or as soon as the service is restored.",
        next_at=NOW + timedelta(hours=1),
        updates=(Update(NOW, "Service interrupted."), Update(NOW, f"Cause: {LONG}")),
    )
    over = replace(incident, until=NOW + timedelta(hours=1), word=Word.NORMAL)
    return PublicStatus(
        name="site",
        title="Service OCM",
        language=language,
        word=word,
        state=words.render(STATES[word]),
        sentence=words.render(SENTENCES[word]),
        written_at=written_at,
        seen_at=written_at,
        next_at=written_at + timedelta(minutes=12),
        services=tuple(PublicService(f"agents {each.value}", each, 62, 8, 100, "62 to 70 of 100") for each in Word),
        incidents=(incident, over),
        work=(PublicWork("CRM being updated by its vendor", NOW, NOW + timedelta(hours=4), active=False),),
        certain=False,
    )


def page(status: PublicStatus) -> str:
    return rendered(status, speech(status.language, "Africa/Douala"), Form.HTML).decode()


def statuses() -> Iterator[PublicStatus]:
    for written_at in (NOW, datetime(2100, 1, 1, tzinfo=UTC)):  # out of date, and valid
        for language in ("fr", "en"):
            for word in Word:
                yield status_of(word, language, written_at)


def test_nothing_is_cut_off_covered_or_pale_on_a_telephone_and_on_a_desk(require, tmp_path):
    told = list(statuses())
    rows = framed(require("chromium", "chromium"), tmp_path, [page(one) for one in told], VIEWS)
    assert len(rows) == len(told) * len(VIEWS)
    wrong = [
        (told[row["message"]].word.value, told[row["message"]].language, row["width"], row["scheme"], found)
        for row in rows
        if (found := {rule: row[rule] for rule in ("cut", "overlapping") if row[rule]})
        or row["scrolls"] > 0
        or row["contrast"] < LEGIBLE
    ]
    assert wrong == []


def test_a_browser_says_how_old_the_page_is_and_before_anything_else_that_it_is_out_of_date(require, tmp_path):
    chromium, now = require("chromium", "chromium"), SystemClock().now()
    minutes_ago = now - timedelta(minutes=3, seconds=20)
    for language, written_at, begins in (
        ("en", minutes_ago, "Updated 3 min ago."),
        ("en", NOW, "OUT OF DATE: "),
        ("fr", NOW, "PÉRIMÉ"),
    ):
        path = tmp_path / "page.html"
        path.write_text(page(status_of(Word.NORMAL, language, written_at)), encoding="utf-8")
        shown = dom(chromium, tmp_path, path)  # in which the script ran, which its hash alone admits
        found = re.search(r'<p id="age"[^>]*>([^<]*)</p>', shown)
        assert found is not None
        assert found[1].startswith(begins)
        assert ('<body class="stale">' in shown) is (written_at == NOW)
        assert shown.index('id="age"') < shown.index("<main>")
