"""From the bytes of a file to text that a YAML parser can take, and what to say when it cannot.

Files come from Windows editors: a mistake of that kind is named, mended for the moment at the same width, and reading
goes on, so that the other problems are seen at once and at their right places.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import islice

import yaml

from monitor.core.text import Text, say
from monitor.inventory.problems import NOTHING, Place, Problems

_SHIELDS = {"*": "\ue02a", "[": "\ue05b", "]": "\ue05d"}
"""Signs that the contract lets stand without quotes (`include: [*.yaml]`, `range: 10.0.1.[11-110]`) although YAML takes
them for an alias or a list -> what stands for them while YAML reads."""
_SHIELDED = str.maketrans(_SHIELDS)
_UNSHIELDED = str.maketrans({stand_in: sign for sign, stand_in in _SHIELDS.items()})
TAB_WIDTH = 2
"""Blanks that a tab in the indentation is read as: the step of most inventories."""
SHOWN_SIGNS = 10
"""Control characters that are told one by one: a file full of them is no text at all."""
_BREAK = re.compile(r"\r\n|[\r\n\x85\u2028\u2029]")
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_DRIVE = re.compile(r'"(?:[A-Za-z]:|\\\\)(?:[^"\\\r\n]|\\[^"\r\n])*\\"')
_INCLUDE = re.compile(r"^include[ ]*:[^\r\n]*(?:\r?\n[ ]*-[^\r\n]*)*", re.MULTILINE)
_UNQUOTED_RANGE = re.compile(r"(?<=range:)[ ]+[^\s\[\]{},'\"#]+\[\d+-\d+\][^\s\[\]{},]*")
_UNQUOTED_STAR = re.compile(r"(?<=[\[\s,])\*(?=[\w.*?/-]*[.*?/])")
_BOMS = ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))


@dataclass(slots=True)
class Source:
    """The text of one file as the parser is to see it. `widened`: characters that mending added to a line's start."""

    path: str
    text: str
    widened: dict[int, int] = field(default_factory=dict)

    def place(self, line: int, column: int) -> Place:
        """Return the place in the file of what the parser sees at `line` and `column`, both counted from 0."""
        return Place(self.path, line + 1, max(1, column + 1 - self.widened.get(line, 0)))

    def locate(self, index: int) -> Place:
        """Return the place of the character at `index` of the text."""
        line, start = 0, 0
        for found in _BREAK.finditer(self.text, 0, index):
            line, start = line + 1, found.end()
        return self.place(line, index - start)

    def replace(self, start: int, end: int, text: str) -> None:
        """Put `text` in the place of the characters from `start` to `end`."""
        self.text = self.text[:start] + text + self.text[end:]


def decoded(path: str, raw: bytes, problems: Problems) -> str:
    """Return the text of `raw`, which should be UTF-8; what is not is noted, and read as well as can be."""
    for mark, encoding in _BOMS:
        if raw.startswith(mark):
            message, hint = say("the file is UTF-16"), say("save it as UTF-8")
            problems.error(Place(path), "file", message, hint)
            return raw[2:].decode(encoding, "replace")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8-sig", "replace")
        letter = raw[error.start : error.start + 1].decode("cp1252", "replace")
        problems.error(
            Source(path, before + "?").locate(len(before)),
            "file",
            say("this character is not UTF-8; in Windows-1252 it would be {letter}", letter=letter),
            say("save the file as UTF-8"),
        )
        return raw.decode("cp1252", "replace")


def prepared(path: str, text: str, problems: Problems) -> Source:
    """Return the source of `text`: characters that YAML forbids are noted and blanked.

    Signs that YAML would misread are shielded.
    """
    source = Source(path, text)
    for found in islice(_UNPRINTABLE.finditer(text), SHOWN_SIGNS):
        message = say("a control character (code {code}) stands here", code=ord(found[0]))
        problems.error(source.locate(found.start()), "file", message, say("delete it"))
    source.text = _UNPRINTABLE.sub("?", text)
    source.text = _INCLUDE.sub(lambda section: _UNQUOTED_STAR.sub(_SHIELDS["*"], section[0]), source.text)
    source.text = _UNQUOTED_RANGE.sub(lambda found: found[0].translate(_SHIELDED), source.text)
    return source


def unshielded(text: str) -> str:
    """Return `text` with the signs that were shielded from YAML."""
    return text.translate(_UNSHIELDED)


def mended(source: Source, error: yaml.MarkedYAMLError, problems: Problems) -> bool:
    """Note what the parser stumbled over; return whether it was mended, so that reading may start again."""
    mark = error.problem_mark or error.context_mark
    index = mark.index if mark is not None else 0
    for mend in (_mend_tab, _mend_drive, _mend_escape):
        if mend(source, error, index, problems):
            return True
    message, hint = _explained(source, error, index)
    problems.error(source.locate(index), "file", message, hint)
    return False


def _mend_tab(source: Source, error: yaml.MarkedYAMLError, index: int, problems: Problems) -> bool:
    start = max((found.end() for found in _BREAK.finditer(source.text, 0, index)), default=0)
    indent = re.compile(r"[ \t]*").match(source.text, start)
    if indent is None or "\t" not in indent[0]:
        return False
    at = source.locate(start + indent[0].index("\t"))
    problems.error(at, "file", say("a tab stands in the indentation"), say("write blanks; YAML allows no tab here"))
    width = indent[0].count("\t") * (TAB_WIDTH - 1)
    source.widened[at.line - 1] = source.widened.get(at.line - 1, 0) + width
    source.replace(indent.start(), indent.end(), indent[0].replace("\t", " " * TAB_WIDTH))
    return True


def _mend_drive(source: Source, error: yaml.MarkedYAMLError, index: int, problems: Problems) -> bool:
    found = next((each for each in _DRIVE.finditer(source.text, 0, index) if not _commented(source.text, each)), None)
    if found is None:
        return False
    written = found[0]
    message = say("a backslash in double quotes starts an escape: {written} does not end here", written=written)
    better = f"'{written[1:-1]}'"
    problems.error(source.locate(found.start()), "file", message, say("write {better}", better=better))
    source.replace(found.start(), found.end(), better)
    return True


def _commented(text: str, found: re.Match[str]) -> bool:
    start = max((each.end() for each in _BREAK.finditer(text, 0, found.start())), default=0)
    return re.search(r"(?:^|\s)#", text[start : found.start()]) is not None


def _mend_escape(source: Source, error: yaml.MarkedYAMLError, index: int, problems: Problems) -> bool:
    if "escape" not in (error.problem or "") and "hexdecimal" not in (error.problem or ""):
        return False
    at = source.text.rfind("\\", 0, index + 1)
    if at < 0:
        return False
    note_escape(source.locate(at), source.text[at : at + 2], "file", problems)
    source.replace(at, at + 1, "/")
    return True


def note_escape(at: Place, escape: str, where: str, problems: Problems) -> None:
    """Note that the backslash of a Windows path was taken for an escape."""
    message = say("in double quotes {escape} is an escape, not a backslash", escape=escape)
    problems.error(at, where, message, say("write the path in single quotes"))


_REASONS = {
    "mapping values are not allowed": (
        say("a second colon makes no sense here"),
        say("put a value that holds “: ” in quotes, or mend the indentation of this line"),
    ),
    "found character that cannot start any token": (
        say("a value cannot start with this character"),
        say("put the value in quotes"),
    ),
    "did not find expected alphabetic": (
        say("a value cannot start with this character"),
        say("put the value in quotes"),
    ),
    "found unexpected end of stream": (say("a quote that was opened is never closed"), NOTHING),
    "did not find expected ','": (say("a comma or a closing bracket is missing before this"), NOTHING),
    "did not find expected node content": (say("a value or a closing bracket is missing before this"), NOTHING),
    "did not find expected key": (
        say("a key and its colon are expected here"),
        say("the indentation of this line, or a quote before it, is wrong"),
    ),
}
"""How libyaml's words begin -> what they mean to a person, and what to do; else where the trouble began."""


def _explained(source: Source, error: yaml.MarkedYAMLError, index: int) -> tuple[Text, Text]:
    began, mark = error.context_mark, error.problem_mark
    opened = NOTHING
    if began is not None and mark is not None and began.line < mark.line:
        opened = say("it began on line {line}", line=began.line + 1)
    for start, (message, hint) in _REASONS.items():
        if (error.problem or "").startswith(start):
            return message, hint or opened
    why = error.problem or error.context or str(error)
    message = say("the YAML cannot be read from here on: {why}", why=why)
    return message, opened or say("a quote, a bracket or the indentation before this is wrong")
