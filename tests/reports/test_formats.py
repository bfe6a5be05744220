"""Every format, made by what really makes it, and how a document gets into a file."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from alerts.language import speech
from monitor.core.text import Speech
from monitor.reports.document import Document
from monitor.reports.formats import SUFFIXES, Format, put, rendered
from monitor.reports.material import Material
from monitor.reports.rex import rex
from monitor.reports.workshop import RenderFailed, drawings_of, pdf_of

Stories = dict[str, Callable[[], Material]]


def test_a_review_becomes_a_pdf_in_either_language(material: Material, reader: Speech) -> None:
    made = rendered(rex(material, reader), Format.PDF)
    assert made.startswith(b"%PDF-1.")
    assert made.rstrip().endswith(b"%%EOF")


def test_the_same_review_is_the_same_pdf(stories: Stories) -> None:
    document = rex(stories["disk"](), speech("fr", "Africa/Douala"))
    assert rendered(document, Format.PDF) == rendered(document, Format.PDF)


def test_json_has_the_figures_for_other_tools(stories: Stories, reader: Speech) -> None:
    found = json.loads(rendered(rex(stories["disk"](), reader), Format.JSON))
    assert found["language"] == reader.language
    data = found["data"]
    assert data["id"] == "26-0007"
    assert data["moments"]["began"] == "2026-11-23T13:03:12.000Z"
    assert data["moments"]["told_client"] is None
    measures = {one["name"]: one for one in data["measures"]}
    assert measures["resolution"] == {
        "name": "resolution",
        "seconds": 860.0,
        "target_seconds": 1200.0,
        "outcome": "met",
    }
    assert {block["kind"] for section in found["sections"] for block in section["blocks"]} == {
        *("heading", "paragraph", "points", "facts", "table", "figure", "listing")
    }


def test_markdown_has_every_section(material: Material, reader: Speech) -> None:
    document = rex(material, reader)
    text = rendered(document, Format.MARKDOWN).decode()
    assert text.startswith("# ")
    assert [line for line in text.splitlines() if line.startswith("## ")] == [
        f"## {n}. {section.title}" for n, section in enumerate(document.sections, 1)
    ]


def test_every_ending_names_a_format_and_every_format_has_an_ending() -> None:
    assert set(SUFFIXES.values()) == set(Format)
    assert [form for form in Format if form.binary] == [Format.PDF]


def test_what_takes_too_long_is_given_up(stories: Stories, reader: Speech) -> None:
    with pytest.raises(RenderFailed) as caught:
        rendered(rex(stories["disk"](), reader), Format.PDF, within=0.001)
    assert "not ready within" in caught.value.text.template


def test_what_the_renderer_cannot_do_is_an_error_with_its_reason(tmp_path: Path) -> None:
    template = tmp_path / "broken.typ"
    template.write_text('#let x = \n#panic(json("document.json").name)', encoding="utf-8")
    with pytest.raises(RenderFailed) as caught:
        pdf_of({"name": "it"}, {}, str(template))
    assert "TypstError" in str(dict(caught.value.text.values)["why"])


def test_the_template_sees_no_file_beside_its_own(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret", encoding="utf-8")
    template = tmp_path / "curious.typ"
    for place in (str(tmp_path / "secret.txt"), "../../../../../../../../etc/passwd"):
        template.write_text(f"#read({json.dumps(place)})", encoding="utf-8")
        with pytest.raises(RenderFailed):
            pdf_of({}, {}, str(template))


def test_the_renderer_is_given_no_secret_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder put first on the path takes the place of the module that would draw, and shows what it was given."""
    spy = tmp_path / "typst.py"
    spy.write_text("import os\ndef compile(*a, **k): return ' '.join(os.environ).encode()\n", encoding="utf-8")
    template = tmp_path / "empty.typ"
    template.write_text("", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("RELEVE_MAIL_URL", "mailto://user:password@host")
    given = pdf_of({}, {}, str(template)).decode().split()
    assert "PATH" in given
    assert not [name for name in given if name.startswith("RELEVE")]


def test_a_document_without_a_figure_starts_no_process() -> None:
    assert drawings_of({}, within=0.0) == {}


def without_figures(document: Document) -> Document:
    sections = tuple(one for one in document.sections if one.name != "measurements")
    return replace(document, sections=sections)


def test_html_without_a_figure_needs_no_rendering(stories: Stories, reader: Speech) -> None:
    made = rendered(without_figures(rex(stories["disk"](), reader)), Format.HTML, within=0.0)
    assert b"<svg" not in made


def test_a_file_is_replaced_whole_and_keeps_its_rights(tmp_path: Path) -> None:
    target = tmp_path / "review.md"
    put(target, b"first")
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(target.stat().st_mode) == 0o666 & ~mask
    target.chmod(0o640)
    put(target, b"second")
    assert (target.read_bytes(), stat.S_IMODE(target.stat().st_mode)) == (b"second", 0o640)
    assert [path.name for path in tmp_path.iterdir()] == ["review.md"]


def test_a_file_that_cannot_be_written_leaves_the_old_one_and_nothing_beside_it(tmp_path: Path) -> None:
    target = tmp_path / "review.md"
    put(target, b"first")
    with pytest.raises(TypeError):
        put(target, "no bytes")  # type: ignore[arg-type]
    assert target.read_bytes() == b"first"
    assert [path.name for path in tmp_path.iterdir()] == ["review.md"]


def test_a_symbolic_link_is_followed_and_a_device_is_written_to(tmp_path: Path) -> None:
    real, link = tmp_path / "real.md", tmp_path / "link.md"
    real.write_bytes(b"old")
    link.symlink_to(real)
    put(link, b"new")
    assert (real.read_bytes(), link.is_symlink()) == (b"new", True)
    before = Path(os.devnull).stat().st_rdev
    put(Path(os.devnull), b"x")
    assert Path(os.devnull).stat().st_rdev == before
