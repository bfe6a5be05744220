"""A statement of SQL as an author writes it: where `:token` stands in it, and that it is one statement. Pure.

Quoted text, quoted names, comments and PostgreSQL's dollar quotes are passed over, so that `':token'` stays a text.
"""

from __future__ import annotations

import re
from typing import Final

from monitor.core.text import say
from probes.params import Unfit

TOKEN: Final = ":token"  # noqa: S105 - the name of a parameter
LONGEST = 20_000
"""Characters of a statement."""
_PASSED = r"""
    '(?:[^']|'')*' | "(?:[^"]|"")*" | --[^\n]* | /\*.*?\*/ | (?P<tag>\$(?:[A-Za-z_]\w*)?\$).*?(?P=tag)
"""
_PART = re.compile(rf"{_PASSED} | (?P<token>(?<![:\w]):token(?!\w)) | (?P<end>;) | (?P<open>'|\"|/\*)", re.X | re.S)


def one_statement(text: str) -> str:
    """Return `text` without the semicolon at its end. Raises Unfit when it is none, or more than one statement."""
    body, ends = text.strip(), []
    for part in _PART.finditer(body):
        if part["open"] is not None:
            raise Unfit(say("a quote or comment is not closed in {text}", text=text[:100]))
        if part["end"] is not None:
            ends.append(part.start())
    if ends and (len(ends) > 1 or body[ends[0] + 1 :].strip()):
        raise Unfit(say("write one statement a line of the list: here are several in one"))
    body = (body[: ends[0]] if ends else body).rstrip()
    if not body:
        raise Unfit(say("there is no statement here"))
    return body


def needs_token(statement: str) -> bool:
    """Return whether `:token` stands in it."""
    return any(part["token"] is not None for part in _PART.finditer(statement))


def with_token(statement: str, placeholder: str) -> str:
    """Return `statement` with `placeholder` wherever `:token` stands."""
    return _PART.sub(lambda part: placeholder if part["token"] is not None else part[0], statement)
