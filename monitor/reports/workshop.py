"""Rendering away from here: a process of its own draws and typesets, for a limited time, and cannot take us with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from monitor.core.text import Quantity, Text, say
from monitor.reports.plot import Plot

WITHIN = 60.0
"""Seconds that one document may take; some two are usual on a small machine."""
LONGEST_REASON = 300
"""Characters of what the process says when it fails."""
KEPT = ("PATH", "PYTHONPATH", "PYTHONHOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV")
"""What of our environment the process is given."""


class RenderFailed(Exception):
    """A document could not be made; `text` says why and what to do."""

    def __init__(self, text: Text) -> None:
        super().__init__(text.template)
        self.text = text


def drawings_of(plots: Mapping[str, Plot], *, within: float = WITHIN) -> dict[str, bytes]:
    """Return the SVG of each plot by its name; it blocks for at most `within` seconds. Raises RenderFailed."""
    if not plots:
        return {}
    answer = _rendered({"want": "drawings", "plots": _plots(plots)}, within)
    return {name: svg.encode() for name, svg in json.loads(answer).items()}


def pdf_of(document: Mapping[str, Any], plots: Mapping[str, Plot], template: str, *, within: float = WITHIN) -> bytes:
    """Return the PDF of `document` (JSON-ready) by the Typst file `template`; like `drawings_of` for the rest."""
    request = {"want": "pdf", "plots": _plots(plots), "document": document, "template": template}
    return _rendered(request, within)


def _plots(plots: Mapping[str, Plot]) -> dict[str, Any]:
    return {name: asdict(plot) for name, plot in plots.items()}


def _rendered(request: Mapping[str, Any], within: float) -> bytes:
    command = [sys.executable, "-P", "-m", "monitor.reports.render"]
    # No secret of ours goes along: the process reads what devices said.
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    try:
        done = subprocess.run(  # noqa: S603 - our own module, no word of anybody in the command
            command, input=json.dumps(request).encode(), capture_output=True, timeout=within, check=False, env=kept
        )
    except subprocess.TimeoutExpired as error:
        text = say(
            "The document was not ready within {within}; try again when the machine is less busy",
            within=Quantity(within, "s"),
        )
        raise RenderFailed(text) from error
    except OSError as error:
        text = say("The process that renders documents cannot be started: {why}", why=str(error))
        raise RenderFailed(text) from error
    if done.returncode != 0:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        why = lines[-1][:LONGEST_REASON] if lines else str(done.returncode)
        raise RenderFailed(say("The document could not be rendered: {why}. --format md needs no rendering", why=why))
    return done.stdout
