"""Text for one SMS: the default alphabet of GSM 03.38 (3GPP TS 23.038), 160 septets, nothing that needs UCS-2."""

from __future__ import annotations

import unicodedata

LIMIT = 160
"""Septets of one message that is not part of a longer one (3GPP TS 23.040)."""
BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
LONGEST_REST = 12
"""Signs of a word that was cut through and is left out; more of them say something by themselves."""
EXTENDED = frozenset("^{}\\[~]|€\f")
"""Each takes two septets: an escape before it."""
_LIKE = {"’": "'", "‘": "'", "“": '"', "”": '"', "«": '"', "»": '"', "–": "-", "—": "-", "…": "...", "œ": "oe"}
_LIKE |= {"Œ": "OE", "•": "-", "→": "->", "≥": ">=", "≤": "<=", "`": "'", "°": "o", "²": "2", "µ": "u"}


def septets(text: str) -> int | None:
    """Return how many septets `text` takes, or None when the alphabet lacks one of its characters."""
    if any(sign not in BASIC and sign not in EXTENDED for sign in text):
        return None
    return sum(2 if sign in EXTENDED else 1 for sign in text)


def plain(text: str) -> str:
    """Return `text` in the alphabet: other letters lose their accent, what has no like becomes `?`."""
    text = " ".join(text.split())
    return " ".join("".join(_plain(sign) for sign in text).split())


def _plain(sign: str) -> str:
    if sign in BASIC or sign in EXTENDED:
        return sign
    if sign in _LIKE:
        return _LIKE[sign]
    bare = "".join(part for part in unicodedata.normalize("NFKD", sign) if not unicodedata.combining(part))
    return bare if bare and all(part in BASIC or part in EXTENDED for part in bare) else "?"


def cut(text: str, limit: int = LIMIT) -> str:
    """Return `text` in the alphabet and within `limit` septets; what was cut off shows as `...`."""
    whole = plain(text)
    if (septets(whole) or 0) <= limit:
        return whole
    kept, used = "", 3
    for sign in whole:
        used += 2 if sign in EXTENDED else 1
        if used > limit:
            break
        kept += sign
    return _whole_words(kept) + "..." if limit >= 3 else "..."[:limit]


def _whole_words(text: str) -> str:
    """`text` without the word that was cut through, unless that is a long one, and without what no text ends with."""
    words, _, rest = text.rpartition(" ")
    return (words if words and len(rest) <= LONGEST_REST else text).rstrip(" :;,.(")
