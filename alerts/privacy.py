"""What a client must not read in a person's words: where our machines are and what they are called."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

BLANK = "[…]"
LONGEST = 1000
"""Characters that are looked at, and kept: the patterns take time by the square of a word, and of a page of somebody's
log, pasted as the cause, they would take minutes. A client reads the first 300."""
_ADDRESSES = re.compile(
    r"""
      [A-Za-z][A-Za-z0-9+.-]*://\S+                             # URL
    | \\\\[^\s\\]+(?:\\\S*)?                                    # UNC path
    | [^\s@<>,;:]+@[^\s@<>,;:]+\.[^\s@<>,;:.]+                  # mail address
    | (?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?:[:/]\d+)?(?![\w])     # IPv4, with port or prefix
    | (?<![\w:])(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}(?![\w:])                            # MAC
    | (?<![\w:])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?:%\w+)?(?![\w:])                # IPv6
    | (?<![\w.])(?:[A-Za-z0-9](?:[\w-]*[A-Za-z0-9])?\.)+[A-Za-z]{2,24}(?::\d+)?(?![\w])     # host name with its domain
    """,
    re.VERBOSE,
)


def blanked(text: str, names: Iterable[str]) -> str:
    """Return `text` with every address, URL and every one of `names` replaced by `[…]`, in one line.

    `names`: device names and addresses of the inventory; they count as whole words, in any case. It rather blanks a
    word too many: the reference leads a person who asks to the full story. What is longer than `LONGEST` is cut between
    two words, lest half an address is none.
    """
    whole = " ".join(text.split())
    line = whole if len(whole) <= LONGEST else f"{whole[: LONGEST + 1].rpartition(' ')[0]} {BLANK}".strip()
    line = _ADDRESSES.sub(BLANK, line)
    known = _pattern(frozenset(names))
    return line if known is None else known.sub(BLANK, line)


@lru_cache(maxsize=16)
def _pattern(names: frozenset[str]) -> re.Pattern[str] | None:
    """What finds each of `names`, the longest first; of a large inventory it takes as long as a thousand lines."""
    known = sorted((name for name in names if name.strip()), key=len, reverse=True)
    if not known:
        return None
    words = "|".join(re.escape(name) for name in known)
    return re.compile(rf"(?<!\w)(?:{words})(?!\w)", re.IGNORECASE)
