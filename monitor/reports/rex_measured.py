"""What was measured around the incident: a drawing, and the same in figures for who cannot see it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from monitor.core.text import Text, say
from monitor.core.thresholds import Range
from monitor.reports.document import Block, Figure, Section, Table, Words
from monitor.reports.material import Curve, Relation
from monitor.reports.metrics import metric_label
from monitor.reports.milestones import milestones
from monitor.reports.pen import Pen
from monitor.reports.plot import Limit, Panel, Plot, bounds, levels, runs_of, time_ticks, value_ticks

MOST_PANELS = 4
"""Series drawn above one another: half a page."""
MOST_ROWS = 14
SHORTEST = timedelta(minutes=1)
"""Width of a drawing at least."""
RELATIONS = {
    Relation.ROOT: say("root cause"),
    Relation.COVERED: say("failed because of it"),
    Relation.NEIGHBOUR: say("same device"),
}


def measured(pen: Pen) -> Section:
    """Return the drawing and the table; where nothing was measured, that."""
    title = pen.t(say("Measurements around the incident"))
    curves = [curve for curve in pen.material.curves if curve.samples]
    if pen.material.unmeasured:
        text = say("The measurements cannot be read: {why}", why=pen.material.unmeasured)
        return Section("measurements", title, (pen.paragraph(text),))
    if not curves:
        text = say("No measurement of this time is on record.")
        return Section("measurements", title, (pen.paragraph(text),))
    blocks: list[Block] = [_figure(pen, drawn(curves)), _table(pen, curves)]
    return Section("measurements", title, tuple(blocks))


def drawn(curves: Iterable[Curve]) -> list[Curve]:
    """Return the curves to draw: those of the root cause first, and of the others those that moved."""
    listed = list(curves)
    own = [curve for curve in listed if curve.relation is Relation.ROOT]
    moving = [curve for curve in own if _moves(curve)] or own[:1]
    others = [curve for curve in listed if curve.relation is not Relation.ROOT and _moves(curve)]
    most_own = MOST_PANELS - min(len(others), MOST_PANELS // 2)
    return [*moving[:most_own], *others][:MOST_PANELS]


def _moves(curve: Curve) -> bool:
    values = [value for _at, value in curve.samples]
    return max(values) > min(values)


def _figure(pen: Pen, curves: list[Curve]) -> Figure:
    start, end = _window(pen, curves)
    at, title = (
        milestones(pen.material),
        pen.t(say("Measurements from {start} to {end}", start=pen.at(start), end=pen.at(end))),
    )
    moments = (
        (at.began, say("began")),
        (at.detected, say("confirmed")),
        (at.repair_started, say("repair started")),
        (at.repaired, say("repaired")),
        (at.resolved, say("resolved")),
    )
    known = sorted(((moment, label) for moment, label in moments if moment is not None), key=lambda one: one[0])
    shown = [(moment, label) for moment, label in known if start <= moment <= end]
    marks = levels(
        [((moment - start).total_seconds(), chr(ord("A") + n)) for n, (moment, _) in enumerate(shown)],
        (end - start).total_seconds(),
    )
    legend = ", ".join(
        f"{mark.letter}\u00a0{pen.t(label)} {pen.exact(moment).text}"
        for mark, (moment, label) in zip(marks, shown, strict=True)
    )
    shade = ((at.began - start).total_seconds(), (min(pen.material.end, end) - start).total_seconds())
    axis = pen.t(say("{zone}, {date}", zone=pen.zone, date=pen.context.speech.date(at.began)))
    plot = Plot(
        (end - start).total_seconds(),
        axis,
        time_ticks(start, end, pen.context.speech),
        (max(0.0, shade[0]), max(0.0, shade[1])),
        marks,
        tuple(_panel(pen, curve, start) for curve in curves),
    )
    note = pen.t(
        say(
            "{legend}. Grey: while the incident lasted. Dashed: the threshold of a warning; dotted: that of critical, "
            "as the inventory has them now.",
            legend=legend,
        )
    )
    if pen.material.cut:
        note += " " + pen.t(say("The incident lasted longer than what is drawn."))
    return Figure("measurements", title, _said(pen, curves), plot, note)


def _window(pen: Pen, curves: list[Curve]) -> tuple[datetime, datetime]:
    times = [at for curve in curves for at in (curve.samples[0][0], curve.samples[-1][0])]
    first, last = min(pen.material.incident.began_at, *times), max(pen.material.end, *times)
    start = max(pen.material.since or first, first)
    return start, max(min(pen.material.until or last, last), start + SHORTEST)


def _panel(pen: Pen, curve: Curve, start: datetime) -> Panel:
    values = [value for _at, value in curve.samples]
    limits = _limits(pen, curve)
    low, high = bounds(values, [limit.value for limit in limits])
    samples = [((at - start).total_seconds(), value) for at, value in curve.samples]
    title = pen.t(
        say(
            "{check}: {metric} ({relation})",
            check=pen.name(curve.check),
            metric=_metric(pen, curve.metric),
            relation=RELATIONS[curve.relation],
        )
    )
    near = tuple(limit for limit in limits if low <= limit.value <= high)
    return Panel(title, low, high, value_ticks(low, high, curve.unit, pen.context.speech), runs_of(samples), near)


def _limits(pen: Pen, curve: Curve) -> list[Limit]:
    found: list[Limit] = []
    for span, severe in ((curve.warning, False), (curve.critical, True)):
        found += [Limit(edge, pen.quantity(edge, curve.unit, 2), severe) for edge in _edges(span)]
    return found


def _edges(span: Range | None) -> list[float]:
    """The finite ends of a range; 0 as the lower one means "none" in the notation of the plugins."""
    if span is None:
        return []
    low = [span.low] if abs(span.low) != float("inf") and span.low != 0 else []
    return [*low, *([span.high] if span.high != float("inf") else [])]


def _said(pen: Pen, curves: list[Curve]) -> str:
    """The drawing in words, for who cannot see it."""
    parts = [
        pen.t(
            say(
                "{check} {metric}: {figures}",
                check=pen.name(curve.check),
                metric=_metric(pen, curve.metric),
                figures=_during(pen, curve),
            )
        )
        for curve in curves
    ]
    return pen.t(say("Curves over time. {parts}.", parts=". ".join(parts)))


def _during(pen: Pen, curve: Curve) -> Text | str:
    values = _between(curve, pen.material.incident.began_at, pen.material.end)
    if not values:
        return say("no measurement while the incident lasted")
    low, high = (pen.quantity(value, curve.unit, 2) for value in (min(values), max(values)))
    return low if low == high else say("from {low} to {high}", low=low, high=high)


def _between(curve: Curve, start: datetime, end: datetime) -> list[float]:
    return [value for at, value in curve.samples if start <= at <= end]


def _table(pen: Pen, curves: list[Curve]) -> Table:
    head = (say("Check"), say("Metric"), say("Last before"), say("During the incident"), say("Last after"))
    rows = tuple(_row(pen, curve) for curve in curves[:MOST_ROWS])
    left_out = len(curves) - MOST_ROWS
    note = pen.t(say("Series not shown: {count}.", count=left_out)) if left_out > 0 else ""
    return Table(
        pen.t(say("The measurements in figures")), tuple(pen.t(text) for text in head), rows, (5, 4, 4, 5, 4), note
    )


def _row(pen: Pen, curve: Curve) -> tuple[Words, ...]:
    before = [value for at, value in curve.samples if at < pen.material.incident.began_at]
    after = [value for at, value in curve.samples if at > pen.material.end]
    none = pen.gap(say("not measured"))
    first, last = (Words(pen.quantity(side[-1], curve.unit, 2)) if side else none for side in (before, after))
    values = _between(curve, pen.material.incident.began_at, pen.material.end)
    during = pen.w(_during(pen, curve)) if values else none
    check = pen.w(say("{check} ({relation})", check=pen.name(curve.check), relation=RELATIONS[curve.relation]))
    return check, _named(pen, curve.metric), first, during, last


def _metric(pen: Pen, name: str) -> str:
    """What people call it."""
    return pen.t(metric_label(name) or pen.name(name))


def _named(pen: Pen, name: str) -> Words:
    """The same with the name under which `releve history` has it."""
    label = metric_label(name)
    return pen.w(pen.name(name) if label is None else say("{what} ({detail})", what=label, detail=pen.name(name)))
