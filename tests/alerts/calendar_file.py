"""A strict reader of calendar files (RFC 5545, 3.1 to 3.3), written apart from the library that writes them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_NAME = r"[A-Za-z0-9-]+"
_VALUE = r'(?:"[^"\x00-\x08\x0a-\x1f\x7f]*"|[^";:,\x00-\x08\x0a-\x1f\x7f]*)'
_LINE = re.compile(rf"({_NAME})((?:;{_NAME}={_VALUE}(?:,{_VALUE})*)*):(.*)", re.DOTALL)
_PARAMETER = re.compile(rf";({_NAME})=({_VALUE}(?:,{_VALUE})*)")
_ESCAPE = re.compile(r"\\(.)")
_SIGNS = {"n": "\n", "N": "\n", ",": ",", ";": ";", "\\": "\\"}
_TEXTS = frozenset({"SUMMARY", "DESCRIPTION", "LOCATION"})
ONCE = frozenset({"UID", "DTSTAMP", "DTSTART", "DTEND", "SEQUENCE", "STATUS", "ORGANIZER", *_TEXTS})
"""Properties that an event must not have twice (3.6.1)."""


class Malformed(Exception):
    """The file breaks the standard; the text says how."""


@dataclass
class Component:
    """A component: its properties with their parameters, in order, and what is inside it."""

    name: str
    properties: list[tuple[str, dict[str, str], str]] = field(default_factory=list)
    inside: list[Component] = field(default_factory=list)

    def one(self, name: str) -> str:
        """Return the value of the property that is there once."""
        found = [value for each, _, value in self.properties if each == name]
        if len(found) != 1:
            raise Malformed(f"{name} is there {len(found)} times")
        return found[0]

    def every(self, name: str) -> list[tuple[dict[str, str], str]]:
        """Return parameters and value of each property of that name."""
        return [(parameters, value) for each, parameters, value in self.properties if each == name]


def calendar(text: str) -> Component:
    """Return the one calendar in `text`. Raises Malformed."""
    if not text.endswith("\r\n") or re.search(r"(?<!\r)\n|\r(?!\n)", text):
        raise Malformed("a line does not end with CRLF")
    written = text.split("\r\n")[:-1]
    for line in written:
        if len(line.encode()) > 75:
            raise Malformed(f"longer than 75 octets: {line!r}")
    root, stack = Component(""), []
    stack.append(root)
    for line in re.sub(r"\r\n[ \t]", "", text).split("\r\n")[:-1]:
        name, parameters, value = _parted(line)
        if name == "BEGIN":
            stack[-1].inside.append(Component(value))
            stack.append(stack[-1].inside[-1])
        elif name == "END":
            if stack.pop().name != value or not stack:
                raise Malformed(f"END:{value} ends nothing")
        else:
            stack[-1].properties.append((name, parameters, _text(value) if name in _TEXTS else value))
    if len(stack) != 1 or [one.name for one in root.inside] != ["VCALENDAR"] or root.properties:
        raise Malformed("not one whole calendar")
    return root.inside[0]


def _parted(line: str) -> tuple[str, dict[str, str], str]:
    found = _LINE.fullmatch(line)
    if found is None:
        raise Malformed(f"no content line: {line!r}")
    parameters = {name.upper(): value.strip('"') for name, value in _PARAMETER.findall(found[2])}
    return found[1].upper(), parameters, found[3]


def _text(value: str) -> str:
    if re.search(r"(?<!\\)(?:\\\\)*[;,]", value):
        raise Malformed(f"a sign that is not escaped: {value!r}")

    def sign(found: re.Match[str]) -> str:
        if found[1] not in _SIGNS:
            raise Malformed(f"no escape: {found[0]!r}")
        return _SIGNS[found[1]]

    return _ESCAPE.sub(sign, value)


def meeting(text: str) -> tuple[str, Component]:
    """Return method and event of an invitation or its end, which has all that RFC 5546 (3.2.2, 3.2.5) asks of it."""
    whole = calendar(text)
    if whole.one("VERSION") != "2.0" or not whole.one("PRODID"):
        raise Malformed("no version or no product")
    (event,) = whole.inside
    for name in ONCE:
        if len(event.every(name)) > 1:
            raise Malformed(f"{name} twice")
    for name in ("UID", "DTSTAMP", "DTSTART", "SUMMARY", "SEQUENCE", "ORGANIZER"):
        event.one(name)
    for name in ("DTSTAMP", "DTSTART", "DTEND"):
        if not re.fullmatch(r"\d{8}T\d{6}Z", event.one(name)):
            raise Malformed(f"{name} is no moment in UTC")
    if not event.every("ATTENDEE") or not re.fullmatch(r"\d+", event.one("SEQUENCE")):
        raise Malformed("nobody is invited, or the sequence is no number")
    return whole.one("METHOD"), event
