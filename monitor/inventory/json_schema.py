"""The inventory as JSON Schema, for editors: the models that the loader checks with, all probes' keys and steps'.

Draft 7, because that is what the YAML extensions of editors understand in full.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from monitor.inventory.kinds import BUILT_IN
from monitor.inventory.schema import InventoryKeys, ManyKeys
from probes.contract import Probe
from probes.registry import kinds, load
from runbooks import registry

DIALECT = "http://json-schema.org/draft-07/schema#"
_DEFINED = "#/$defs/"
_REFERENCE = "#/$defs/{model}"
Translate = Callable[[str], str]


def json_schema(translate: Translate = str) -> dict[str, Any]:
    """Return the JSON Schema of `inventory.yaml`; what it tells the reader goes through `translate`.

    A kind of probe that cannot be loaded is left out.
    """
    probes = _probes()
    known_steps = {kind: registry.load(kind) for kind in sorted(registry.KINDS)}
    models: list[type[BaseModel]] = [InventoryKeys, ManyKeys, *(probe.Params for probe in probes.values())]
    models += [step.Params for step in known_steps.values()]
    references, found = models_json_schema([(model, "validation") for model in models], ref_template=_REFERENCE)
    definitions: dict[str, Any] = {
        # A definition's own description is the docstring of its class.
        name: _tidy({key: value for key, value in schema.items() if key != "description"}, translate)
        for name, schema in found["$defs"].items()
    }
    names = {model: reference["$ref"].removeprefix(_DEFINED) for (model, _mode), reference in references.items()}
    own = {kind: definitions[names[probe.Params]] for kind, probe in probes.items()}
    definitions |= _checks(definitions["CheckKeys"]["properties"], own, probes)
    definitions |= _steps({kind: definitions[names[step.Params]] for kind, step in known_steps.items()})
    definitions["DeviceKeys"] = _device(definitions["DeviceKeys"], definitions["ManyKeys"])
    root = definitions.pop("InventoryKeys")
    reached = sorted(_reached(root, definitions))
    return {"$schema": DIALECT, "title": "Relève", **root, "$defs": {name: definitions[name] for name in reached}}


def _probes() -> dict[str, Probe[Any, Any]]:
    found: dict[str, Probe[Any, Any]] = {}
    for kind in sorted(kinds()):
        try:
            found[kind] = load(kind)
        except (ImportError, AttributeError):
            continue
    return found


def _reached(schema: object, definitions: Mapping[str, Any], seen: frozenset[str] = frozenset()) -> set[str]:
    """Return the names of the definitions that `schema` uses, directly or not."""
    if isinstance(schema, list):
        return set().union(*(_reached(each, definitions, seen) for each in schema))
    if not isinstance(schema, dict):
        return set()
    found = set().union(*(_reached(each, definitions, seen) for each in schema.values()))
    name = str(schema.get("$ref", "")).removeprefix(_DEFINED)
    if name in definitions and name not in seen:
        found |= {name} | _reached(definitions[name], definitions, seen | {name})
    return found


def _tidy(schema: Any, translate: Translate) -> Any:
    """Return a pydantic schema without its titles and docstrings, the descriptions of keys translated.

    A default of null says nothing. What may be None is left out rather than written as null, so null is no choice:
    editors place a problem inside a choice at the whole of it. A section may stand empty.
    """
    if isinstance(schema, list):
        return [_tidy(each, translate) for each in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: _tidy(value, translate) for key, value in schema.items() if not _is_noise(key, value, schema)}
    if isinstance(kept.get("description"), str):
        kept["description"] = translate(kept["description"])
    choices = [each for each in kept.get("anyOf", ()) if each != {"type": "null"}]
    if len(choices) == 1 and len(kept["anyOf"]) == 2:
        del kept["anyOf"]
        empty = {"type": ["object", "null"]} if "additionalProperties" in choices[0] else {}
        return {**choices[0], **empty, **kept}
    return {**kept, "anyOf": choices} if choices else kept


def _is_noise(key: str, value: object, schema: Mapping[str, object]) -> bool:
    if key == "title":
        return isinstance(value, str)
    if key == "default":
        return value is None
    return key == "description" and "properties" in schema and isinstance(value, str)


def _checks(common: Mapping[str, Any], own: Mapping[str, Any], probes: Mapping[str, Probe[Any, Any]]) -> dict[str, Any]:
    """Return the schemas of checks: the keys of each probe beside the common ones, and the choice between them.

    A check without `probe` changes one that a role brings, whose probe the schema does not know.
    """
    common = {**common, "incident": {**common["incident"], "examples": sorted(BUILT_IN)}}
    common["probe"] = {"enum": [*probes], "description": common["probe"]["description"]}
    found: dict[str, Any] = {}
    choices = []
    for kind, probe in probes.items():
        properties = {**common, **own[kind].get("properties", {})}
        if probe.ways:
            properties.setdefault("via", {"enum": [*probe.ways]})
        found[f"check-{kind}"] = {"type": "object", "properties": properties, "additionalProperties": False}
        condition = {"properties": {"probe": {"const": kind}}, "required": ["probe"]}
        choices.append({"if": condition, "then": {"$ref": _REFERENCE.format(model=f"check-{kind}")}})
    return {**found, "CheckKeys": {"type": "object", "properties": common, "allOf": choices}}


def _steps(own: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schemas of steps: the keys of each kind, and the choice between them."""
    found: dict[str, Any] = {}
    choices = []
    for kind, schema in own.items():
        properties = {"step": {"const": kind}, **schema.get("properties", {})}
        required = ["step", *schema.get("required", ())]
        found[f"step-{kind}"] = {
            "type": "object", "properties": properties, "required": required, "additionalProperties": False,
        }  # fmt: skip
        condition = {"properties": {"step": {"const": kind}}, "required": ["step"]}
        choices.append({"if": condition, "then": {"$ref": _REFERENCE.format(model=f"step-{kind}")}})
    kinds_of_step = {"type": "object", "properties": {"step": {"enum": [*own]}}, "required": ["step"], "allOf": choices}
    return {**found, "StepKeys": kinds_of_step}


def _device(one: Mapping[str, Any], many: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of a device, or of many: exactly one of address, range and csv."""
    choices = [{"required": [key]} for key in ("address", "range", "csv")]
    return {**one, "properties": {**many["properties"], **one["properties"]}, "oneOf": choices}
