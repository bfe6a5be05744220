"""The keys of services and of announced work: models as in `schema`, which lists all sections."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Discriminator, Field, Tag, WithJsonSchema, create_model

from monitor.core.text import N_, say
from monitor.core.units import parse_share
from monitor.inventory.notation import Names, Part, Span, Word, Words, notation_of
from probes.params import Unfit, one_or_many

_WEEK: dict[str, Any] = {"type": "integer", "minimum": 1, "maximum": 5}


@dataclass(frozen=True, slots=True)
class Floor:
    """Fewer than `number` are too few; with `share` it is a part of the whole, 0..1."""

    number: float
    share: bool = False


def _floor(value: Any) -> Any:
    """A number, or per cent of the whole, as `50%`."""
    if isinstance(value, Floor) or value is None:
        return value
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise Unfit(say("a number is expected here, or a share such as 50%"))
    floor = Floor(parse_share(value) / 100, share=True) if isinstance(value, str) else Floor(float(value))
    if floor.number <= 0 or (floor.share and floor.number > 1):
        raise Unfit(say("{value} is no part of the whole: write more than 0, and at most 100%", value=str(value)))
    return floor


class FigureKeys(Part):
    """What a metric of a check says of how many are able to work."""

    check: Word
    name: Word = Field(description=N_("name of the metric"))
    of: Annotated[float, Field(gt=0)] = Field(description=N_("how many there are altogether"))


class PieceKeys(Part):
    """A part of a service that is no check: exactly one of these keys."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": [key]} for key in ("service", "metric", "all", "any", "count")]}
    )

    service: Word | None = Field(default=None, description=N_("what another service is able to do"))
    metric: FigureKeys | None = None
    all: Pieces | None = None
    any: Pieces | None = None
    count: Pieces | None = None


Piece = Annotated[
    Annotated[Word, Tag("word")] | Annotated[PieceKeys, Tag("table")],
    Discriminator(notation_of),
]


def _some(value: Any) -> Any:
    """An empty list is told before its items are: a list of wrong ones is not empty as well."""
    if value == []:
        raise Unfit(say("this must not be empty"))
    return tuple(value) if isinstance(value, list) else value


Pieces = Annotated[tuple[Piece, ...], BeforeValidator(_some), Field(json_schema_extra={"minItems": 1})]


class ServiceKeys(Part):
    """What the client pays for, as far as the checks show it; exactly one of all, any, count and metric."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": [key]} for key in ("all", "any", "count", "metric")]}
    )

    title: Words | None = Field(default=None, description=N_("what people read: agents able to call"))
    all: Pieces | None = Field(default=None, description=N_("as many are able as the weakest part lets through"))
    any: Pieces | None = Field(default=None, description=N_("the strongest part suffices"))
    count: Pieces | None = Field(default=None, description=N_("what the parts are able to do adds up"))
    metric: FigureKeys | None = Field(default=None, description=N_("as many are able as a metric says"))
    below: (
        Annotated[
            Floor,
            BeforeValidator(_floor),
            WithJsonSchema(
                {"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string", "pattern": r"^\s*\d.*%\s*$"}]}
            ),
        ]
        | None
    ) = Field(default=None, description=N_("interrupted when fewer are able: a number, or 50%; 1, if absent"))


Moment = Annotated[str, Field(min_length=1, json_schema_extra={"examples": ["2026-12-01 22:00"]})]
TimeOfDay = Annotated[str, Field(min_length=1, json_schema_extra={"examples": ["02:00"]})]
Weeks = Annotated[
    tuple[Annotated[int, Field(ge=1, le=5)], ...],
    BeforeValidator(lambda value: (value,) if isinstance(value, int) else one_or_many(value)),
    Field(min_length=1),
    WithJsonSchema({"anyOf": [_WEEK, {"type": "array", "items": _WEEK, "minItems": 1}]}),
]


class _MaintenanceKeys(Part):
    """Announced work: once (`from`, and `until` or `for`), or again and again (`at`, `for`, `days`, `weeks`)."""

    title: Words | None = Field(default=None, description=N_("what is done"))
    devices: Names | None = Field(
        default=None, description=N_("devices and links, with everything that is reached only through them")
    )
    checks: Names | None = Field(default=None, description=N_("single checks"))
    incident: Word | None = Field(
        default=None, description=N_("what fails meanwhile is told as this kind; nothing is told, if absent")
    )
    until: Moment | None = Field(default=None, description=N_("when it ends"))
    at: TimeOfDay | None = Field(default=None, description=N_('begins at this time of day, as "02:00"'))
    days: Names | None = Field(default=None, description=N_("days of the week, as [mon, sun]; each, if absent"))
    weeks: Weeks | None = Field(
        default=None, description=N_("only on the first, second ... such day of the month, as [1, 3]")
    )


MaintenanceKeys: type[_MaintenanceKeys] = create_model(  # two of its keys are words of Python
    "MaintenanceKeys",
    __base__=_MaintenanceKeys,
    __doc__=_MaintenanceKeys.__doc__,
    **{
        "from": (Moment | None, Field(default=None, description=N_('begins then, site time, as "2026-12-01 22:00"'))),
        "for": (Span | None, Field(default=None, description=N_("how long it lasts: 4 h"))),
    },  # type: ignore[call-overload]
)
