"""The review as a PDF, read back by poppler: what stands on the pages, in either language, whatever was written."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from alerts.agreement import Protocol
from alerts.notice import Audience, Message, Notice, NoticeKey, NoticeState, Step
from alerts.protocol_json import protocol_to_json
from monitor import cli
from monitor.core.events import RELEVE, Event, EventKind
from monitor.core.ids import CheckId, IncidentId
from monitor.core.text import Quantity, Text, say, verbatim
from monitor.core.verdict import Severity
from monitor.store import Batch, Sample, open_store

ZERO = datetime(2026, 11, 23, 13, 3, 12, tzinfo=UTC)
DISK, NAME = CheckId("hmp-disk"), IncidentId("26-0007")
SITE = """
site: {name: Media Contact Douala, timezone: Africa/Douala, language: fr}
contacts: {admin: {name: Administrateur SI, mail: admin@example.org}}
devices: {hmp: {address: 127.0.0.1}}
checks:
  hmp-disk: {probe: disk, device: hmp, mount: /, warning: 80%, critical: 90%, incident: hmp-disk-full}
operations: {to: [admin]}
"""
NASTY = '#import "evil.typ" $x^2$ *bold* <label> @ref \\ [a](b) <script> | {{ 7*7 }}'
Write = Callable[..., Path]


def at(minutes: float) -> datetime:
    return ZERO + timedelta(minutes=minutes)


def full(used: float) -> Text:
    values = {"mount": "D:", "free": Quantity((100 - used) * 5e9, "By"), "size": Quantity(500e9, "By")}
    return say("{mount} is {used} full, {free} of {size} are free", used=Quantity(used, "%"), **values)


def story(notes: int) -> tuple[Event, ...]:
    more = {"check": DISK, "severity": Severity.CRITICAL, "kind_name": "hmp-disk-full", "began_at": ZERO}
    return (
        Event(NAME, at(3), EventKind.OPENED, RELEVE, full(91.1), **more),  # type: ignore[arg-type]
        Event(NAME, at(5), EventKind.ACKNOWLEDGED, "paul", say("Acknowledged")),
        *(Event(NAME, at(6), EventKind.NOTE, "paul", verbatim(f"{NASTY} {n}")) for n in range(notes)),
        Event(NAME, at(7), EventKind.CAUSE, "paul", verbatim(NASTY)),
        Event(NAME, at(14), EventKind.RESOLVED, RELEVE, full(70.5), check=DISK, severity=Severity.OK),
    )


@pytest.fixture
def written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Write:
    """`written(lang, notes)`: the PDF of a disk that ran full, with so many notes in its timeline."""
    (tmp_path / "inventory.yaml").write_text(SITE, encoding="utf-8")

    def write(lang: str, notes: int = 1) -> Path:
        key = NoticeKey(NAME, Audience.INTERNAL, Step.FIRST_NOTICE, 1, "admin")
        message = Message("s", "t", "<p>t</p>", "c")
        answer = "250 2.0.0 Ok: queued as 4F1A2B"
        told = Notice(
            key,
            at(3.5),
            at(3),
            "id@site",
            message,
            "mail",
            "admin@example.org",
            "fr",
            NoticeState.SENT,
            1,
            None,
            at(3.1),
            answer,
        )
        protocol = {NAME: protocol_to_json(Protocol(operations=("admin",)))}
        with open_store(tmp_path / "data", write=True, ballast=0) as store:
            store.commit(Batch(events=story(notes), notices=(told,), protocols=protocol))
            store.write_samples(
                Sample(DISK, "used", "%", at(minute), 90.0 if minute < 13 else 70.5) for minute in range(-30, 30)
            )
        target = tmp_path / "rex.pdf"
        places = ["--inventory", str(tmp_path / "inventory.yaml"), "--data", str(tmp_path / "data")]
        code = cli.carry_out([*places, "--lang", lang, "report", "rex", NAME, "-o", str(target)])
        assert code == 0, capsys.readouterr().err
        return target

    return write


@pytest.fixture(scope="session")
def poppler(require: Callable[[str, str], Path]) -> Callable[[str, Path], str]:
    """`poppler(program, pdf)`: what pdftotext or pdfinfo says of a file."""
    programs = {name: require(name, "poppler-utils") for name in ("pdftotext", "pdfinfo")}

    def read(name: str, pdf: Path) -> str:
        options = ["-layout", str(pdf), "-"] if name == "pdftotext" else [str(pdf)]
        return subprocess.run([programs[name], *options], check=True, capture_output=True, text=True).stdout

    return read


def flat(text: str) -> str:
    return " ".join(text.split())


def pages(info: str) -> int:
    found = re.search(r"^Pages:\s+(\d+)$", info, re.MULTILINE)
    assert found is not None
    return int(found[1])


def test_the_pages_say_what_happened_and_what_is_missing(written: Write, poppler: Callable[[str, Path], str]) -> None:
    pdf = written("en")
    text = flat(poppler("pdftotext", pdf))
    assert "REX 26-0007" in text
    assert "from 14:03 to 14:17, Douala time" in text
    assert "20 min, met" in text
    assert "not documented" in text
    assert "accepted: 250 2.0.0 Ok: queued" in text
    assert "hmp-disk: D: is 91.1% full" in text
    assert re.search(r"Page 1 / (\d+)", text)
    assert "Administrateur SI" in text


def test_a_french_review_has_french_times_and_numbers(written: Write, poppler: Callable[[str, Path], str]) -> None:
    text = flat(poppler("pdftotext", written("fr")))
    assert "14 h 03" in text
    assert "heure de Douala" in text
    assert "70,5 %" in text
    assert "23/11/2026" in text


def test_what_a_person_wrote_stands_there_as_it_was_written(
    written: Write, poppler: Callable[[str, Path], str]
) -> None:
    text = flat(poppler("pdftotext", written("en")))
    assert NASTY in text


def test_it_is_a_tagged_a4_document_with_its_own_title(written: Write, poppler: Callable[[str, Path], str]) -> None:
    info = poppler("pdfinfo", written("en"))
    assert re.search(r"^Title: +Review of an incident \(REX\) 26-0007: ", info, re.MULTILINE)
    assert re.search(r"^Tagged: +yes$", info, re.MULTILINE)
    assert re.search(r"^Page size: .*A4", info, re.MULTILINE)
    assert 3 <= pages(info) <= 5


def test_ten_thousand_events_make_no_book(written: Write, poppler: Callable[[str, Path], str]) -> None:
    pdf = written("en", notes=10_000)
    assert pages(poppler("pdfinfo", pdf)) <= 9
    assert "Events not shown here: 9944" in flat(poppler("pdftotext", pdf))
