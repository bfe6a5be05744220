"""How a demonstration is told: one line for each thing that happens, as it happens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from rich.panel import Panel
from rich.table import Table
from rich.text import Text as Styled

from alerts.language import translation
from monitor.cli.shown import moment, unbroken
from monitor.core.text import LANGUAGES, N_, Quantity, Speech, Text, say

if TYPE_CHECKING:
    from rich.console import Console
    from rich.status import Status

SITE, RELEVE, MAIL, SMS, PERSON = N_("site"), "Relève", N_("mail"), "SMS", N_("person")
STYLE = {SITE: "bold yellow", RELEVE: "cyan", MAIL: "green", SMS: "magenta", PERSON: "bold white"}
MAIL_LINES = 4
"""Lines of a message that are shown: what, impact, next message, and the first of the facts."""
WAY = N_("From:")
"""The first fact of a move. By itself it reads as the sender, so the line that says where to follows it."""
EVENT = {
    "opened": N_("incident {id} is opened"),
    "reopened": N_("incident {id} is opened again"),
    "disrupted": N_("the client's service is interrupted"),
    "covered": N_("{check} fails because of it: not told by itself"),
    "uncovered": N_("{check} is verified"),
    "recovered": N_("the cause is gone; what lay behind it is being verified"),
    "relapsed": N_("it is back"),
    "resolved": N_("incident {id} is resolved"),
    "severity": N_("its severity changes"),
}
"""What Relève says of an event; for those that are not here, the event's own text."""
SPEAKING = frozenset({"opened", "reopened", "recovered", "relapsed", "severity"})
"""Events whose own text adds something."""
EVENT_STYLE = {
    "opened": "bold red",
    "reopened": "bold red",
    "disrupted": "bold red",
    "repair": "bold cyan",
    "repair_ended": "bold cyan",
    "called": "bold red",
    "resolved": "bold green",
}


class Teller:
    """Tells on `out`: on a terminal with colour and a line that shows the present state, else in plain lines."""

    def __init__(self, out: Console, words: Speech) -> None:
        self.out, self.words = out, words
        self._zero: datetime | None = None
        self._status: Status | None = None

    def __enter__(self) -> Self:
        if self.out.is_terminal:
            self._status = self.out.status("")
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None

    def state(self, text: Text, more: str = "") -> None:
        """Show how things stand, and what more there is to say, on a terminal only."""
        if self._status is not None:
            parts = [part for part in (self.words.render(text), more) if part]
            self._status.update(Styled(" · ".join(parts), no_wrap=True, overflow="ellipsis"))

    def start(self, zero: datetime) -> None:
        """From here on, lines say how long after `zero` they happened."""
        self._zero = zero

    def heading(self, text: Text) -> None:
        """Begin a part of the story."""
        self.out.print()
        self.out.print(Styled(self.words.render(text), style="bold"))

    def differences(self, found: Iterable[tuple[str, str, str]]) -> None:
        """Say in what the copy of the inventory differs."""
        for path, before, after in found:
            self.out.print(Styled(f"  {path}: {before} -> {after}", style="dim"))

    def line(self, at: datetime, who: str, text: Text | str, style: str = "") -> None:
        """Say what happened `at`."""
        said = text if isinstance(text, str) else self.words.render(text)
        if not self.out.is_terminal:
            self.out.print(Styled.assemble(self._margin(at, who), said))
            return
        row = Table.grid()
        row.add_column(no_wrap=True)
        row.add_row(self._margin(at, who), unbroken(said, style))
        self.out.print(row)

    def event(self, incident: str, event: dict[str, Any]) -> None:
        """Say one line of an incident's timeline."""
        at = moment(event["at"])
        if at is None:
            return
        check = event["data"].get("check") or ""
        template = EVENT.get(event["kind"])
        if template is None:
            said = event["text"]
        else:
            said = self.words.render(Text(template, (("id", incident), ("check", check))))
            if event["kind"] in SPEAKING:
                detail = f"{check}, {event['text']}" if check else event["text"]
                said = self.words.render(say("{what}: {detail}", what=said, detail=detail))
        self.line(at, RELEVE, said, EVENT_STYLE.get(event["kind"], ""))

    def message(self, at: datetime, channel: str, to: str, subject: str, text: str) -> None:
        """Show a message as it arrived."""
        who = MAIL if channel == "mail" else SMS
        head = say("{what}: {detail}", what=f"→ {to}", detail=subject) if subject else f"→ {to}"
        self.line(at, who, head, STYLE[who])
        lines = first_lines(text)
        if self.out.is_terminal:
            self.out.print(Panel(unbroken("\n".join(lines)), border_style=STYLE[who], padding=(0, 1)))
            return
        for line in lines:
            self.out.print(f"    {line}")

    def _margin(self, at: datetime, who: str) -> Styled:
        clock = at.astimezone(self.words.zone).strftime("%H:%M:%S")
        after = ""
        if self._zero is not None:
            span = (at - self._zero).total_seconds()
            after = f"+{self.words.quantity(Quantity(max(0.0, span), 's'))}"
        width = max(len(self.words.translate(name)) for name in STYLE)
        name = self.words.translate(who)
        return Styled.assemble((f"{clock} {after:>10}  ", "dim"), (f"{name:<{width}}", STYLE[who]), " ")


def first_lines(text: str) -> list[str]:
    """Return the lines of a message that are shown, whatever language its reader speaks."""
    lines = [line for line in text.splitlines() if line.strip()]
    shown, way = lines[:MAIL_LINES], tuple(translation(language)(WAY) for language in LANGUAGES)
    return lines[: MAIL_LINES + 1] if shown and shown[-1].startswith(way) else shown


def progress(runs: Iterable[Mapping[str, Any]], words: Speech) -> str:
    """Return how far the runs that go on are, empty when there is none or nothing is known of it."""
    return "; ".join(_far(run["title"], run["progress"], words) for run in runs if run.get("progress"))


def _far(title: str, how: Mapping[str, Any], words: Speech) -> str:
    done, total = how["done"], how["total"]
    share = Quantity(min(100.0, 100 * done / total), "%", 0) if total else Quantity(done, how["unit"])
    return words.render(say("{what}: {detail}", what=f"{title}, {how['text']}", detail=share))


def verdict(
    incident: str,
    spans: Mapping[str, float],
    done: Iterable[Text],
    problems: Iterable[str],
    words: Speech,
    *,
    client: bool,
) -> list[str]:
    """Return the last lines of a story: how long each step took (seconds after the fault), and what went wrong.

    `done`: what was done at the site. `client`: whether it was the client who had to be told, or operations alone.
    """
    names = {
        "detected_at": say("confirmed"),
        "first_notice_at": say("client told") if client else say("operations told"),
        "repaired_at": say("repaired"),
        "resolved_at": say("resolved"),
    }
    lines = [
        "  " + words.render(say("{what}: {detail}", what=text, detail=f"+{words.quantity(Quantity(span, 's'))}"))
        for name, text in names.items()
        if (span := spans.get(name)) is not None
    ]
    lines += [f"  {words.render(text)}" for text in done]
    found = list(problems)
    if not found:
        end = say(
            "One incident ({id}), and everybody was told what concerns them: the servers outside say so.", id=incident
        )
        return [*lines, words.render(end)]
    return [*lines, words.render(say("It did not go as it should:")), *(f"  - {problem}" for problem in found)]
