"""A node of the inventory against the model that it should fit; every misfit becomes a problem at its own place."""

from __future__ import annotations

import difflib
import json
import re
import types
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from monitor.core.text import N_, Text, Value, say, verbatim
from monitor.inventory.problems import NOTHING, Place, Problems, close_to, nearest
from monitor.inventory.yaml_nodes import ListNode, Node, ScalarNode, TableNode, plain_data
from monitor.secret import Secret

M = TypeVar("M", bound=BaseModel)
SHOWN = 60
"""Characters of a wrong value that a message repeats."""
HIDDEN = "***"
_TRUTH = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}


def shaped(
    model: type[M], node: Node, at: Place, where: str, problems: Problems, also: Collection[str] = ()
) -> M | None:
    """Return `node` as a `model`, None when it does not fit. `at`, `where`: the key that holds it.

    `also`: keys beside those of the model that may have been meant by an unknown one.
    Values are taken strictly, as from JSON: a number is not text, and the word `no` is not false.
    """
    try:
        return model.model_validate_json(json.dumps(plain_data(node)), strict=True)
    except ValidationError as error:
        for each in error.errors():
            _note(model, node, at, where, dict(each), problems, also)
        return None


def _note(
    model: type[BaseModel],
    node: Node,
    at: Place,
    where: str,
    error: Mapping[str, Any],
    problems: Problems,
    also: Collection[str],
) -> None:
    kind, way = error["type"], [part for part in error["loc"] if part != "[key]"]
    if kind in ("missing", "extra_forbidden"):
        key = str(way.pop())
        place, inside, suffix = _walk(node, at, way)
        full, known = ".".join((where, *suffix)), (*_known_keys(model, way), *(() if way else also))
        if kind == "missing":
            note_missing(key, inside, known, place, full, problems)
            return
        if isinstance(inside, TableNode) and key in inside.entries:
            place = inside.entries[key].at
        message = say("unknown key {key}", key=key)
        problems.error(place, f"{full}.{key}", message, nearest(key, known))
        return
    _place, inside, suffix = _walk(node, at, way)
    if kind in _TABLES and isinstance(inside, ScalarNode) and _holds_secrets(_model_at(model, way)):
        # Whoever writes `mail: mailto://user:pass@host` or `snmp: public` has written the secret itself.
        inside = replace(inside, value=HIDDEN, text=HIDDEN)
    message, hint = _said(error, inside)
    problems.error(inside.at, ".".join((where, *suffix)), message, hint)


def note_missing(
    key: str, table: Node, known: Collection[str], at: Place, where: str, problems: Problems, hint: Text = NOTHING
) -> None:
    """Note that `table` lacks `key`; where a key that is not `known` looks like it, it was mistyped: told once."""
    strange = [name for name in table.entries if name not in known] if isinstance(table, TableNode) else []
    mistyped = difflib.get_close_matches(key, strange, n=1)
    if mistyped and isinstance(table, TableNode):
        entry = table.entries[mistyped[0]]
        message = say("unknown key {key}", key=entry.key)
        problems.error(entry.at, f"{where}.{entry.key}", message, say("did you mean {name}?", name=key))
    else:
        problems.error(at, where, say("{key} is missing", key=key), hint)


def _walk(node: Node, at: Place, way: Iterable[object]) -> tuple[Place, Node, list[str]]:
    """Follow `way` from `node`: the place of the last key, the node there, the keys that were found on the way.

    Parts that pydantic adds (the name of a member of a union) are stepped over.
    """
    suffix: list[str] = []
    for part in way:
        if isinstance(node, TableNode) and str(part) in node.entries:
            entry = node.entries[str(part)]
            at, node = entry.at, entry.value
        elif isinstance(node, ListNode) and isinstance(part, int) and part < len(node.items):
            node = node.items[part]
            at = node.at
        else:
            continue
        suffix.append(str(part))
    return at, node, suffix


def _known_keys(model: type[BaseModel], way: Iterable[object]) -> tuple[str, ...]:
    """Return the keys that the model at `way` inside `model` has."""
    inside = _model_at(model, way)
    return tuple(inside.model_fields) if _is_model(inside) else ()


def _holds_secrets(model: Any) -> bool:
    return _is_model(model) and any(_mentions_secret(field.annotation) for field in model.model_fields.values())


def _mentions_secret(annotation: Any) -> bool:
    return annotation is Secret or any(_mentions_secret(part) for part in get_args(annotation))


def _model_at(model: type[BaseModel], way: Iterable[object]) -> Any:
    inside: Any = model
    for part in way:
        fields = inside.model_fields if _is_model(inside) else {}
        inside = fields[str(part)].annotation if str(part) in fields else inside
        inside = _the_model(inside)
    return inside


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _the_model(annotation: Any) -> Any:
    """Return the model in `Model | None`, `Annotated[Model, ...]`, `Mapping[str, Model]`, a list; else `annotation`."""
    origin = get_origin(annotation)
    if origin is None:
        return annotation
    parts = get_args(annotation)
    if origin is Annotated:
        return _the_model(parts[0])
    if origin in (Union, types.UnionType, tuple, list) or (isinstance(origin, type) and issubclass(origin, Mapping)):
        found = [_the_model(part) for part in parts]
        return next((each for each in found if _is_model(each)), annotation)
    return annotation


def _said(error: Mapping[str, Any], node: Node) -> tuple[Text, Text]:
    """Return what pydantic's `error` means for `node`, and what to do."""
    kind, context = str(error["type"]), error.get("ctx", {})
    if kind == "secret_type":
        return say("env:NAME or file:PATH is expected here"), NOTHING
    if kind in _WANTED:
        return say("{what} is expected here, not {value}", what=_WANTED[kind], value=shown(node)), _mended(kind, node)
    if kind in ("literal_error", "enum"):
        return _not_one_of(str(context.get("expected", "")), node)
    if kind in _BOUNDS:
        return say(_BOUNDS[kind], value=shown(node), bound=_bound(context)), NOTHING
    if kind in ("string_too_short", "too_short"):
        return say("this must not be empty"), NOTHING
    if kind == "string_pattern_mismatch":
        return say("{value} does not have the form that is expected here", value=shown(node)), NOTHING
    if kind == "value_error":
        return getattr(context.get("error"), "text", None) or verbatim(str(context.get("error", error["msg"]))), NOTHING
    return verbatim(str(error["msg"])), NOTHING


_TABLE = say("a table of keys")
_WHOLE_NUMBER, _NUMBER, _LIST = say("a whole number"), say("a number"), say("a list")
_WANTED: dict[str, Text] = {
    "string_type": say("a text"),
    "int_type": _WHOLE_NUMBER,
    "int_parsing": _WHOLE_NUMBER,
    "int_from_float": _WHOLE_NUMBER,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "bool_type": say("true or false"),
    "bool_parsing": say("true or false"),
    "list_type": _LIST,
    "tuple_type": _LIST,
    "model_type": _TABLE,
    "model_attributes_type": _TABLE,
    "dict_type": _TABLE,
    "mapping_type": _TABLE,
}
_TABLES = frozenset(kind for kind, what in _WANTED.items() if what is _TABLE)
_BOUNDS = {
    "greater_than": N_("{value} is too little: it must be more than {bound}"),
    "greater_than_equal": N_("{value} is too little: at least {bound}"),
    "less_than": N_("{value} is too much: it must be less than {bound}"),
    "less_than_equal": N_("{value} is too much: at most {bound}"),
}


def _bound(context: Mapping[str, Any]) -> Value:
    bound = next((context[name] for name in ("gt", "ge", "lt", "le") if name in context), 0)
    if isinstance(bound, str) and bound.startswith("datetime.timedelta("):  # pydantic gives a duration by its repr
        return timedelta(**{unit: int(count) for unit, count in re.findall(r"(\w+)=(-?\d+)", bound)})
    return f"{bound:g}" if isinstance(bound, float) else bound if isinstance(bound, int) else str(bound)


def shown(node: Node) -> str:
    """Return the value of `node` for a message, cut when it is long."""
    if not isinstance(node, ScalarNode):
        return "[...]" if isinstance(node, ListNode) else "{...}"
    text = node.text if node.value is not None or node.text else "null"
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."


def _mended(kind: str, node: Node) -> Text:
    if not isinstance(node, ScalarNode):
        return NOTHING
    if kind == "string_type" and node.value is not None:
        return say('write it in quotes: "{text}"', text=node.text)
    if kind in ("int_type", "float_type") and isinstance(node.value, str) and re.fullmatch(r"\d+(\.\d+)?", node.text):
        return say("write it without quotes")
    if kind == "bool_type" and node.text.lower() in _TRUTH:
        return say("write {better}", better=_TRUTH[node.text.lower()])
    if kind in ("list_type", "tuple_type") and node.text:
        return say("write {better}", better=f"[{node.text}]")
    return NOTHING


def _not_one_of(expected: str, node: Node) -> tuple[Text, Text]:
    words = [quoted or bare for quoted, bare in re.findall(r"'([^']*)'|(\b\d+\b)", expected)]
    value = shown(node)
    message = say("{value} is none of: {words}", value=value, words=", ".join(words))
    if value in words:
        return message, say("write it without quotes")
    return message, close_to(value, words)
