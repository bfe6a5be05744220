"""Plots drawn as SVG. Imported only by the process that renders: matplotlib takes a third of a second to import."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.figure import Figure

from monitor.reports.plot import Mark, Panel, Plot

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH, PANEL, HEAD, FOOT = 6.7, 1.0, 0.5, 0.5
"""Inches: the width of an A4 page between its margins, the height of one panel, what stands above and below them."""
LETTERS = 11
"""Points from one line of letters to the next."""
POINTS = 72
"""Of an inch."""
INK, SHADE, FAINT = "#1a1a1a", "#d9d9d9", "#8c8c8c"
"""Greys, so that a copier loses nothing."""
STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 7.5,
    "text.parse_math": False,  # a check may be called $x$
    "svg.fonttype": "path",  # the drawing looks the same where the font is not installed
    "svg.hashsalt": "releve",  # and comes out the same twice
    "axes.edgecolor": FAINT,
    "axes.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}
_COMMENT = re.compile(rb"<!--.*?-->", re.DOTALL)


def draw(plot: Plot) -> bytes:
    """Return `plot` as an SVG document. Without panels it has an axis of time and nothing else."""
    count = max(1, len(plot.panels))
    head = HEAD + max((mark.level for mark in plot.marks), default=0) * LETTERS / POINTS
    height = head + FOOT + count * PANEL
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, height))
        rows = figure.subplots(count, 1, sharex=True, squeeze=False)[:, 0]
        figure.subplots_adjust(
            left=0.115, right=0.985, bottom=FOOT / height, top=1 - head / height, hspace=0.3 if count > 1 else 0
        )
        for axes, panel in zip(rows, plot.panels, strict=False):
            _panel(axes, panel, plot)
        _time(rows[-1], plot)
        for mark in plot.marks:
            _letter(rows[0], mark, plot)
        out = io.BytesIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    # In comments the labels stand as they are; nothing that a device said belongs where it could be read as markup.
    return _COMMENT.sub(b"", out.getvalue())


def _panel(axes: Axes, panel: Panel, plot: Plot) -> None:
    axes.set_title(panel.title, loc="left", fontsize=7.5, pad=3)
    axes.axvspan(*plot.shaded, color=SHADE, linewidth=0, zorder=0)
    for limit in panel.limits:
        axes.axhline(limit.value, color=INK, linewidth=0.8, linestyle=":" if limit.severe else "--", zorder=1)
        axes.annotate(
            limit.label,
            (1, limit.value),
            xycoords=("axes fraction", "data"),
            xytext=(-2, 1.5),
            textcoords="offset points",
            ha="right",
            va="bottom",
            fontsize=6.5,
        )
    for run in panel.runs:
        times, values = [at for at, _ in run], [value for _, value in run]
        axes.plot(times, values, color=INK, linewidth=1.2, marker="." if len(run) == 1 else "", zorder=3)
    for mark in plot.marks:
        axes.axvline(mark.at, color=INK, linewidth=0.5, zorder=2)
    axes.set_ylim(panel.low, panel.high)
    axes.set_yticks([tick.at for tick in panel.ticks], [tick.label for tick in panel.ticks])
    axes.tick_params(length=2, width=0.6)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _time(axes: Axes, plot: Plot) -> None:
    axes.set_xlim(0, plot.span)
    axes.set_xticks([tick.at for tick in plot.ticks], [tick.label for tick in plot.ticks])
    axes.set_xlabel(plot.axis, fontsize=7.5, labelpad=3)


def _letter(axes: Axes, mark: Mark, plot: Plot) -> None:
    """The letter of a moment, above the title of the first panel; a level is one line of letters (points)."""
    axes.annotate(
        mark.letter,
        (mark.at, 1),
        xycoords=("data", "axes fraction"),
        xytext=(0, 13 + LETTERS * mark.level),
        textcoords="offset points",
        ha="center",
        va="bottom",
        fontsize=7,
        fontweight="bold",
        backgroundcolor="white",
        bbox={"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": INK, "linewidth": 0.5},
    )
