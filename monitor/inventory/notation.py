"""How the inventory writes words, names, lengths of time and shares: what the models of its keys are made of."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from monitor.core.text import LANGUAGES
from probes.params import Duration, Share, one_or_many

Word = Annotated[str, Field(min_length=1)]


def _in_all_languages(value: Any) -> Any:
    return dict.fromkeys(LANGUAGES, value) if isinstance(value, str) else value


_TEXTS: dict[str, Any] = {"type": "string", "minLength": 1}
Names = Annotated[
    tuple[Word, ...],
    BeforeValidator(one_or_many),
    Field(min_length=1),
    WithJsonSchema({"anyOf": [_TEXTS, {"type": "array", "items": _TEXTS, "minItems": 1}]}),
]
Span = Annotated[Duration, Field(gt=timedelta(0))]
Times = Annotated[int, Field(ge=1, le=100)]
PerCent = Annotated[Share, Field(gt=0, le=100)]


def notation_of(value: Any) -> str:
    """Return which of two notations of one thing is meant, `table` or `word`, so that each misfit is told once."""
    return "table" if isinstance(value, dict | BaseModel) else "word"


class Part(BaseModel):
    """A table of the inventory; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class ByLanguage(Part):
    """The same words in each language."""

    fr: Word | None = None
    en: Word | None = None


Words = Annotated[
    ByLanguage,
    BeforeValidator(_in_all_languages),
    WithJsonSchema(
        {
            "anyOf": [
                _TEXTS,
                {
                    "type": "object",
                    "properties": dict.fromkeys(LANGUAGES, _TEXTS),
                    "additionalProperties": False,
                },
            ]
        }
    ),
]
