"""The short code by which an SMS acknowledges: four digits that belong to one contact and one stage of one incident.

It is short because a person types it at three in the morning; so it counts from that contact's own number only, and
whoever guesses is put off (`MOST_GUESSES`). Nothing is stored of it: it is worked out anew.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass

from alerts.reply_words import acknowledges
from monitor.core.answer import Stage
from monitor.core.ids import IncidentId

DIGITS = 4
MOST_GUESSES = 5
"""Wrong codes of one number in an hour, after which no code of it counts: of 10 000 codes, 5 an hour find one in some
weeks, and an incident lasts hours."""
LONGEST_SMS = 480
"""Characters that are looked at: three messages joined."""
_PURPOSE = b"releve acknowledgement code 1\0"
_CODE = re.compile(rf"(?<!\d)\d{{{DIGITS}}}(?!\d)")
_NOT_DIGITS = re.compile(r"\D+")


def code_of(incident: IncidentId, stage: Stage, contact: str, key: bytes) -> str:
    """Return the code, worked out with `key`."""
    said = f"{incident}/{stage.episode}/{stage.lapses}/{contact}".encode()
    number = int.from_bytes(hmac.digest(key, _PURPOSE + said, "sha256")[:8])
    return f"{number % 10**DIGITS:0{DIGITS}}"


@dataclass(frozen=True, slots=True)
class Said:
    """What an SMS says: the `code` in it, empty for none or several, and whether all else in it `acknowledges`."""

    code: str
    acknowledges: bool


def said_in(text: str) -> Said:
    """Return what the `text` of an SMS says: `OK 4821`, `ok4821` or `4821` alone."""
    text = text[:LONGEST_SMS]
    codes = set(_CODE.findall(text))
    rest = " ".join(_CODE.sub(" ", text).split()).strip(" .,:;!-")
    return Said(codes.pop() if len(codes) == 1 else "", not rest or acknowledges(rest))


def same_number(one: str, other: str) -> bool:
    """Return whether two telephone numbers are the same: `+237 6...`, `00237 6...` and `2376...` are (ITU-T E.164)."""
    first, second = _international(one), _international(other)
    return bool(first) and first == second


def _international(number: str) -> str:
    digits = _NOT_DIGITS.sub("", number)
    return digits.removeprefix("00") if not number.strip().startswith("+") else digits
