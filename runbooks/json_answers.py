"""What a JSON answer must hold: a value at a pointer (RFC 6901), such as `/state: active`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field

from monitor.core.text import Text, say
from probes.cleaning import one_line
from probes.params import Unfit

POINTER = re.compile(r"(/([^~/]|~[01])*)*")
INDEX = re.compile(r"0|[1-9]\d*")
LONGEST_SHOWN = 100
ABSENT: Final = object()
"""What a pointer that leads nowhere finds; null is a value."""

Scalar = str | int | float | bool | None


def _pointers(value: dict[str, Scalar]) -> dict[str, Scalar]:
    for pointer in value:
        if POINTER.fullmatch(pointer) is None:
            raise Unfit(say("{text} is no JSON pointer: write /state or /items/0/name", text=pointer))
    return value


Answers = Annotated[dict[str, Scalar], Field(max_length=20), AfterValidator(_pointers)]
"""JSON pointer -> the value that must stand there."""


def at(pointer: str, data: Any) -> Any:
    """Return what stands at `pointer` in `data`, ABSENT where nothing does."""
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(data, Mapping) and key in data:
            data = data[key]
        elif isinstance(data, list) and INDEX.fullmatch(key) and int(key) < len(data):
            data = data[int(key)]
        else:
            return ABSENT
    return data


def parsed(body: str) -> Any:
    """Return the JSON in `body`, ABSENT where it is none: too deep, cut off, or another thing."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return ABSENT


def misfit(wanted: Mapping[str, Scalar], data: Any) -> Text | None:
    """Return the first thing that `data` does not hold as `wanted`, None when it holds all."""
    if data is ABSENT and wanted:
        return say("the answer is no JSON")
    for pointer, value in wanted.items():
        found = at(pointer, data)
        if found is ABSENT:
            return say("the answer has nothing at {pointer}", pointer=pointer or '""')
        if not _same(found, value):
            where = {"pointer": pointer or '""', "value": _shown(found), "wanted": _shown(value)}
            return say("the answer has {value} at {pointer} instead of {wanted}", **where)
    return None


def _same(found: Any, wanted: Scalar) -> bool:
    """Whether two values of JSON are equal; true is not 1."""
    return isinstance(found, bool) == isinstance(wanted, bool) and bool(found == wanted)


def _shown(value: Any) -> str:
    return one_line(json.dumps(value, ensure_ascii=False), LONGEST_SHOWN)
