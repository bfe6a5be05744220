"""The keys of `rota:`, as the models that check their shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, create_model

from monitor.core.text import N_
from monitor.inventory.notation import Names, Part, Span, Word
from monitor.inventory.service_keys import TimeOfDay

Day = Annotated[str, Field(min_length=1, json_schema_extra={"examples": ["2026-12-25"]})]


class _ShiftKeys(Part):
    """A fixed shift."""

    who: Word = Field(description=N_("the contact who is on duty"))
    days: Names | None = Field(default=None, description=N_("days of the week, as [mon, sun]; each, if absent"))
    until: TimeOfDay = Field(description=N_('to this time of day, of the next day if it is not later: "08:00"'))


ShiftKeys: type[_ShiftKeys] = create_model(  # `from` is a word of Python
    "ShiftKeys",
    __base__=_ShiftKeys,
    __doc__=_ShiftKeys.__doc__,
    **{"from": (TimeOfDay, Field(description=N_('from this time of day, as "08:00"')))},  # type: ignore[call-overload]
)


class _RotaKeys(Part):
    """Who is on duty when: contacts in turn (`members`), or fixed `shifts`."""

    members: Names | None = Field(default=None, description=N_("contacts who are on duty in turn"))
    handover: Word | None = Field(default=None, description=N_("when the next one takes over: monday 08:00, or 08:00"))
    every: Span | None = Field(
        default=None, description=N_("length of a turn: 1 week, if the handover names a day, else 1 day")
    )
    shifts: Annotated[list[ShiftKeys], Field(min_length=1)] | None = Field(  # type: ignore[valid-type]
        default=None, description=N_("fixed shifts, which together cover the whole week")
    )
    holidays: Mapping[Day, Word] | None = Field(
        default=None, description=N_("a date, and the contact who has the duty that begins on it")
    )


RotaKeys: type[_RotaKeys] = create_model(
    "RotaKeys",
    __base__=_RotaKeys,
    __doc__=_RotaKeys.__doc__,
    **{
        "from": (Day | None, Field(default=None, description=N_("the day on which the turn of the first begins"))),
    },  # type: ignore[call-overload]
)
