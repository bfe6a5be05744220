"""How a problem of the inventory is shown: one line that editors follow, or JSON."""

from __future__ import annotations

from typing import Any

from monitor.core.text import N_, Speech
from monitor.inventory.problems import Level, Problem


def problem_json(problem: Problem, words: Speech) -> dict[str, Any]:
    """Return a problem as `validate --json` lists it."""
    return {
        "path": problem.path,
        "line": problem.line,
        "column": problem.column,
        "where": problem.where,
        "message": words.render(problem.message),
        "hint": words.render(problem.hint) if problem.hint else "",
        "level": problem.level.value,
    }


def problem_line(problem: dict[str, Any], words: Speech | None = None) -> str:
    """Return a problem, given as JSON, as `FILE:LINE:COL: where: message (hint)`.

    With `words`, a warning ends with that word: among errors nothing else would tell it from them.
    """
    hint = f" ({problem['hint']})" if problem["hint"] else ""
    level = ""
    if words is not None and problem["level"] == Level.WARNING.value:
        word = words.translate(N_("warning"))
        level = f" [{word}]"
    place = f"{problem['path']}:{problem['line']}:{problem['column']}"
    return f"{place}: {problem['where']}: {problem['message']}{hint}{level}"
