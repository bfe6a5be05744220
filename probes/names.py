"""Names that people type and names that devices have: the nearest ones, for a message that helps."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable

SHOWN = 3
LIKENESS = 0.4
"""difflib's ratio from which a name is offered as the one that was meant."""
_APOSTROPHES = str.maketrans({"\u2019": "'", "\u02bc": "'", "`": "'", "\u00b4": "'"})


def folded(name: str) -> str:
    """Return `name` so that what people type equals what devices have: case, blanks and apostrophes do not count.

    French Windows writes apostrophes that no keyboard has.
    """
    return " ".join(unicodedata.normalize("NFKC", name.translate(_APOSTROPHES)).casefold().split())


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the names of `known` that look most like `name`, best first; the first ones when none does; or `-`."""
    by_folded = {folded(one): one for one in known if one}
    wanted = folded(name)
    inside = [one for one in by_folded if wanted and wanted in one][:SHOWN]
    near = difflib.get_close_matches(wanted, by_folded, n=SHOWN, cutoff=LIKENESS)
    offered = list(dict.fromkeys([*inside, *near]))[:SHOWN] or sorted(by_folded)[:SHOWN]
    return ", ".join(by_folded[one] for one in offered) or "-"
