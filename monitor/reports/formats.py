"""The formats of a document, and how one gets into a file: whole, or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path

from alerts.language import folder
from monitor.reports.as_json import as_json, json_bytes
from monitor.reports.document import Document, Figure
from monitor.reports.html import html
from monitor.reports.markdown import markdown
from monitor.reports.plot import Plot
from monitor.reports.workshop import WITHIN, drawings_of, pdf_of


class Format(StrEnum):
    """What a document can be."""

    PDF = "pdf"
    HTML = "html"
    MARKDOWN = "md"
    JSON = "json"

    @property
    def binary(self) -> bool:
        """Whether a terminal would show nothing but rubbish of it."""
        return self is Format.PDF


SUFFIXES: Mapping[str, Format] = {
    ".pdf": Format.PDF,
    ".html": Format.HTML,
    ".htm": Format.HTML,
    ".md": Format.MARKDOWN,
    ".markdown": Format.MARKDOWN,
    ".json": Format.JSON,
}


def rendered(document: Document, wanted: Format, *, within: float = WITHIN) -> bytes:
    """Return `document` in a format, text in UTF-8; PDF and HTML take a second. Raises RenderFailed."""
    return _MAKERS[wanted](document, within)


def _pdf(document: Document, within: float) -> bytes:
    return pdf_of(as_json(document), _plots(document), str(folder() / "reports" / "rex.typ"), within=within)


def _html(document: Document, within: float) -> bytes:
    return html(document, drawings_of(_plots(document), within=within)).encode()


def _markdown(document: Document, _within: float) -> bytes:
    return markdown(document).encode()


def _json(document: Document, _within: float) -> bytes:
    return json_bytes(document)


_MAKERS: Mapping[Format, Callable[[Document, float], bytes]] = {
    Format.PDF: _pdf,
    Format.HTML: _html,
    Format.MARKDOWN: _markdown,
    Format.JSON: _json,
}


def _plots(document: Document) -> dict[str, Plot]:
    blocks = (block for section in document.sections for block in section.blocks)
    return {block.name: block.plot for block in blocks if isinstance(block, Figure)}


def put(target: Path, content: bytes) -> None:
    """Write `content` to `target` so that a reader sees the old file or the new one, never half of either.

    What is no plain file (a terminal, a pipe, /dev/null) is written to as it stands, and a symbolic link is followed.
    Raises OSError.
    """
    if target.exists() and not target.is_file():
        with target.open("wb") as out:
            out.write(content)
        return
    target = target.resolve()
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name[:100]}.", dir=target.parent)
    fresh = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        fresh.chmod(_mode(target))
        fresh.replace(target)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise


def _mode(target: Path) -> int:
    """That of the file that is replaced, else what the umask leaves of 0666."""
    if target.exists():
        return target.stat().st_mode & 0o777
    mask = os.umask(0o077)
    os.umask(mask)
    return 0o666 & ~mask
