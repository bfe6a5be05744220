"""The keys that all checks share, and the types in which the inventory writes quantities."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema

from monitor.core.text import N_, Text, say
from monitor.core.thresholds import BadRange, Range, parse_range
from monitor.core.units import BadUnit, parse_duration, parse_rate, parse_share, parse_size
from monitor.core.verdict import Metric


class Unfit(ValueError):
    """A value that a key cannot have; `text` says why."""

    def __init__(self, text: Text) -> None:
        super().__init__(text.template)
        self.text = text


def _parsed(parse: Callable[[str], Any], kinds: tuple[type, ...]) -> Callable[[Any], Any]:
    def convert(value: Any) -> Any:
        if isinstance(value, kinds) and not isinstance(value, (bool, int, float)):
            return value
        if isinstance(value, (str, int, float)) and not isinstance(value, bool):
            return parse(str(value))
        raise BadUnit(say("a number with its unit is expected here"))

    return convert


def _schema(pattern: str, example: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern, "examples": [example]})


def one_or_many(value: Any) -> Any:
    """Return a text as a tuple of it alone, a list as a tuple; for `BeforeValidator`, which judges what is neither."""
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, list) else value


Duration = Annotated[
    timedelta,
    BeforeValidator(_parsed(parse_duration, (timedelta,))),
    PlainSerializer(lambda span: f"{span.total_seconds():g}s"),
    _schema(r"^\s*\d+([.,]\d+)?\s*(ms|s|sec|min|m|h|d|j|days?|jours?|weeks?|semaines?)\s*$", "60s"),
]
Rate = Annotated[
    float, BeforeValidator(_parsed(parse_rate, ())), _schema(r"^\s*\d+([.,]\d+)?\s*[kMG]?(bit/s|bps)\s*$", "4 Mbit/s")
]
Size = Annotated[float, BeforeValidator(_parsed(parse_size, ())), _schema(r"^\s*\d+([.,]\d+)?\s*\S+\s*$", "64 MB")]
Share = Annotated[float, BeforeValidator(_parsed(parse_share, ())), _schema(r"^\s*\d+([.,]\d+)?\s*%\s*$", "80%")]


def _limit(value: Any, second: float = 1) -> Any:
    """A threshold is a Nagios range whose numbers may carry a unit: `80%`, `20%:`, `~:-60 dBm`, `1 h:`.

    `second`: how many units of the metric a second is; 1000 where it is in ms.
    """
    if isinstance(value, Range) or value is None:
        return value
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise BadRange(say("a threshold is a number or a range, such as 80%, 20%: or 10:90"))
    return parse_range(_without_units(str(value), second))


def _without_units(text: str, second: float) -> str:
    inside, body = ("@", text[1:]) if text.startswith("@") else ("", text)
    return inside + ":".join(_number(part, second) for part in body.split(":"))


def _number(part: str, second: float) -> str:
    part = part.strip()
    if not part or part == "~":
        return part
    for parse in (parse_share, parse_rate, parse_size):
        try:
            return f"{parse(part):.12g}"
        except BadUnit:
            continue
    try:
        return f"{parse_duration(part).total_seconds() * second:.12g}"
    except BadUnit:
        return (
            part.removesuffix("Cel").removesuffix("dBm").removesuffix("dB").removesuffix("Hz").removesuffix("V").strip()
        )


Limit = Annotated[
    Range,
    BeforeValidator(_limit),
    PlainSerializer(str),
    WithJsonSchema({"type": ["string", "number"], "examples": ["80%", "20%:", "10:90"]}),
]


def _limit_ms(value: Any) -> Any:
    return _limit(value, 1000)


LimitMs = Annotated[
    Range,
    BeforeValidator(_limit_ms),
    PlainSerializer(str),
    WithJsonSchema({"type": ["string", "number"], "examples": ["200ms", "1s", "20%"]}),
]
"""The threshold of a metric in milliseconds: `200ms`, `1 s`, or 200."""


def _margin(value: Any, second: float = 1) -> float:
    """A distance in the notation of thresholds, at least 0."""
    written = str(value)
    try:
        found = math.nan if isinstance(value, bool) or not isinstance(value, (str, int, float)) else float(value)
    except ValueError:
        found = _distance(written, second)
    if not math.isfinite(found):
        raise Unfit(say("{written} is no margin such as 5%, 20ms or 2 dB", written=repr(written)))
    if found < 0:
        raise Unfit(say("{written} is too little: a margin is at least 0", written=repr(written)))
    return found


def _distance(written: str, second: float) -> float:
    try:
        return float(_number(written, second))
    except ValueError:
        return math.nan


def _margin_ms(value: Any) -> float:
    return _margin(value, 1000)


Margin = Annotated[
    float,
    BeforeValidator(_margin),
    WithJsonSchema({"type": ["string", "number"], "minimum": 0, "examples": ["5%", "2 dB", 1]}),
]
"""By how much a value that alerted must come back within a threshold to count as back: `5%`, `2 dB`, or 1."""
MarginMs = Annotated[
    float,
    BeforeValidator(_margin_ms),
    WithJsonSchema({"type": ["string", "number"], "minimum": 0, "examples": ["20ms", "5%"]}),
]
"""The same for a metric in milliseconds."""
_MARGIN_HELP = N_("by how much a value must come back within a threshold that it crossed to count as back: 5%")


class Limits(BaseModel):
    """The two thresholds of one metric, and the margin by which a value must come back within them."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    warning: Limit | None = None
    critical: Limit | None = None
    hysteresis: Margin | None = Field(default=None, description=_MARGIN_HELP)


class Params(BaseModel):
    """Keys of every check: `warning` and `critical` judge the kind's first metric, `thresholds` any by its name.

    `hysteresis` is the margin of the first metric.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    warning: Limit | None = Field(default=None, description=N_("range of the first metric that is a WARNING outside"))
    critical: Limit | None = Field(default=None, description=N_("range of the first metric that is CRITICAL outside"))
    hysteresis: Margin | None = Field(default=None, description=_MARGIN_HELP)
    thresholds: Mapping[str, Limits] = Field(default_factory=dict, description=N_("ranges of any metric, by its name"))

    def limits(self, metric: str, *, first: bool = False) -> Limits:
        """Return the thresholds of `metric` (of `rx_power` for `rx_power.te1`); `first`: the kind's main one."""
        named = self.thresholds.get(metric) or self.thresholds.get(metric.partition(".")[0])
        if named is not None:
            return named
        return Limits(warning=self.warning, critical=self.critical, hysteresis=self.hysteresis) if first else Limits()

    def metric(
        self,
        name: str,
        value: float,
        unit: str,
        *,
        first: bool = False,
        minimum: float | None = None,
        maximum: float | None = None,
        default: Limits | None = None,
    ) -> Metric:
        """Return the metric with the thresholds that these parameters give it, else those of `default`."""
        limits, usual = self.limits(name, first=first), default or Limits()
        return Metric(
            name,
            value,
            unit,
            limits.warning if limits.warning is not None else usual.warning,
            limits.critical if limits.critical is not None else usual.critical,
            minimum,
            maximum,
            margin=limits.hysteresis if limits.hysteresis is not None else usual.hysteresis or 0.0,
        )


class LimitsMs(Limits):
    """The two thresholds of a metric in milliseconds."""

    warning: LimitMs | None = None
    critical: LimitMs | None = None
    hysteresis: MarginMs | None = Field(default=None, description=_MARGIN_HELP)


class ParamsMs(Params):
    """Keys of a kind whose times are in milliseconds: a duration as threshold is read in that unit."""

    warning: LimitMs | None = Field(default=None, description=Params.model_fields["warning"].description)
    critical: LimitMs | None = Field(default=None, description=Params.model_fields["critical"].description)
    hysteresis: MarginMs | None = Field(default=None, description=_MARGIN_HELP)
    thresholds: Mapping[str, LimitsMs] = Field(
        default_factory=dict, description=Params.model_fields["thresholds"].description
    )
