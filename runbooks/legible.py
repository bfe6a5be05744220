"""What a step says of its work, made harmless before it is journaled: from there it goes to terminals, mails, reviews.

Steps clean what hosts say where they read it. But the journal must take every outcome: one that it refused, for half a
character in it, would leave an action that was carried out without one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import islice
from typing import Any

from monitor.core.text import Text, verbatim
from monitor.core.verdict import Severity, Verdict
from probes.cleaning import cleaned, one_line
from probes.ssh_output import printable

MOST_OUTPUT = 4000
"""Characters of what a target said that are kept in the journal: the last ones."""
MOST_VALUES = 1000
"""Of one table or list of figures."""
DEEPEST = 8
"""Tables inside one another."""


def legible_text(text: Text) -> Text:
    """Return `text` fit to be shown; one that cannot be filled in becomes its own template."""
    try:
        return cleaned(Verdict(Severity.OK, text)).summary
    except Exception:
        return verbatim(one_line(text.template))


def legible_output(output: str) -> str:
    """Return the last lines of `output`, printable."""
    return printable(output[-MOST_OUTPUT:])


def legible_data(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return figures as JSON has them, their words fit to be shown; what is no number of JSON becomes None."""
    return {one_line(name): _value(value, DEEPEST) for name, value in islice(data.items(), MOST_VALUES)}


def _value(value: Any, depth: int) -> Any:
    match value:
        case None | bool() | int():
            return value
        case float():
            return value if math.isfinite(value) else None
        case Mapping() if depth:
            return {one_line(name): _value(each, depth - 1) for name, each in islice(value.items(), MOST_VALUES)}
        case list() | tuple() if depth:
            return [_value(each, depth - 1) for each in value[:MOST_VALUES]]
        case _:
            return one_line(value)
