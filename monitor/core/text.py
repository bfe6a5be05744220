"""Sentences for people, kept as a template and its values until somebody's language is known.

A verdict or an event is written once and read in French and in English, now and in a year's time. So it holds a
`Text`, and only the edge renders it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

LANGUAGES = ("fr", "en")
"""What people are spoken to in; English is what the sentences are written in."""
NARROW_SPACE = "\u202f"
NO_BREAK_SPACE = "\u00a0"


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with its UCUM unit (`%`, `ms`, `By`, `bit/s`, `Cel`, ...); `digits`: decimals shown at most."""

    value: float
    unit: str
    digits: int = 1


@dataclass(frozen=True, slots=True)
class Text:
    """An English template in `str.format` style (the gettext msgid) and the values that fill it."""

    template: str
    values: tuple[tuple[str, Value], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.template)


Value = str | int | Quantity | datetime | timedelta | Text


def say(template: str, /, **values: Value) -> Text:
    """Return the sentence `template` filled with `values`; this is the word that message extraction looks for."""
    return Text(template, tuple(values.items()))


def N_(template: str) -> str:  # noqa: N802 - the name that message extraction knows
    """Return `template` as it is: marks a string that is translated later, where it is shown (command-line help)."""
    return template


def verbatim(text: str) -> Text:
    """Return `text` as it stands (a person's note, a device's own words): shown in no language but its own."""
    return Text("{verbatim}", (("verbatim", text),)) if text else Text("")


@dataclass(frozen=True, slots=True)
class Speech:
    """How one reader is spoken to: `language` (`fr`, `en`), its catalogue and the site's time zone."""

    language: str
    translate: Callable[[str], str] = field(repr=False)
    zone: tzinfo = UTC

    def render(self, text: Text) -> str:
        """Return `text` as a sentence in this language, with its numbers, units and times."""
        filled = {name: self._show(value) for name, value in text.values}
        template = self.translate(text.template) if text.template else ""
        return template.format_map(_Lenient(filled))

    def number(self, value: float, digits: int = 1) -> str:
        """Return `value` with at most `digits` decimals, as the language writes it (`3,8`; `3.8`)."""
        if not math.isfinite(value):
            return "?" if math.isnan(value) else "-∞" if value < 0 else "∞"
        shown = f"{value:,.{digits}f}"
        if "." in shown:
            shown = shown.rstrip("0").rstrip(".")
        if shown in ("-0", ""):
            shown = "0"
        if self.language == "fr":
            return shown.replace(",", NARROW_SPACE).replace(".", ",")
        return shown

    def quantity(self, quantity: Quantity) -> str:
        """Return a number with the unit people use: `3,8 Mbit/s`, `74 Go`, `45 min`, `21 °C`."""
        value, unit, french = quantity.value, quantity.unit, self.language == "fr"
        if unit == "s" and abs(value) < _LONGEST:
            return self.duration(timedelta(seconds=value))
        if unit == "By":
            value, unit = _scaled(value, quantity.digits, _OCTETS if french else _BYTES)
        elif unit == "bit/s":
            value, unit = _scaled(value, quantity.digits, _RATES)
        else:
            unit = (_MONTRE if french else _SHOWN).get(unit, unit)
            if unit.startswith("{"):
                unit = ""
        gap = "" if unit == "%" and self.language != "fr" else NO_BREAK_SPACE
        return self.number(value, quantity.digits) + (gap + unit if unit else "")

    def duration(self, span: timedelta) -> str:
        """Return a length of time in its two largest units: `45 s`, `4 min 10 s`, `2 h 05 min`, `3 j 4 h`."""
        seconds = span.total_seconds()
        if abs(seconds) < 10:
            return f"{self.number(seconds)}{NO_BREAK_SPACE}s"
        whole, sign = round(abs(seconds)), "-" if seconds < 0 else ""
        day = "j" if self.language == "fr" else "d"
        days, hours, minutes, rest = whole // 86400, whole // 3600 % 24, whole // 60 % 60, whole % 60
        if days:
            parts = [f"{days} {day}", f"{hours} h" if hours else ""]
        elif hours:
            parts = [f"{hours} h", f"{minutes:02} min" if minutes else ""]
        else:
            parts = [f"{minutes} min" if minutes else "", f"{rest} s" if rest or not minutes else ""]
        return sign + " ".join(part for part in parts if part).replace(" ", NO_BREAK_SPACE)

    def clock(self, at: datetime) -> str:
        """Return the time of day at the site: `14 h 05`, `14:05`.

        In the hour that the clocks show twice, at the end of summer time, with which of the two: `02:20 CEST`.
        """
        local = at.astimezone(self.zone)
        shown = local.strftime(f"%H{NO_BREAK_SPACE}h{NO_BREAK_SPACE}%M" if self.language == "fr" else "%H:%M")
        twice = local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
        return f"{shown}{NO_BREAK_SPACE}{local.tzname()}" if twice else shown

    def date(self, at: datetime) -> str:
        """Return the day at the site: `23/11/2026`, `2026-11-23`."""
        return at.astimezone(self.zone).strftime("%d/%m/%Y" if self.language == "fr" else "%Y-%m-%d")

    def moment(self, at: datetime) -> str:
        """Return the day and the time of day at the site: `23/11/2026 14 h 05`, `2026-11-23 14:05`."""
        return f"{self.date(at)} {self.clock(at)}"

    def _show(self, value: Value) -> str:
        match value:
            case Text():
                return self.render(value)
            case Quantity():
                return self.quantity(value)
            case timedelta():
                return self.duration(value)
            case datetime():
                return self.clock(value)
            case _:
                return str(value)


_LONGEST = 1e13
"""Seconds that a timedelta still holds (some 300 000 years); a time to full of a disk that nobody fills is longer."""
_BYTES = ("B", "kB", "MB", "GB", "TB")
ENGLISH = Speech("en", str)
"""As it was written: for the text of exceptions, which only programmers read."""
_OCTETS = ("octets", "ko", "Mo", "Go", "To")
_RATES = ("bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s")
_SHOWN = {"Cel": "°C", "1/min": "rpm"}
_MONTRE = {"Cel": "°C", "1/min": "tr/min", "d": "j"}


def _scaled(value: float, digits: int, units: tuple[str, ...]) -> tuple[float, str]:
    """The value in the unit in which it is shown below 1000, as far as it goes; 999.96 kB is 1 MB to one decimal."""
    step = 0
    while round(abs(value), digits) >= 1000 and step < len(units) - 1:
        value, step = value / 1000, step + 1
    return value, units[step]


class _Lenient(dict[str, str]):
    """A translated template may name a value that the code no longer gives; a message still has to leave."""

    def __missing__(self, key: str) -> str:
        return "?"


def text_to_json(text: Text) -> dict[str, Any]:
    """Return `text` as JSON-ready data; `text_from_json` gives it back equal."""
    return {"t": text.template, "v": {name: _value_to_json(value) for name, value in text.values}}


def text_from_json(data: Mapping[str, Any]) -> Text:
    """Return the `Text` that `text_to_json` wrote."""
    return Text(data["t"], tuple((name, _value_from_json(value)) for name, value in data.get("v", {}).items()))


def _value_to_json(value: Value) -> Any:
    match value:
        case Text():
            return {"text": text_to_json(value)}
        case Quantity():
            return {"q": [value.value, value.unit, value.digits]}
        case timedelta():
            return {"span": value.total_seconds()}
        case datetime():
            return {"at": value.isoformat()}
        case _:
            return value


def _value_from_json(value: Any) -> Value:
    match value:
        case {"text": data}:
            return text_from_json(data)
        case {"q": [number, unit, digits]}:
            return Quantity(number, unit, digits)
        case {"span": seconds}:
            return timedelta(seconds=seconds)
        case {"at": at}:
            return datetime.fromisoformat(at)
        case str() | int():
            return value
        case _:
            return str(value)
