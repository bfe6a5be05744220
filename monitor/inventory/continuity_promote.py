"""Steps that promote a copy by agreement, in plans that are for a lost site as well."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from monitor.core.text import say
from monitor.inventory.continuity_plans import Drafted
from monitor.inventory.scope import Scope

FORCED_BY: Final[Mapping[str, str]] = {"patroni-switchover": "force", "always-on-failover": "forced"}
"""Kind of step -> the key with which it does without the old primary; pg-promote asks nobody."""


def look_at_agreement(drafted: Drafted, scope: Scope) -> None:
    """Warn of each step under `promote:` that the old primary must agree to: a lost one never does."""
    for site in drafted.plan.parts:
        for placed in drafted.laid.placed(f"{drafted.where}.sites.{site}.promote"):
            kind = placed.work.step.kind
            key = FORCED_BY.get(kind)
            if key is None or getattr(placed.work.params, key):
                continue
            message = say(
                "{step} asks the old primary, and one at a lost site cannot agree: {site} would not take over then",
                step=kind,
                site=site,
            )
            hint = say(
                "write {better}: where the old primary is there, it is asked all the same", better=f"{key}: true"
            )
            scope.problems.warn(placed.at, placed.where, message, hint)
