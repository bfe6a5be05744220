"""How the command line shows incidents, the site and series to people: colour is also a word, times are the site's."""

from __future__ import annotations

import csv
import io
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text as Styled

from monitor.core.text import N_, Quantity, Speech, say

if TYPE_CHECKING:
    from rich.console import Console

SEVERITY = {
    "ok": (N_("OK"), "green"),
    "warning": (N_("WARNING"), "yellow"),
    "unknown": (N_("UNKNOWN"), "magenta"),
    "critical": (N_("CRITICAL"), "bold red"),
}
STATUS = {"open": N_("open"), "acknowledged": N_("acknowledged"), "resolved": N_("resolved")}
NOTICE_STATE = {
    "pending": (N_("waiting"), "yellow"),
    "sending": (N_("being sent"), "yellow"),
    "sent": (N_("sent"), "green"),
    "dead": (N_("refused"), "bold red"),
    "skipped": (N_("missed"), "bold red"),
}
STEP = {
    "first_notice": N_("first notice"),
    "worsened": N_("worsened"),
    "disrupted": N_("service interrupted"),
    "update": N_("update"),
    "resolved": N_("resolved notice"),
    "test": N_("test"),
}
MOST_COMMANDS = 3
PLOT_CELLS = (100, 20)


def moment(iso: str | None) -> datetime | None:
    """Return the moment that the API wrote."""
    return None if iso is None else datetime.fromisoformat(iso.replace("Z", "+00:00"))


def severity(word: str | None, words: Speech) -> Styled:
    """Return a severity as a coloured word."""
    text, style = SEVERITY.get(word or "", (N_("not seen yet"), "dim"))
    return Styled(words.translate(text), style=style)


def at_site(iso: str | None, words: Speech) -> str:
    """Return day and time at the site; empty for no moment."""
    at = moment(iso)
    return "" if at is None else f"{words.date(at)} {words.clock(at)}"


def incident_table(found: list[dict[str, Any]], words: Speech) -> Table:
    """Return incidents as a table, newest first."""
    say_ = words.translate
    table = Table(box=None, pad_edge=False)
    for title in (N_("Incident"), N_("State"), N_("Severity"), N_("Began"), N_("Duration"), N_("What")):
        table.add_column(say_(title))
    for one in found:
        table.add_row(
            one["id"],
            say_(STATUS[one["status"]]),
            severity(one["severity"], words),
            at_site(one["began_at"], words),
            _duration(one, words),
            f"{one['root_cause'] or ''} {one['title']}".strip(),
        )
    return table


def _duration(one: dict[str, Any], words: Speech) -> str:
    began, ended = moment(one["began_at"]), moment(one["resolved_at"])
    return words.duration(ended - began) if began is not None and ended is not None else ""


def incident_page(out: Console, one: dict[str, Any], words: Speech) -> None:
    """Print one incident: what, timeline, who was told, and what to do."""
    say_ = words.translate
    head = Styled.assemble(one["id"], "  ", severity(one["severity"], words), "  ", say_(STATUS[one["status"]]))
    out.print(head)
    out.print(one["title"])
    facts = (
        (N_("Kind"), one["kind"]),
        (N_("Root cause"), one["root_cause"] or say_(N_("opened by hand"))),
        (N_("Cause"), one["cause"] or say_(N_("not documented"))),
        (N_("Began"), at_site(one["began_at"], words)),
        (N_("Confirmed"), at_site(one["opened_at"], words)),
        (N_("Acknowledged"), at_site(one["acknowledged_at"], words)),
        (N_("Resolved"), at_site(one["resolved_at"], words)),
        (N_("Checks it explains"), ", ".join(one["suppressed"])),
    )
    grid = Table.grid(padding=(0, 2))
    for name, value in facts:
        if value:
            grid.add_row(say_(name), value)
    out.print(grid)
    out.print()
    out.print(_timeline(one, words))
    out.print()
    out.print(_notices(one, words))
    print_what_to_do(out, commands_for([one]), words)


def _timeline(one: dict[str, Any], words: Speech) -> Table:
    table = Table(box=None, pad_edge=False)
    for title in (N_("Time"), N_("Who"), N_("What")):
        table.add_column(words.translate(title))
    for line in one["timeline"]:
        what = f"{line['data']['check']}: {line['text']}" if line["data"].get("check") else line["text"]
        table.add_row(_seconds(line["at"], words), line["actor"], what)
    return table


def _notices(one: dict[str, Any], words: Speech) -> Table:
    say_ = words.translate
    table = Table(box=None, pad_edge=False)
    for title in (N_("Message"), N_("To"), N_("Due"), N_("Left"), N_("State"), N_("The server said")):
        table.add_column(say_(title))
    for notice in one["notices"]:
        text, style = NOTICE_STATE[notice["state"]]
        table.add_row(
            say_(STEP[notice["step"]]),
            f"{notice['recipient']} ({notice['channel']})",
            _seconds(notice["due_at"], words),
            _seconds(notice["sent_at"], words),
            Styled(say_(text), style=style),
            notice["answer"],
        )
    return table


def _seconds(iso: str | None, words: Speech) -> str:
    at = moment(iso)
    return "" if at is None else at.astimezone(words.zone).strftime("%H:%M:%S")


def status_page(out: Console, now: dict[str, Any], words: Speech) -> None:
    """Print the site: its state in one word, open incidents with who is told next, the checks that are not OK."""
    at = moment(now["at"])
    assert at is not None
    head = words.render(say("{site}, {at} site time", site=now["site"], at=at))
    out.print(Styled.assemble(head, "  ", severity(now["severity"], words)))
    if now["daemon"] is None:
        out.print(words.render(say("No daemon runs: this is what the last one knew. `releve run` starts one.")))
    elif now["daemon"]["journal"]:
        out.print(Styled(now["daemon"]["journal"], style="bold red"))
    if now["incidents"]:
        out.print()
        out.print(incident_table(now["incidents"], words))
        for one in now["incidents"]:
            out.print(_told_next(one, words))
    out.print()
    out.print(_check_table(now["checks"], words))
    print_what_to_do(out, commands_for(now["incidents"], daemon=now["daemon"] is not None), words)


def _told_next(one: dict[str, Any], words: Speech) -> str:
    at = moment(one["next_update_at"])
    if at is None:
        return words.render(say("{id}: the client is not told (the service is not interrupted)", id=one["id"]))
    to = ", ".join(one["next_update_to"])
    return words.render(say("{id}: next update to {to} at {at}", id=one["id"], to=to, at=at))


def _check_table(checks: list[dict[str, Any]], words: Speech) -> Table:
    say_ = words.translate
    table = Table(box=None, pad_edge=False)
    for title in (N_("Check"), N_("State"), N_("Since"), N_("What it says")):
        table.add_column(say_(title))
    order = {"critical": 0, "unknown": 1, "warning": 2, None: 3, "ok": 4}
    for one in sorted(checks, key=lambda one: (order[one["severity"]], one["check"])):
        soft = one["phase"] == "soft"
        state = severity(one["latest"] if soft else one["severity"], words)
        if soft:
            state.append(" " + say_(N_("(to be confirmed)")))
        since = "" if one["severity"] in (None, "ok") else at_site(one["since"], words)
        table.add_row(one["check"], state, since, one["summary"] or "")
    return table


def commands_for(incidents: list[dict[str, Any]], *, daemon: bool = True) -> list[str]:
    """Return at most three complete commands that a person should think of now."""
    commands: list[str] = [] if daemon else ["releve run"]
    for one in incidents:
        if one["status"] == "open":
            commands.append(f"releve incident ack {one['id']}")
        if one["status"] != "resolved":
            commands.append(f"releve incident show {one['id']}")
            if not one["cause"]:
                commands.append(f'releve incident cause {one["id"]} "..."')
    return commands[:MOST_COMMANDS]


def print_what_to_do(out: Console, commands: list[str], words: Speech) -> None:
    """Print the end of every page that people read at night."""
    out.print()
    if not commands:
        out.print(words.render(say("To do: nothing.")))
        return
    out.print(words.render(say("To do:")))
    for command in commands:
        out.print(f"  {command}")


def as_csv(series: list[dict[str, Any]], words: Speech) -> str:
    """Return series as CSV; in French with `;`, decimal commas and a BOM, so that Excel opens it."""
    french = words.language == "fr"
    text = io.StringIO()
    writer = csv.writer(text, delimiter=";" if french else ",", lineterminator="\r\n")
    writer.writerow(
        [
            words.translate(N_("time")),
            words.translate(N_("metric")),
            words.translate(N_("value")),
            words.translate(N_("unit")),
        ]
    )
    for one in series:
        for iso, value in one["samples"]:
            at = moment(iso)
            assert at is not None
            local = at.astimezone(words.zone).strftime("%d/%m/%Y %H:%M:%S" if french else "%Y-%m-%dT%H:%M:%S%z")
            number = f"{value:.10g}"
            writer.writerow([local, one["metric"], number.replace(".", ",") if french else number, one["unit"]])
    return ("\ufeff" if french else "") + text.getvalue()


def series_table(series: list[dict[str, Any]], words: Speech) -> Table:
    """Return each series in one line: how many samples, least, mean, most, last."""
    table = Table(box=None, pad_edge=False)
    for title in (N_("Metric"), N_("Samples"), N_("Least"), N_("Mean"), N_("Most"), N_("Last"), N_("At")):
        table.add_column(words.translate(title), justify="left" if title == "Metric" else "right")
    for one in series:
        values = [value for _at, value in one["samples"]]
        if values:
            figures = (min(values), sum(values) / len(values), max(values), values[-1])
            shown = [words.quantity(Quantity(figure, one["unit"], 2)) for figure in figures]
            last = at_site(one["samples"][-1][0], words)
            table.add_row(one["metric"], str(len(values)), *shown, last)
    return table


def as_plot(series: list[dict[str, Any]], words: Speech) -> str:
    """Return each series as a curve in characters."""
    return "\n".join(_curve(one, words) for one in series if one["samples"])


def _curve(one: dict[str, Any], words: Speech) -> str:
    import plotext

    times = [datetime.fromisoformat(iso.replace("Z", "+00:00")) for iso, _value in one["samples"]]
    hours = [(at - times[0]) / timedelta(hours=1) for at in times]
    figure = plotext.figure
    figure.clear()
    figure.theme("colorless")
    figure.plot_size(*PLOT_CELLS)
    figure.title(f"{one['metric']} ({one['unit']})")
    figure.label(words.render(say("hours since {at}", at=times[0])))
    figure.draw(figure.signal(hours, [value for _at, value in one["samples"]], marker="braille"))
    return str(figure.build())
