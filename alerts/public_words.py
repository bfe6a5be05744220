"""Words of people and of the inventory as a stranger may read them."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from alerts.privacy import BLANK, blanked

_NOT_FOR_ALL = re.compile(
    r"""
      `[^`]*`                                       # what somebody typed, or should type
    | (?<![\w+])(?:\+|00)\d(?:[\s.()-]?\d){6,14}     # a telephone number (E.164: 15 digits at most)
    """,
    re.VERBOSE,
)
UNSEEN = frozenset({"Cf", "Co", "Cn"})
"""Categories of signs that no reader sees; one could part a name, and turn a line round."""
_ESCAPE = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|[@-_])?")
"""What colours a terminal (ECMA-48), copied with what stood there: without its first sign it is part of a word."""
BREAKS = frozenset({"Cc", "Cs"})
"""Of those that XML cannot hold, and that end a line or a word."""


def plain(text: str) -> str:
    """Return `text` in one line, without what no reader sees."""
    kept = (sign for sign in _ESCAPE.sub(" ", text) if unicodedata.category(sign) not in UNSEEN)
    return " ".join("".join(" " if unicodedata.category(sign) in BREAKS else sign for sign in kept).split())


@lru_cache(maxsize=2048)
def for_all(text: str, names: frozenset[str]) -> str:
    """Return `text` in one line, with addresses, telephone numbers, commands and `names` replaced by `[…]`.

    The same few texts are asked for every other second, and with the names of thousands of machines that takes time.
    """
    return blanked(_NOT_FOR_ALL.sub(BLANK, plain(text)), names)
