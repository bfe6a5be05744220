"""Chromium without a window: what it makes of a page, and how pages look in frames of given widths."""

from __future__ import annotations

import html
import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PATIENCE = 240.0
"""Seconds for Chromium, which takes up to twenty to start on a busy machine."""


def dom(chromium: Path, workplace: Path, page: Path) -> str:
    """Return the page at `page` as it is once its scripts have run."""
    # Its sandbox needs user namespaces, which containers mostly forbid; it shows nothing but what we wrote.
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
    options += [f"--user-data-dir={workplace / 'profile'}", "--window-size=900,4200"]
    shown = subprocess.run(
        [chromium, *options, "--dump-dom", page.as_uri()], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert "<body" in shown.stdout, f"Chromium ended with {shown.returncode}: {shown.stderr[-2000:]}"
    return shown.stdout


def framed(
    chromium: Path, workplace: Path, pages: Sequence[str], views: Sequence[tuple[int, str]]
) -> list[dict[str, Any]]:
    """Return how each page looks in each of `views` (CSS pixels, colour scheme), in one start of Chromium.

    What a row holds: `rendering.js`.
    """
    script = Path(__file__).with_name("rendering.js").read_text("utf-8")
    # No "</script>" of a page may end the script that it is handed to.
    written = json.dumps(list(pages)).replace("<", "\\u003c")
    page = workplace / "frames.html"
    page.write_text(
        '<!DOCTYPE html><meta charset="utf-8"><meta name="color-scheme" content="light dark"><title>Pages</title>'
        f'<body style="margin:0"><script>{script}look({written}, {json.dumps(views)});</script>',
        "utf-8",
    )
    shown = dom(chromium, workplace, page)
    _, mark, rest = shown.partition('<pre id="found">')
    assert mark, shown[-2000:]
    rows: list[dict[str, Any]] = json.loads(html.unescape(rest.partition("</pre>")[0]))
    return rows
