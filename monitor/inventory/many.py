"""Many devices out of one entry: `range: 10.0.1.[11-110]`, or `csv: positions.csv`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from monitor.core.text import say
from monitor.inventory.addresses import is_address, look_at_address
from monitor.inventory.csv_rows import Cell, rows
from monitor.inventory.problems import Place, nearest
from monitor.inventory.schema import DeviceKeys, ManyKeys
from monitor.inventory.scope import Scope, look_at_name
from monitor.inventory.shape import shaped
from monitor.inventory.yaml_nodes import Entry, ScalarNode, TableNode, resolved
from probes.access import WAYS

MAX_DEVICES = 5000
"""Devices of one inventory: a slip in a range is more likely than a site of that size."""
_RANGE = re.compile(r"(?P<before>[^\[\]]*)\[(?P<first>\d{1,5})-(?P<last>\d{1,5})\](?P<after>[^\[\]]*)")
_FIELD = re.compile(r"\{(?P<field>n|host)(?::0?(?P<width>[1-9]))?\}")


@dataclass(frozen=True, slots=True)
class Declared:
    """A device as it was declared: its own keys, and where its problems are told. `broken`: it is no table of keys."""

    name: str
    at: Place
    where: str
    table: TableNode
    broken: bool = False


def declared_devices(scope: Scope) -> list[Declared]:
    """Return every device of the inventory, those of ranges and CSV files one by one."""
    found: dict[str, Declared] = {}
    for key, entry in scope.sections["devices"].items():
        for device in _of_entry(key, entry, scope):
            if device.at is not entry.at:
                look_at_name(device.name, device.at, f"devices.{key}", scope.problems)
            first = found.setdefault(device.name, device)
            if first is not device:
                message = say("there is a device {name} already, on line {line}", name=device.name, line=first.at.line)
                scope.problems.error(device.at, device.where, message)
            if len(found) > MAX_DEVICES:
                message = say("too many devices: {limit} at most", limit=MAX_DEVICES)
                scope.problems.error(entry.at, f"devices.{key}", message)
                return list(found.values())
    return list(found.values())


def _of_entry(key: str, entry: Entry, scope: Scope) -> Iterator[Declared]:
    where, table = f"devices.{key}", entry.value
    table = table.filled() if isinstance(table, TableNode) else table
    if not isinstance(table, TableNode) or not {"range", "csv"} & set(table.entries):
        if not isinstance(table, TableNode):
            shaped(DeviceKeys, table, entry.at, where, scope.problems)
            yield Declared(key, entry.at, where, TableNode(table.at), broken=True)
        else:
            yield Declared(key, entry.at, where, table)
        return
    own = {name: inner for name, inner in table.entries.items() if name in ManyKeys.model_fields}
    common = TableNode(table.at, {name: inner for name, inner in table.entries.items() if name not in own})
    many = shaped(ManyKeys, TableNode(table.at, own), entry.at, where, scope.problems)
    for name in ("address", "csv") if "range" in own else ("address",):
        if name in table.entries:
            message = say("address, range and csv exclude each other")
            scope.problems.error(table.entries[name].at, f"{where}.{name}", message, say("keep one of them"))
    if many is None:
        return
    if many.range is not None:
        yield from _of_range(key, own, many, common, scope)
    elif many.csv is not None:
        yield from _of_csv(own["csv"], many, common, where, scope)


def _of_range(key: str, own: dict[str, Entry], many: ManyKeys, common: TableNode, scope: Scope) -> Iterator[Declared]:
    where, at = f"devices.{key}", own["range"].value.at
    match = _RANGE.fullmatch(many.range or "")
    if match is None:
        return
    first, last = int(match["first"]), int(match["last"])
    if first > last or last - first >= MAX_DEVICES:
        message = say("a range goes from a number to a larger one, and has {limit} devices at most", limit=MAX_DEVICES)
        scope.problems.error(at, f"{where}.range", message)
        return
    width = len(match["first"]) if match["first"].startswith("0") else 0
    template = many.name or f"{key}-{{n}}"
    if last > first and not _FIELD.search(template):
        message = say("every device of the range would have the same name")
        scope.problems.error(own["name"].value.at, f"{where}.name", message, say('write "{name}-{{n:03}}"', name=key))
        return
    addresses = [f"{match['before']}{host:0{width}}{match['after']}" for host in range(first, last + 1)]
    if not is_address(addresses[-1]):
        look_at_address(addresses[-1], at, f"{where}.range", scope.problems)
        return
    for n, address in enumerate(addresses, start=1):
        entries = {**common.entries, "address": Entry("address", own["range"].at, ScalarNode(at, address, address))}
        yield Declared(_name(template, n, first + n - 1), own["range"].at, where, TableNode(common.at, entries))


def _name(template: str, n: int, host: int) -> str:
    numbers = {"n": n, "host": host}
    return _FIELD.sub(lambda field: f"{numbers[field['field']]:0{field['width'] or 1}}", template)


def _of_csv(entry: Entry, many: ManyKeys, common: TableNode, where: str, scope: Scope) -> Iterator[Declared]:
    at, problems = entry.value.at, scope.problems
    path = scope.folder.path_for(many.csv or "", at.path)
    if path is None:
        message = say("{path} lies outside the inventory's folder", path=many.csv or "")
        problems.error(at, f"{where}.csv", message, say("keep it beside or below the inventory"))
        return
    raw = scope.folder.bytes_of(path, at, f"{where}.csv")
    if raw is None:
        return
    table = rows(str(path), raw, problems)
    header = next(table, ())
    known = _look_at_header(header, Place(str(path)), many.name, where, scope)
    for n, row in enumerate(table, start=1):
        for extra in row[len(header) :]:
            if extra.text:
                problems.error(extra.at, where, say("this cell stands below no column of the header"))
        cells = {column.text: cell for column, cell in zip(header, row, strict=False) if column.text in known}
        cells = {column: cell for column, cell in cells.items() if cell.text}
        named = cells.pop("name", None)
        name = named.text if named is not None else _name(many.name or "", n, n)
        if not name:
            if any(cell.text == "name" for cell in header):
                problems.error(row[0].at, where, say("this device has no name"))
            continue
        own = _nested(row[0].at, cells)
        yield Declared(name, row[0].at, f"devices.{name}" if name.isprintable() else where, own.over(common))


def _look_at_header(header: tuple[Cell, ...], at: Place, template: str | None, where: str, scope: Scope) -> set[str]:
    """Note what is wrong with the header; return the columns that are understood."""
    known = {"name", *(key for key in DeviceKeys.model_fields if key not in WAYS)}
    known |= {f"{way}.{key}" for way, access in WAYS.items() for key in access.model_fields}
    names = [cell.text for cell in header]
    for cell in header:
        if cell.text and cell.text not in known:
            message = say("unknown column {name}", name=cell.text)
            scope.problems.error(cell.at, where, message, nearest(cell.text, known))
        if cell.text and names.count(cell.text) > 1:
            scope.problems.error(cell.at, where, say("the column {name} stands twice", name=cell.text))
    if "name" not in names and template is None:
        message = say("the header has no column name")
        scope.problems.error(at, where, message, say("its first line names the keys: name,address"))
    return known


def _nested(at: Place, cells: dict[str, Cell]) -> TableNode:
    """Return the cells as a table; a column `snmp.version` is the key `version` inside `snmp`."""
    entries: dict[str, Entry] = {}
    for column, cell in cells.items():
        key, _, inner = column.partition(".")
        text = cell.text
        value = ScalarNode(cell.at, text if key == "address" else resolved(text), text)
        if not inner:
            entries[key] = Entry(key, cell.at, value)
            continue
        table = entries.setdefault(key, Entry(key, cell.at, TableNode(cell.at))).value
        if isinstance(table, TableNode):
            table.entries[inner] = Entry(inner, cell.at, value)
    return TableNode(at, entries)
