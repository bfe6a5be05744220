"""CSV as the reader's spreadsheet opens it: in French with `;`, decimal commas and a BOM; no cell is a formula."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from datetime import datetime

from monitor.core.text import Speech
from probes.cleaning import one_line

FORMULA = re.compile('(^|[,;])(?=[ "]*[-=+@\uff0d\uff1d\uff0b\uff20])')
"""Where a cell begins that a spreadsheet takes for a formula (OWASP, CSV Injection; the last four are of full width).
One of another language than the file's separates columns elsewhere, quotes or not."""
Cell = str | int | float | datetime | None


def as_csv(head: Iterable[str], rows: Iterable[Iterable[Cell]], words: Speech) -> str:
    """Return a table as CSV in the language and the time of `words`; what is text is shown, never carried out."""
    french = words.language == "fr"
    text = io.StringIO()
    writer = csv.writer(text, delimiter=";" if french else ",", lineterminator="\r\n")
    writer.writerow(list(head))
    for row in rows:
        writer.writerow([_shown(cell, words) for cell in row])
    return ("\ufeff" if french else "") + text.getvalue()


def inert(words: str) -> str:
    """Return `words` so that a spreadsheet shows them: what a device or a server says must not be carried out."""
    return FORMULA.sub(r"\1'", one_line(words))


def _shown(cell: Cell, words: Speech) -> str:
    french = words.language == "fr"
    match cell:
        case None:
            return ""
        case datetime():
            return cell.astimezone(words.zone).strftime("%d/%m/%Y %H:%M:%S" if french else "%Y-%m-%dT%H:%M:%S%z")
        case int() | float():
            number = f"{cell:.10g}"
            return number.replace(".", ",") if french else number
        case _:
            return inert(cell)
