"""The data that both sites need: `datasets:` of the inventory."""

from __future__ import annotations

from failover.model import DataSet, DataSetId, Waits
from monitor.core.ids import CheckId
from monitor.core.text import N_, say
from monitor.inventory.continuity_keys import DataSetKeys
from monitor.inventory.scope import Scope, refer
from monitor.inventory.shape import shaped
from monitor.inventory.yaml_nodes import TableNode

OF_ARCHIVE = "releve-archive-"
"""How the name of Relève's check of itself begins that says whether a folder of recordings is archived."""


def datasets(scope: Scope) -> dict[DataSetId, DataSet]:
    """Return the data sets that are right; what is wrong with the others is noted.

    What measures one is a check of the inventory, or that of the archive of a folder of recordings.
    """
    known = {*scope.checks, *(OF_ARCHIVE + name for name in scope.sections["recordings"])}
    found: dict[DataSetId, DataSet] = {}
    for name, entry in scope.sections["datasets"].items():
        where = f"datasets.{name}"
        keys = shaped(DataSetKeys, entry.value, entry.at, where, scope.problems)
        if isinstance(entry.value, TableNode):
            absent = N_("there is no check {name}")
            refer(entry.value.get("checks"), known, f"{where}.checks", absent, scope.problems)
        if keys is not None:
            measured = tuple(CheckId(check) for check in dict.fromkeys(keys.checks))
            waits = Waits({}, keys.synchronous, keys.degrade_after or Waits({}).degrade_after)
            found[DataSetId(name)] = DataSet(DataSetId(name), keys.how, keys.rpo, measured, keys.title or "", waits)
            if keys.degrade_after is not None and not keys.synchronous and isinstance(entry.value, TableNode):
                message = say("no commit waits for the copy, so that this says nothing")
                hint = say("write synchronous: true beside it, or leave it out")
                at = entry.value.entries["degrade_after"].value.at
                scope.problems.warn(at, f"{where}.degrade_after", message, hint)
    return found
