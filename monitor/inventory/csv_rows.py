"""CSV with the place of every cell: commas, semicolons (Excel in French) or tabs; quotes may hold line breaks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from monitor.core.text import say
from monitor.inventory.problems import Place, Problems
from monitor.inventory.yaml_text import decoded

_DELIMITERS = ",;\t"


@dataclass(frozen=True, slots=True)
class Cell:
    """The text of one cell, without quotes and outer blanks."""

    at: Place
    text: str


def rows(path: str, raw: bytes, problems: Problems) -> Iterator[tuple[Cell, ...]]:
    """Yield the rows of the file that hold something, the header first."""
    text = decoded(path, raw, problems).replace("\r\n", "\n").replace("\r", "\n")
    first = text.partition("\n")[0]
    delimiter = max(_DELIMITERS, key=first.count)
    row: list[Cell] = []
    for cell, last in _cells(path, text, delimiter, problems):
        row.append(cell)
        if last:
            if any(each.text for each in row):
                yield tuple(row)
            row = []


def _cells(path: str, text: str, delimiter: str, problems: Problems) -> Iterator[tuple[Cell, bool]]:
    """Yield each cell, and whether it ends its row."""
    index, line, start = 0, 1, 0
    while index < len(text):
        at = Place(path, line, index - start + 1)
        if text[index] == '"':
            value, end = _quoted(text, index)
            if end < 0:
                problems.error(at, "file", say("a quote that was opened is never closed"))
                return
            breaks = text.count("\n", index, end)
            if breaks:
                line, start = line + breaks, text.rindex("\n", index, end) + 1
        else:
            value, end = "", index
        stop = end
        while stop < len(text) and text[stop] not in (delimiter, "\n"):
            stop += 1
        last = stop >= len(text) or text[stop] == "\n"
        yield Cell(at, (value + text[end:stop]).strip()), last
        index = stop + 1
        if last:
            line, start = line + 1, index
        elif index >= len(text):
            yield Cell(Place(path, line, index - start + 1), ""), True


def _quoted(text: str, index: int) -> tuple[str, int]:
    """Return the content of the quotes that open at `index` and the index behind them; -1 if they never close."""
    parts: list[str] = []
    start = index + 1
    while True:
        end = text.find('"', start)
        if end < 0:
            return "", -1
        parts.append(text[start:end])
        if text[end + 1 : end + 2] != '"':
            return '"'.join(parts), end + 1
        start = end + 2
