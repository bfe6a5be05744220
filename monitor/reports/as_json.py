"""A document as JSON: its figures first, then every part of it with its kind and its tone."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from enum import StrEnum
from typing import Any

from monitor.reports.document import Document


def as_json(document: Document) -> dict[str, Any]:
    """Return `document` as JSON-ready data. A block has a `kind` beside its own fields."""
    made: dict[str, Any] = _plain(document)
    return made


def json_bytes(document: Document) -> bytes:
    """Return `document` as JSON text in UTF-8, for people to read too."""
    return (json.dumps(as_json(document), ensure_ascii=False, indent=2) + "\n").encode()


def _plain(part: Any) -> Any:
    if is_dataclass(part) and not isinstance(part, type):
        kind = {"kind": type(part).__name__.lower()}
        return kind | {field.name: _plain(getattr(part, field.name)) for field in fields(part)}
    if isinstance(part, StrEnum):
        return part.value
    if isinstance(part, dict):
        return {name: _plain(value) for name, value in part.items()}
    if isinstance(part, tuple | list):
        return [_plain(each) for each in part]
    return part
