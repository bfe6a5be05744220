"""The page behind a link in a message, as HTML: small, of one file, and with nothing from anywhere else."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING

from alerts.language import folder

if TYPE_CHECKING:
    from jinja2 import Template


@dataclass(frozen=True, slots=True)
class Page:
    """What a visitor reads: `lines` of sentences, one `button` at most, `notes` in small print."""

    title: str
    lines: tuple[str, ...]
    button: str = ""
    notes: tuple[str, ...] = ()
    tone: str = ""
    status: HTTPStatus = HTTPStatus.OK


def rendered(page: Page, language: str) -> str:
    """Return `page` as HTML; whatever it says is shown as text."""
    style, template = _layout()
    return template.render(
        language=language,
        style=style,
        title=page.title,
        lines=page.lines,
        button=page.button,
        notes=page.notes,
        tone=page.tone,
    )


def content_policy() -> str:
    """Return what a browser may do for such a page: use its style sheet, send its form to us, and nothing else."""
    digest = base64.b64encode(hashlib.sha256(_layout()[0].encode()).digest()).decode("ascii")
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


@cache
def _layout() -> tuple[str, Template]:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape  # noqa: PLC0415 - 60 ms
    from markupsafe import Markup  # noqa: PLC0415

    pages = folder() / "pages"
    style = Markup((pages / "answer.css").read_text(encoding="utf-8").strip())  # noqa: S704 - a file of ours
    environment = Environment(
        loader=FileSystemLoader(pages),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return style, environment.get_template("answer.html")
