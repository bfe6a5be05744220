"""A document as one HTML file: its style and its drawings are in it, nothing is loaded from anywhere."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

from alerts.language import folder
from monitor.reports.document import Document

if TYPE_CHECKING:
    from jinja2 import Template

_PROLOG = re.compile(rb"\A.*?(?=<svg)", re.DOTALL)


def html(document: Document, drawings: Mapping[str, bytes]) -> str:
    """Return `document` as HTML; `drawings`: the SVG of each figure by its name."""
    from markupsafe import Markup  # noqa: PLC0415 - comes with jinja2, which takes 60 ms

    # What we drew ourselves is the one thing in the page that is not escaped.
    inline = {name: Markup(_PROLOG.sub(b"", svg).decode()) for name, svg in drawings.items()}  # noqa: S704
    return _template().render(document=document, drawings=inline)


@cache
def _template() -> Template:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415 - 60 ms

    environment = Environment(
        loader=FileSystemLoader(folder() / "reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.tests["block"] = lambda block, kind: type(block).__name__ == kind
    return environment.get_template("rex.html")
