"""What a person means by the first line of an answer: that they are on it, or something that people have to read."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

ACKNOWLEDGING = frozenset(
    {
        # French
        "ok", "okay", "ok merci", "d'accord", "ack", "acquitte", "acquittement", "acquit", "vu", "bien vu", "ok vu",
        "pris en charge", "prise en charge", "je prends en charge", "je prends", "je prends la main",
        "je m'en occupe", "m'en occupe", "ok je m'en occupe", "ok je prends", "on s'en occupe", "nous nous en occupons",
        "je suis dessus", "je regarde", "ok je regarde", "j'y vais", "je gere",
        # English
        "acknowledge", "acknowledged", "acked", "on it", "i'm on it", "i am on it", "ok on it", "got it", "taking it",
        "i take it", "i'll take it", "seen", "looking", "looking into it", "ok thanks",
    }
)  # fmt: skip
"""Whole lines, in small letters and without accents: `ok, but not before noon` is none of them."""
GREETINGS = frozenset({"bonjour", "bonsoir", "salut", "hello", "hi", "good morning", "good evening", "bonjour a tous"})
"""Lines that say nothing yet: what counts is the one after."""
LONGEST_LINE = 200
_SIGNS = re.compile(r"[^\w' ]+")
_QUOTED = re.compile(r"^\s*(>|\|)")
_QUOTE_FOLLOWS = re.compile(
    r"^\s*(-{2,}\s*(original message|message d'origine|message original|message transfere|forwarded message)"
    r"|_{8,}$|-{8,}$|(le|on)\b.{0,200}\b(a ecrit|wrote)\s*:?\s*$|(de|from|envoye|sent)\s*:\s.)"
)
"""Where a mail program begins to repeat what is answered."""


def plain(line: str) -> str:
    """Return `line` as it is compared: small letters, no accents, a straight apostrophe, single spaces."""
    line = line[:LONGEST_LINE].replace("\u2019", "'").replace("\u2018", "'").replace("`", "'")
    bare = "".join(sign for sign in unicodedata.normalize("NFKD", line) if not unicodedata.combining(sign))
    return " ".join(bare.casefold().split())


def own_lines(lines: Iterable[str]) -> list[str]:
    """Return what the writer wrote: neither what is quoted nor what follows the line that introduces a quotation."""
    found = []
    for line in lines:
        if _QUOTE_FOLLOWS.match(plain(line)):
            break
        if line.strip() and not _QUOTED.match(line):
            found.append(line.strip())
    return found


def first_line(text: str) -> str:
    """Return the first line that says something; empty for none."""
    for line in own_lines(text.splitlines()[:1000]):
        if _bare(line) not in GREETINGS:
            return line[:LONGEST_LINE]
    return ""


def acknowledges(line: str) -> bool:
    """Return whether `line` says, and says nothing but, that its writer is on it."""
    return _bare(line) in ACKNOWLEDGING


def _bare(line: str) -> str:
    return " ".join(_SIGNS.sub(" ", plain(line)).split())
