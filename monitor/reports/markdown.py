"""A document as Markdown (CommonMark with GitHub's tables), in which nothing that anybody wrote is markup."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from monitor.core.text import NO_BREAK_SPACE
from monitor.reports.document import (
    Block,
    Document,
    Facts,
    Figure,
    Heading,
    Listing,
    Paragraph,
    Points,
    Table,
    Tone,
    Words,
)

_SIGNS = re.compile(r"([\\`*_\[\]#|~$])")
"""What CommonMark, GitHub's tables, strike-through and formulas give a meaning to within a line."""
_START = re.compile(r"^(\d+)([.)])(?=\s|$)|^([-+=])")
"""What begins a list, a heading or a rule at the start of a line (CommonMark 5.2, 4.3)."""
_LINK = re.compile(r"(?i)(https?|ftp)(:)(?=//)|(www)(\.)")
"""What GitHub makes a link without any markup (GFM 6.9)."""
_FENCE = re.compile(r"`+")
_COLON = {"fr": f"{NO_BREAK_SPACE}:"}
"""What stands between a label and what it labels, where that is not a bare colon."""


def markdown(document: Document) -> str:
    """Return `document` as Markdown; a figure is told in words, its curves are in the other formats."""
    return "\n".join(_lines(document)) + "\n"


def escaped(text: str) -> str:
    """Return `text` as Markdown that shows it as it stands."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = _SIGNS.sub(r"\\\1", text)
    text = _LINK.sub(lambda found: f"{found[1] or found[3]}\\{found[2] or found[4]}", text)
    return _START.sub(lambda found: f"{found[1]}\\{found[2]}" if found[1] else f"\\{found[3]}", text)


def _lines(document: Document) -> Iterator[str]:
    yield from (
        f"# {escaped(document.species)} {escaped(document.reference)}",
        "",
        f"**{escaped(document.title)}**",
        "",
    )
    yield from (_words(document.status), "")
    colon = _COLON.get(document.language, ":")
    yield from (*_facts(document.facts, colon), "")
    for n, section in enumerate(document.sections, 1):
        yield from (f"## {n}. {escaped(section.title)}", "")
        above = section.title
        for block in section.blocks:
            if isinstance(block, Table) and block.title != above:
                yield from (f"**{escaped(block.title)}**", "")
            yield from (*_block(block, colon), "")
            above = block.text if isinstance(block, Heading) else above
    yield from ("---", "", escaped(document.footer))


def _words(words: Words) -> str:
    match words.tone:
        case Tone.STRONG | Tone.BAD:
            return f"**{escaped(words.text)}**"
        case Tone.GAP:
            return f"*{escaped(words.text)}*"
        case Tone.CODE:
            return _code(words.text)
        case _:
            return escaped(words.text)


def _code(text: str) -> str:
    """A span of code; within a table a bar would end the cell even there (GFM 4.10)."""
    ticks = "`" * (_longest_run(text) + 1)
    space = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{ticks}{space}{text}{space}{ticks}".replace("|", "\\|")


def _longest_run(text: str) -> int:
    return max((len(run) for run in _FENCE.findall(text)), default=0)


def _block(block: Block, colon: str) -> Iterable[str]:
    match block:
        case Heading():
            return (f"### {escaped(block.text)}",)
        case Paragraph():
            return (_words(block.words),)
        case Points():
            return [f"- {_words(item)}" for item in block.items]
        case Facts():
            return _facts(block, colon)
        case Table():
            return _table(block)
        case Figure():
            note = (escaped(block.note),) if block.note else ()
            return (f"**{escaped(block.title)}**", "", escaped(block.said), "", *note)
        case Listing():
            fence = "`" * max(3, _longest_run(block.text) + 1)
            return (f"{escaped(block.title)}{colon}", "", fence, *block.text.split("\n"), fence)


def _facts(facts: Facts, colon: str) -> list[str]:
    return [f"- **{escaped(label)}{colon}** {_words(words)}" for label, words in facts.rows]


def _table(table: Table) -> list[str]:
    lines = [_row(escaped(title) for title in table.head), _row("---" for _ in table.head)]
    lines += [_row(_words(words) for words in row) for row in table.rows]
    return [*lines, "", escaped(table.note)] if table.note else lines


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
