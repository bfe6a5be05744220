"""The proof of communication: what a client's manager reads, and every figure under it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from alerts.language import speech
from alerts.notice import NoticeState
from alerts.protocol_json import protocol_to_json
from monitor.core.text import ENGLISH, Speech
from monitor.reports.as_json import as_json
from monitor.reports.comms import comms
from monitor.reports.comms_csv import comms_csv
from monitor.reports.comms_material import CommsMaterial, Period, Told, comms_material, days
from monitor.reports.document import Document, Paragraph, Table
from monitor.reports.formats import Format, rendered
from monitor.reports.material import Material
from monitor.reports.proof import proof
from monitor.store import AuditEntry, Batch, Store, open_store

Stories = dict[str, Callable[[], Material]]
DOUALA = ZoneInfo("Africa/Douala")
NOVEMBER = days(date(2026, 11, 1), date(2026, 11, 30), DOUALA, "2026-11")
DECEMBER = datetime(2026, 12, 1, 9, tzinfo=UTC)


def month(*stories: Material, now: datetime = DECEMBER, others: int = 0) -> CommsMaterial:
    told = tuple(
        Told(one.incident, proof(one.incident, one.protocol, one.notices, now), one.protocol, one.protocol_version)
        for one in stories
    )
    return CommsMaterial(
        NOVEMBER, now, told, others, "Media Contact Douala", stories[0].people if stories else {}, {}, "12-ab", "0.1.0"
    )


def on_time(material: Material) -> Material:
    """The same incident by a Relève that missed nothing."""
    notices = tuple(
        replace(notice, sent_at=notice.due_at, state=NoticeState.SENT, answer="250 ok") for notice in material.notices
    )
    return replace(material, notices=notices)


def statement(document: Document) -> str:
    section = next(one for one in document.sections if one.name == "statement")
    return " ".join(block.words.text for block in section.blocks if isinstance(block, Paragraph))


def tables(document: Document, name: str) -> list[Table]:
    section = next(one for one in document.sections if one.name == name)
    return [block for block in section.blocks if isinstance(block, Table)]


def test_a_manager_reads_in_one_sentence_that_everything_was_told(stories: Stories) -> None:
    document = comms(month(on_time(stories["link"]())), ENGLISH)
    assert statement(document) == (
        "The contract demanded 4 messages to the client (incidents: 1): every one left on time and was accepted by the "
        "server that it was handed to."
    )
    assert document.status.text == "Every deadline met"
    assert not tables(document, "breaches")


def test_a_manager_reads_how_many_deadlines_were_missed_and_finds_each_with_its_reason(stories: Stories) -> None:
    document = comms(month(stories["link"]()), ENGLISH)
    assert statement(document).startswith(
        "The contract demanded 4 messages to the client (incidents: 1). On time: 2; late: 1; never sent: 1."
    )
    assert document.status.text == "Deadlines missed: 3"
    (table,) = tables(document, "breaches")
    shown = [tuple(cell.text for cell in row) for row in table.rows]
    assert [(row[1], row[2], row[4], row[5]) for row in shown] == [
        ("update no. 1", "Desk ATT", "late by 4\u00a0min\u00a010\u00a0s", "no reason on record"),
        ("update no. 2", "Desk ATT", "missed, never sent", "no reason on record"),
        ("resolved notice", "Administrateur SI", "refused, never sent", "550 5.1.1 boîte inconnue"),
    ]


def test_a_message_that_never_came_into_being_is_named(stories: Stories) -> None:
    material = on_time(stories["link"]())
    document = comms(month(replace(material, notices=material.notices[1:])), ENGLISH)
    (table,) = tables(document, "breaches")
    assert [cell.text for cell in table.rows[0]][4] == "missing: it never came into being"
    assert "never sent: 1" in statement(document)


def test_a_month_without_an_interruption_says_so(stories: Stories) -> None:
    document = comms(month(others=3), ENGLISH)
    assert statement(document) == "No incident of this period was to be told to the client: no message was due."
    assert document.data["other_incidents"] == 3
    assert document.data["totals"]["client"]["due"] == 0


def test_a_rehearsal_proves_nothing_of_the_client(stories: Stories) -> None:
    material = on_time(stories["link"]())
    assert material.protocol is not None
    rehearsed = replace(material, protocol=replace(material.protocol, live=False), notices=())
    document = comms(month(rehearsed), ENGLISH)
    assert "The client was not told by them" in statement(document) or "the client was not told by them" in statement(
        document
    )
    assert document.data["totals"]["client"]["due"] == 0
    assert document.data["totals"]["rehearsal"]["due"] == 4


def test_a_month_that_goes_on_is_not_proved_to_its_end(stories: Stories) -> None:
    material = on_time(stories["link"]())
    document = comms(month(material, now=material.now), ENGLISH)
    assert statement(document).endswith("The period is not over yet: this is how it stands now.")
    assert document.status.text == "Every deadline met so far; the period is not over yet"


def test_without_the_protocol_it_says_what_cannot_be_proved(stories: Stories) -> None:
    material = replace(on_time(stories["link"]()), protocol=None)
    assert "nothing can be proved to be missing, for: 26-0008." in statement(comms(month(material), ENGLISH))


def test_the_totals_are_those_of_the_messages(stories: Stories) -> None:
    data = comms(month(stories["link"](), on_time(stories["link"]())), ENGLISH).data
    assert data["totals"]["client"] == {
        "due": 8,
        "on_time": 6,
        "late": 1,
        "waiting": 0,
        "overdue": 0,
        "missed": 1,
        "refused": 0,
        "absent": 0,
        "never_sent": 1,
        "worst_s": 250.0,
    }
    assert len(data["messages"]) == 12
    assert data["breaches"] == sum(one["breach"] for one in data["messages"]) == 3


@pytest.mark.parametrize("form", list(Format))
def test_it_is_written_in_every_format_and_language(stories: Stories, reader: Speech, form: Format) -> None:
    made = rendered(comms(month(stories["link"]()), reader), form)
    assert made.startswith({Format.PDF: b"%PDF-1.", Format.HTML: b"<!DOCTYPE", Format.MARKDOWN: b"#"}.get(form, b"{"))
    assert form is not Format.PDF or made.rstrip().endswith(b"%%EOF")


def test_what_servers_and_people_wrote_breaks_no_format(stories: Stories, reader: Speech) -> None:
    document = comms(month(stories["hostile"]()), reader)
    assert rendered(document, Format.PDF).startswith(b"%PDF-1.")
    page = rendered(document, Format.HTML).decode()
    assert "<script>alert" not in page
    assert "<img" not in page


def test_nothing_in_it_is_empty(stories: Stories, reader: Speech) -> None:
    for material in (month(stories["link"]()), month(stories["hostile"]()), month()):
        document = comms(material, reader)
        for section in document.sections:
            assert section.blocks, section.name
            for block in section.blocks:
                if isinstance(block, Table):
                    assert block.rows
                    assert {len(row) for row in block.rows} == {len(block.head)} == {len(block.shares)}
                    assert all(cell.text.strip() for row in block.rows for cell in row)


def table_of(text: str, separator: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""), delimiter=separator))


def test_the_csv_has_every_message(stories: Stories) -> None:
    rows = table_of(comms_csv(month(stories["link"]()), ENGLISH), ",")
    assert [(row["message"], row["late by (s)"], row["deadline missed"]) for row in rows] == [
        ("first notice", "0", "no"),
        ("first notice", "0", "no"),
        ("update no. 1", "250", "yes"),
        ("update no. 2", "0", "yes"),
        ("resolved notice", "2", "no"),
        ("resolved notice", "0", "yes"),
    ]
    assert rows[0]["Message-ID"].startswith("<")


def test_a_french_csv_opens_in_excel(stories: Stories) -> None:
    material = stories["link"]()
    late = replace(material.notices[2], sent_at=material.notices[2].due_at + timedelta(seconds=90.5))
    text = comms_csv(month(replace(material, notices=(late,))), speech("fr", DOUALA))
    assert text.startswith("\ufeff")
    (row,) = [line.split(";") for line in text.splitlines() if "90,5" in line]
    assert "23/11/2026 15:03:12" in row


def test_no_cell_of_the_csv_is_a_formula(stories: Stories) -> None:
    material = stories["link"]()
    for words in ("=1+1", "+cmd", "-2", "@SUM(A1)", "\t=1", " =1", "x;=1", "＝1"):
        notices = tuple(replace(one, answer=words, channel=words) for one in material.notices)
        people = dict.fromkeys(material.people, words)
        for language, separator in (("fr", ";"), ("en", ",")):
            found = replace(month(replace(material, notices=notices)), people=people)
            text = comms_csv(found, speech(language, DOUALA)).removeprefix("\ufeff")
            cells = [cell for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator) for cell in row]
            assert not [cell for cell in cells if cell.lstrip(' "').startswith(("=", "+", "-", "@", "＝"))]


# --- out of a real store


@pytest.fixture
def store(tmp_path: Path) -> Any:
    with open_store(tmp_path / "data", write=True, ballast=0) as opened:
        yield opened


def put(store: Store, material: Material, *audit: AuditEntry) -> None:
    incident, protocol = material.incident, material.protocol
    frozen = {} if protocol is None else {incident.id: protocol_to_json(protocol)}
    store.commit(Batch(events=incident.timeline, protocols=frozen, notices=material.notices, audit=audit))


def test_it_is_made_of_the_log_the_frozen_protocol_and_the_outbox(store: Store, stories: Stories) -> None:
    material = stories["link"]()
    missed = replace(material.notices[3], created_at=material.notices[3].due_at + timedelta(minutes=20))
    start = AuditEntry("releve", "start", {}, missed.due_at + timedelta(minutes=10))
    put(store, replace(material, notices=(*material.notices[:3], missed, *material.notices[4:])), start)
    put(store, stories["disk"]())
    found = comms_material(store, None, NOVEMBER, DECEMBER)
    assert [one.incident.id for one in found.told] == ["26-0008"]
    assert found.others == 1
    lines = {str(line.key): line for _, line in found.lines}
    assert lines["26-0008/client/update/2/att"].why.value == "releve_out"
    document = comms(found, ENGLISH)
    assert "Relève was not running" in json.dumps(as_json(document), ensure_ascii=False)


def test_a_message_belongs_to_the_period_in_which_it_was_due(store: Store, stories: Stories) -> None:
    material = stories["link"]()
    put(store, material)
    cut = material.notices[2].due_at
    before = Period(cut - timedelta(days=1), cut, "before")
    after = Period(cut, cut + timedelta(days=1), "after")
    first, second = (comms_material(store, None, one, DECEMBER).lines for one in (before, after))
    assert [line.key for _, line in (*first, *second)] == [
        line.key for _, line in comms_material(store, None, NOVEMBER, DECEMBER).lines
    ]
    assert (len(first), len(second)) == (2, 4)
    nothing = comms_material(store, None, Period(cut + timedelta(days=9), cut + timedelta(days=10), ""), DECEMBER)
    assert (nothing.told, nothing.others) == ((), 0)


def test_a_day_begins_and_ends_at_the_site() -> None:
    period = days(date(2026, 11, 1), date(2026, 11, 1), DOUALA)
    assert period.since == datetime(2026, 10, 31, 23, tzinfo=UTC)
    assert period.until - period.since == timedelta(days=1)
    summer = days(date(2026, 3, 29), date(2026, 3, 29), ZoneInfo("Europe/Paris"))
    assert summer.until.astimezone(UTC) - summer.since.astimezone(UTC) == timedelta(hours=23)
