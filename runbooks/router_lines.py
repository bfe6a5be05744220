"""What is typed into a router, and how its answer tells that it refuses a line. Pure."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import AfterValidator, Field

from monitor.core.text import say
from probes.cleaning import one_line
from probes.params import Unfit

FAMILIES: Final = ("cisco_ios", "cisco_xe", "cisco_nxos", "cisco_asa", "arista_eos")
"""Names of netmiko whose command line carries each line out as it is typed. FRR's vtysh is spoken to as cisco_ios."""
_TAG = re.compile(r"%[A-Z0-9_]+(-[A-Z0-9_]+)*-\d+-")
"""How a log message begins that IOS shows between two lines: `%SYS-5-CONFIG_I:`."""
_REFUSED = re.compile(r"^\s*(%|(syntax )?error\b|command rejected)", re.IGNORECASE)
_ONLY_WARNS = re.compile(r"warning", re.IGNORECASE)
LONGEST_LINE = 500
LONGEST_SHOWN = 200


def _line(text: str) -> str:
    if not text.isprintable() or not text.strip():
        raise Unfit(say("a line for a router holds no line break and no other character that cannot be shown"))
    if "?" in text or text.strip().casefold() in _LEAVING:
        raise Unfit(say("{text} is no line of a configuration", text=one_line(text, LONGEST_SHOWN)))
    return text


_LEAVING = frozenset({"end", "configure terminal", "conf t", "write", "write memory", "wr", "reload"})
"""What leaves the configuration or does more than that; Relève enters, leaves and saves it by itself."""

Line = Annotated[str, Field(max_length=LONGEST_LINE), AfterValidator(_line)]
Lines = Annotated[tuple[Line, ...], Field(min_length=1, max_length=200)]


def refusal(answer: str) -> str | None:
    """Return the words with which a router refuses the line that it answers, None where it does not.

    A log message in between and a mere warning are no refusal.
    """
    for line in answer.splitlines():
        if _REFUSED.match(line) and not _TAG.match(line.strip()) and not _ONLY_WARNS.search(line):
            return one_line(line.strip(), LONGEST_SHOWN)
    return None
