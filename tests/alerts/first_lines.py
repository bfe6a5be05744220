"""The contract's rule of the first three lines: what happened, the impact, when the next message comes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html.parser import HTMLParser

from alerts.notice import Step
from alerts.service_words import service_line
from alerts.wording import wording
from tests.alerts.told import Told

IMPACT = {"en": "Impact: ", "fr": "Impact : "}
FOLLOWING = {"en": re.compile(r"Next (message|update)\b.*: \S"), "fr": re.compile(r"Prochain (message|point)\b.* : \S")}
"""How the sentences about the impact and about the next message begin."""


def broken(told: Told, lines: Sequence[str]) -> list[str]:
    """Return what is wrong with the first three of `lines`, as one reads them; nothing when they say what they must."""
    first, second, third = [*(_plain(line) for line in lines), "", "", ""][:3]
    language = told.context.speech.language
    view = "" if told.planned.key.step is Step.TEST else _plain(service_line(told.context.outlook, told.context.speech))
    impact = first.removeprefix(f"{view} ") if view else second
    what = second if view else first
    wrong = []
    if view and impact == first:
        wrong.append("the first line does not begin with what the services are able to do")
    if not impact.startswith(IMPACT[language]) or not impact.endswith("."):
        wrong.append(f"no impact: {impact!r}")
    if not any(word in what for word in _what_it_is(told)):
        wrong.append(f"not what happened: {what!r}")
    if not FOLLOWING[language].match(third) or not third.endswith("."):
        wrong.append(f"not when the next one comes: {third!r}")
    promised = told.context.next_at
    if promised is not None and told.incident.open and told.planned.key.step is not Step.TEST:
        clock = told.context.day_and_clock(promised)
        if _plain(clock) not in third:
            wrong.append(f"not that the next one comes at {clock}: {third!r}")
    return wrong


def _what_it_is(told: Told) -> list[str]:
    """Words of which the sentence about what happened must hold some: the incident's name, or what a run has to say."""
    context = told.context
    if told.planned.key.step is Step.TEST:
        return ["Relève"]
    title = context.title or context.t(wording(told.incident.kind).title)
    said = [context.line(call.text) for call in told.incident.calls]
    return [_plain(words) for words in (title, *said)]


def _plain(text: str) -> str:
    """In one line, with common spaces in the place of those at which no line may break."""
    return " ".join(text.split())


class _Shown(HTMLParser):
    """The text of a page, one line a block."""

    BLOCKS = frozenset({"p", "td", "tr", "table", "div", "body"})

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = [""]
        self._unseen = False

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self._unseen = self._unseen or tag == "head"
        if tag in self.BLOCKS:
            self.lines.append("")

    def handle_endtag(self, tag: str) -> None:
        self._unseen = self._unseen and tag != "head"
        if tag in self.BLOCKS:
            self.lines.append("")

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.lines[-1] += data


def shown(html: str) -> list[str]:
    """Return the lines of text of an HTML message, without looking at how they are styled."""
    page = _Shown()
    page.feed(html)
    page.close()
    return [" ".join(re.split(r"[ \n\t]+", line)).strip() for line in page.lines if line.strip()]
