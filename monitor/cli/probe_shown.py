"""What a kind of probe is, for machines and for people: read out of its class, its model and its profiles."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pydantic_core import PydanticUndefinedType
from rich.console import Console
from rich.table import Table

from monitor.cli.context import print_table
from monitor.cli.shown import severity, unbroken
from monitor.core.text import N_, Quantity, Speech, Text, say
from monitor.core.verdict import Verdict
from probes.access import WAYS
from probes.profile import profiles

if TYPE_CHECKING:
    from probes.contract import Probe


TYPES = {
    "string": N_("text"),
    "number": N_("number"),
    "integer": N_("whole number"),
    "boolean": "true | false",
    "object": N_("table"),
    "array": N_("list"),
}
"""JSON Schema's word for a type -> what people read."""


def kind_json(probe: Probe[Any, Any], words: Speech) -> dict[str, Any]:
    """Return what there is to know of `probe`.

    A third party's probe may say nothing of its metrics, ways and needs; then those are empty.
    """
    needs = getattr(probe, "needs", Text(""))
    ways: tuple[str, ...] = getattr(probe, "ways", ())
    return {
        "kind": probe.kind,
        "metrics": [{"name": name, "unit": unit} for name, unit in getattr(probe, "metrics", ())],
        "ways": [{"way": way, "parameters": _parameters(WAYS[way], words)} for way in ways if way in WAYS],
        "without_access": [way for way in ways if way not in WAYS],
        "needs": words.render(needs),
        "parameters": _parameters(probe.Params, words),
        "profiles": [
            {"name": profile.profile, "via": profile.via, "source": profile.source}
            for profile in profiles().values()
            if profile.kind == probe.kind
        ],
    }


def _parameters(model: Any, words: Speech) -> list[dict[str, Any]]:
    """Return the keys of a pydantic model; their types as JSON Schema says them."""
    schema = model.model_json_schema(by_alias=True).get("properties", {})
    return [
        {
            "name": name,
            "required": field.is_required(),
            "default": None if field.is_required() else _plain(field.default),
            "type": _type(schema.get(name, {})),
            "description": words.translate(field.description or ""),
        }
        for name, field in model.model_fields.items()
    ]


def _plain(default: Any) -> Any:
    """Return a default as the inventory would write it."""
    match default:
        case PydanticUndefinedType():  # made by a factory: an empty table or list
            return None
        case timedelta():
            return f"{default.total_seconds():g}s"
        case tuple() | list():
            return [_plain(item) for item in default]
        case bool() | int() | float() | None:
            return default
        case _:
            return str(default)


def _type(schema: dict[str, Any]) -> str:
    """Return the type in short: `integer 1..65535`, `string such as 60s`, `one of 2c, 3`."""
    if "anyOf" in schema:
        options = [_type(one) for one in schema["anyOf"] if one.get("type") != "null"]
        return " | ".join(dict.fromkeys(options))
    if "enum" in schema:
        return " | ".join(str(one) for one in schema["enum"])
    kind = schema.get("type", "object")
    name = "|".join(kind) if isinstance(kind, list) else str(kind)
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None or high is not None:
        name += f" {'' if low is None else low}..{'' if high is None else high}"
    examples = schema.get("examples")
    return f"{name} ({', '.join(str(one) for one in examples)})" if examples else name


def kinds_table(known: list[dict[str, Any]], words: Speech) -> Table:
    """Return the kinds as a table."""
    table = Table(box=None, pad_edge=False)
    for title in (N_("Kind"), N_("Measures"), N_("Reached by")):
        table.add_column(words.translate(title), overflow="fold")
    for kind in known:
        if "error" in kind:
            table.add_row(kind["kind"], kind["error"], "", style="red")
        else:
            table.add_row(kind["kind"], ", ".join(_figure(metric) for metric in kind["metrics"]), _reached(kind) or "-")
    return table


def print_kind(out: Console, kind: dict[str, Any], words: Speech) -> None:
    """Explain one kind to a person."""
    translate = words.translate
    out.print(kind["kind"], style="bold")
    measures = ", ".join(_figure(metric) for metric in kind["metrics"]) or "-"
    for text in (
        say("Measures: {figures}", figures=measures),
        say("Reached by: {ways}", ways=_reached(kind) or "-"),
        say("Needs: {needs}", needs=kind["needs"] or "-"),
    ):
        out.print(unbroken(words.render(text)))
    out.print()
    print_table(_keys(translate(N_("Parameters")), kind["parameters"], words), out)
    for way in kind["ways"]:
        out.print()
        print_table(_keys(f"{way['way']}:", way["parameters"], words), out)
    if kind["profiles"]:
        out.print()
        table = Table(box=None, pad_edge=False)
        for title in (N_("Device profiles"), N_("Reached by"), N_("Source")):
            table.add_column(translate(title), overflow="fold")
        for profile in kind["profiles"]:
            table.add_row(profile["name"], profile["via"], profile["source"])
        print_table(table, out)


def _keys(title: str, keys: list[dict[str, Any]], words: Speech) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in (title, words.translate(N_("Type")), words.translate(N_("Default")), ""):
        table.add_column(column, overflow="fold")
    for key in keys:
        default = words.translate(N_("required")) if key["required"] else _written(key["default"])
        table.add_row(key["name"], _type_in(words, key["type"]), default, unbroken(key["description"]))
    return table


def _type_in(words: Speech, shown: str) -> str:
    """The type in the language of the reader; choices and examples stay as the inventory writes them."""
    kinds, bracket, examples = shown.partition(" (")
    if " | " in kinds and not any(kind in TYPES for kind in kinds.split(" | ")):
        return shown
    said = re.sub(r"[a-z]+", lambda found: words.translate(TYPES.get(found[0], found[0])), kinds)
    return said + bracket + examples


def _written(default: Any) -> str:
    if default is None or default in ([], {}):
        return "-"
    return str(default).lower() if isinstance(default, bool) else str(default)


def _figure(metric: dict[str, str]) -> str:
    return f"{metric['name']} {metric['unit']}".strip()


def _reached(kind: dict[str, Any]) -> str:
    return ", ".join([*kind["without_access"], *(way["way"] for way in kind["ways"])])


def print_result(out: Console, verdict: Verdict, words: Speech) -> None:
    """Show one result to a person: the judgement, the figures, the facts."""
    line = severity(verdict.severity.word, words)
    line.append(f"  {words.render(verdict.summary)}", style="default")
    out.print(line)
    table = Table(box=None, pad_edge=False, show_header=False)
    for metric in verdict.metrics:
        table.add_row(metric.name, words.quantity(Quantity(metric.value, metric.unit, 3)))
    for name, value in verdict.facts.items():
        table.add_row(name, value)
    if table.row_count:
        print_table(table, out)
