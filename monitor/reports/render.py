"""The process that draws and typesets: one request as JSON on stdin, the answer on stdout, the reason on stderr.

Run as `python -m monitor.reports.render`. The request: `{"want": "drawings" | "pdf", "plots": {name: plot}, "document":
..., "template": path}`; the answer: `{name: svg}` as JSON, or the PDF. It ends with 0, or with 1 and a line of stderr.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def main() -> int:
    """Answer the one request on stdin; return the exit code."""
    request = json.loads(sys.stdin.buffer.read())
    with tempfile.TemporaryDirectory(prefix="releve-report-") as work:
        os.environ["MPLCONFIGDIR"] = work  # there is no home where a daemon runs
        drawings = drawn(request["plots"])
        if request["want"] == "drawings":
            answer = json.dumps({name: svg.decode() for name, svg in drawings.items()}).encode()
        else:
            answer = typeset(Path(request["template"]), request["document"], drawings, Path(work))
    sys.stdout.buffer.write(answer)
    sys.stdout.buffer.flush()
    return 0


def drawn(plots: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the SVG of each plot by its name."""
    if not plots:
        return {}
    from monitor.reports.drawing import draw  # noqa: PLC0415 - it imports matplotlib
    from monitor.reports.plot import plot_from_json  # noqa: PLC0415 - only with it

    return {name: draw(plot_from_json(plot)) for name, plot in plots.items()}


def typeset(template: Path, document: Mapping[str, Any], drawings: Mapping[str, bytes], work: Path) -> bytes:
    """Return the PDF that the Typst `template` makes of `document`; what is in it is data, never markup.

    The template sees the folder `work` and nothing else. Only the fonts that come with Typst are used, so that a
    document looks alike on every machine. Raises typst.TypstError.
    """
    import typst  # noqa: PLC0415 - 40 MB

    (work / "document.json").write_text(json.dumps(document), encoding="utf-8")
    for name, svg in drawings.items():
        (work / f"{name}.svg").write_bytes(svg)
    (work / "main.typ").write_bytes(template.read_bytes())
    return typst.compile(work / "main.typ", root=work, ignore_system_fonts=True)


def _told() -> int:
    """Answer, or say in one line why not: what started this process reads the last line."""
    try:
        return main()
    except Exception as error:
        sys.stderr.write(f"{type(error).__name__}: {' '.join(str(error).split())}\n")
        return 1


if __name__ == "__main__":
    sys.exit(_told())
