"""Device profiles: the tables in `probes/profiles/*.yaml`, found, read strictly, and chosen for a device.

A new UPS, radio or controller needs no Python, only another file; `probes.profile_model` says what may stand in it,
`probes.snmp_table` and `probes.modbus_table` turn a device's answers into values by it.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Mapping
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field, TypeAdapter, ValidationError

from probes.profile_model import ModbusProfile, SnmpProfile


class BadProfile(ValueError):
    """A table that breaks a rule; the message names the file, the place and the rule."""


class UnknownProfile(LookupError):
    """No profile of that name; `known` are those that there are."""

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        super().__init__(f"no profile {name!r}; there are: {', '.join(known)}")
        self.name, self.known = name, known


AnyProfile = Annotated[SnmpProfile | ModbusProfile, Field(discriminator="via")]
_ADAPTER: TypeAdapter[SnmpProfile | ModbusProfile] = TypeAdapter(AnyProfile)


# libyaml reads them all, which every command does, in a fifth of the time; not every PyYAML is built with it.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Strict(_LOADER):  # type: ignore[misc]
    """YAML without its traps: a key given twice is an error, and only true and false are booleans (never OFF or NO)."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Hashable] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                raise yaml.constructor.ConstructorError(None, None, "a key must be a word", key_node.start_mark)
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} is given twice", key_node.start_mark)
            seen.add(key)
        found: dict[Hashable, Any] = super().construct_mapping(node, deep)
        return found


_Strict.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers if tag != "tag:yaml.org,2002:bool"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Strict.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"true|false"), list("tf"))


def parse_profile(text: str, name: str) -> SnmpProfile | ModbusProfile:
    """Return the profile that `text` writes; `name` is its file's, without `.yaml`. Raises BadProfile."""
    try:
        data = yaml.load(text, _Strict)  # noqa: S506  (a SafeLoader)
    except yaml.YAMLError as error:
        raise BadProfile(f"{name}.yaml: {error}") from error
    try:
        profile = _ADAPTER.validate_python(data)
    except ValidationError as error:
        raise BadProfile(f"{name}.yaml: {_first(error)}") from error
    if profile.profile != name:
        raise BadProfile(f"{name}.yaml: profile: it calls itself {profile.profile!r}; the file must have that name")
    return profile


def _first(error: ValidationError) -> str:
    found = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in found["loc"] if part not in ("snmp", "modbus"))
    message = found["msg"].removeprefix("Value error, ")
    return f"{where}: {message}" if where else message


def shipped() -> Traversable:
    """Return the folder of the profiles that come with the package."""
    return files("probes").joinpath("profiles")


@cache
def profiles(folder: Path | None = None) -> Mapping[str, SnmpProfile | ModbusProfile]:
    """Return every profile by name, ours and those of `folder`, which win over ours of the same name.

    Raises BadProfile for the first table that breaks a rule, or whose fallback leads nowhere or in a circle.
    """
    found: dict[str, SnmpProfile | ModbusProfile] = {}
    for place in (shipped(), folder):
        if place is None:
            continue
        for entry in sorted(place.iterdir(), key=lambda entry: entry.name):
            name, dot, extension = entry.name.rpartition(".")
            if dot and extension == "yaml":
                found[name] = parse_profile(entry.read_text(encoding="utf-8"), name)
    for profile in found.values():
        if isinstance(profile, SnmpProfile):
            _chain(profile, found)
    return found


def _chain(profile: SnmpProfile, found: Mapping[str, SnmpProfile | ModbusProfile]) -> tuple[SnmpProfile, ...]:
    chain = [profile]
    while (name := chain[-1].fallback) is not None:
        behind = found.get(name)
        if not isinstance(behind, SnmpProfile):
            raise BadProfile(f"{chain[-1].profile}.yaml: fallback: there is no SNMP profile {name!r}")
        if behind in chain:
            raise BadProfile(f"{profile.profile}.yaml: fallback: {name!r} leads back to itself")
        chain.append(behind)
    return tuple(chain)


def snmp_profiles(kind: str, folder: Path | None = None) -> tuple[SnmpProfile, ...]:
    """Return the SNMP profiles of the probe `kind`, those that name a maker before the general ones."""
    found = [p for p in profiles(folder).values() if isinstance(p, SnmpProfile) and p.kind == kind]
    return tuple(sorted(found, key=lambda profile: not profile.match.object_ids))


def fallbacks(profile: SnmpProfile, folder: Path | None = None) -> tuple[SnmpProfile, ...]:
    """Return `profile` and the profiles that stand in for what it lacks, nearest first."""
    return _chain(profile, profiles(folder))


def modbus_profile(name: str, kind: str, folder: Path | None = None) -> ModbusProfile:
    """Return the Modbus profile `name` of the probe `kind`. Raises UnknownProfile, which names those that there are."""
    fitting = {p.profile: p for p in profiles(folder).values() if isinstance(p, ModbusProfile) and p.kind == kind}
    if name not in fitting:
        raise UnknownProfile(name, tuple(sorted(fitting)))
    return fitting[name]


def chosen(candidates: Iterable[SnmpProfile], object_id: str, present: Iterable[str]) -> SnmpProfile | None:
    """Return the profile for a device: the longest sysObjectID that it lies below, else the first whose OIDs it has.

    `object_id`: its sysObjectID, empty if it gave none; `present`: those of the candidates' `present` that it answered.
    """
    order, answered = tuple(candidates), set(present)
    best, length = None, 0
    for profile in order:
        for prefix in profile.match.object_ids:
            if f"{object_id}.".startswith(f"{prefix}.") and len(prefix) > length:
                best, length = profile, len(prefix)
    if best is not None:
        return best
    return next((profile for profile in order if answered & set(profile.match.present)), None)
