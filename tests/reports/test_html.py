"""One HTML file that loads nothing, runs nothing, and can be read by whoever hears it instead of seeing it."""

from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser

import pytest

from alerts.language import speech
from monitor.reports.document import Document, Table
from monitor.reports.formats import Format, rendered
from monitor.reports.material import Material
from monitor.reports.rex import rex

VOID = {"meta", "br", "img", "link", "input", "hr"}


class Page(HTMLParser):
    """The elements of a page, each closed; what stands between them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.style = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "style":
            self.style += data
        else:
            self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.seen if name == tag]


@pytest.fixture(scope="module", params=["link-fr", "hostile-fr", "hostile-en"])
def made(request: pytest.FixtureRequest, stories: dict[str, Callable[[], Material]]) -> tuple[Document, Page]:
    """A review and its page."""
    story, _dash, language = request.param.partition("-")
    document = rex(stories[story](), speech(language, "Africa/Douala"))
    return document, Page(rendered(document, Format.HTML).decode())


def test_it_runs_nothing_and_loads_nothing(made: tuple[Document, Page]) -> None:
    _document, page = made
    tags = {tag for tag, _attributes in page.seen}
    assert not tags & {"script", "img", "iframe", "object", "embed", "link", "form", "base", "image", "foreignobject"}
    for tag, attributes in page.seen:
        assert not [name for name in attributes if name.startswith("on")]
        links = [value for name, value in attributes.items() if name in ("href", "src", "xlink:href")]
        assert all(value is not None and value.startswith("#") for value in links), tag
    assert "http" not in page.style
    assert "default-src 'none'" in str(page.all("meta"))


def test_everything_that_is_opened_is_closed_and_every_word_is_there(made: tuple[Document, Page]) -> None:
    document, page = made
    assert page.open == []
    words = " ".join(" ".join(page.words).split())
    for label, value in document.facts.rows:
        assert " ".join(label.split()) in words
        assert " ".join(value.text.split()) in words


def test_it_names_its_language_its_tables_and_its_drawing(made: tuple[Document, Page]) -> None:
    document, page = made
    assert page.all("html") == [{"lang": document.language}]
    tables = [block for section in document.sections for block in section.blocks if isinstance(block, Table)]
    assert len(page.all("caption")) == len(page.all("table")) >= len(tables)
    assert {cell.get("scope") for cell in page.all("th")} == {"col", "row"}
    pictures = [one for one in page.all("div") if one.get("role") == "img"]
    assert len(pictures) == len(page.all("svg")) == 1
    assert pictures[0]["aria-label"]
    assert len({one["id"] for _tag, one in page.seen if "id" in one}) == len(
        [1 for _tag, one in page.seen if "id" in one]
    )
    assert len(page.all("h1")) == 1
    assert len(page.all("h2")) == len(document.sections)


def test_it_can_be_read_in_the_dark_and_printed(made: tuple[Document, Page]) -> None:
    _document, page = made
    assert "prefers-color-scheme: dark" in page.style
    assert "@media print" in page.style
    assert "size: A4" in page.style
