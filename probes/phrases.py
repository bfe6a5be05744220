"""Several findings of one observation as one sentence."""

from __future__ import annotations

from collections.abc import Sequence

from monitor.core.text import Text, say


def joined(texts: Sequence[Text]) -> Text:
    """Return `texts` one after the other, most important first: `a; b; c`. An empty one for none."""
    if not texts:
        return Text("")
    *before, last = texts
    for text in reversed(before):
        last = say("{first}; {rest}", first=text, rest=last)
    return last


def figures(texts: Sequence[Text]) -> Text:
    """Return short figures in a row: `charge 80%, load 25%`. An empty one for none."""
    if not texts:
        return Text("")
    *before, last = texts
    for text in reversed(before):
        last = say("{first}, {rest}", first=text, rest=last)
    return last
