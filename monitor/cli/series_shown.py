"""What a check measured, for people: in a line each, as CSV, as a curve. Times are the site's."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from rich.table import Table

from monitor.cli.shown import at_site, moment, unbroken
from monitor.core.text import N_, Quantity
from monitor.reports import spreadsheet

if TYPE_CHECKING:
    from monitor.core.text import Speech

PLOT_CELLS = (78, 18)
TICKS = (5, 6)
"""Labels of a curve below and beside it."""


def as_csv(series: list[dict[str, Any]], words: Speech) -> str:
    """Return series as CSV; in French with `;`, decimal commas and a BOM, so that Excel opens it."""
    head = (N_("time"), N_("metric"), N_("value"), N_("unit"))
    rows = (
        (_moment(iso), str(one["metric"]), float(value), str(one["unit"]))
        for one in series
        for iso, value in one["samples"]
    )
    return spreadsheet.as_csv((words.translate(title) for title in head), rows, words)


def series_table(series: list[dict[str, Any]], words: Speech, now: datetime) -> Table:
    """Return each series in one line: how many samples, least, mean, most, last."""
    table = Table(box=None, pad_edge=False)
    for title in (N_("Metric"), N_("Samples"), N_("Least"), N_("Mean"), N_("Most"), N_("Last"), N_("At")):
        table.add_column(words.translate(title), justify="left" if title == "Metric" else "right")
    for one in series:
        values = [value for _at, value in one["samples"]]
        if values:
            figures = (min(values), sum(values) / len(values), max(values), values[-1])
            shown = [unbroken(words.quantity(Quantity(figure, one["unit"], 2))) for figure in figures]
            last = unbroken(at_site(one["samples"][-1][0], words, now))
            table.add_row(one["metric"], str(len(values)), *shown, last)
    return table


def as_plot(series: list[dict[str, Any]], words: Speech) -> str:
    """Return each series as a curve in characters."""
    return "\n".join(_curve(one, words) for one in series if one["samples"])


def _curve(one: dict[str, Any], words: Speech) -> str:
    import plotext

    times, values = [_moment(iso) for iso, _value in one["samples"]], [value for _at, value in one["samples"]]
    seconds = [(at - times[0]).total_seconds() for at in times]
    figure = plotext.figure
    figure.clear()
    figure.theme("colorless")
    figure.plot_size(*PLOT_CELLS)
    first, last = words.date(times[0]), words.date(times[-1])
    figure.title(f"{one['metric']}  {first}" + ("" if first == last else f" - {last}"))
    ticks = _spread(0.0, seconds[-1], TICKS[0])
    figure.ruler("x", "lower").ticks(
        ticks, [_tick(times[0] + timedelta(seconds=at), seconds[-1], words) for at in ticks]
    )
    ticks = _spread(min(values), max(values), TICKS[1])
    figure.ruler("y", "left").ticks(ticks, [words.quantity(Quantity(value, one["unit"], 2)) for value in ticks])
    signal = figure.signal(seconds, values, marker="braille")
    signal.lines()
    figure.draw(signal)
    return str(figure.build())


def _spread(low: float, high: float, count: int) -> list[float]:
    return [low] if low == high else [low + (high - low) * step / (count - 1) for step in range(count)]


def _tick(at: datetime, span: float, words: Speech) -> str:
    """The time of day; over more than two days the day as well."""
    clock = at.astimezone(words.zone).strftime("%H:%M:%S") if span < 300 else words.clock(at)
    return f"{words.date(at)[:5] if words.language == 'fr' else words.date(at)[5:]} {clock}" if span > 172800 else clock


def _moment(iso: str) -> datetime:
    at = moment(iso)
    assert at is not None
    return at
