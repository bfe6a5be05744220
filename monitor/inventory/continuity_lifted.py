"""Steps of the site that takes over which would take back, at the same router, what isolates the old one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from failover.model import Isolation, Plan, SiteId
from monitor.core.ids import NodeId
from monitor.core.text import say
from monitor.inventory.continuity_plans import Drafted
from monitor.inventory.scope import Scope
from runbooks.steps.router_config import RouterConfigParams

AFTER_THE_FENCE: Final = ("promote", "start", "switch")
_MODE: Final = re.compile(
    r"(interface|router|vrf|line|route-map|address-family|ip access-list|ipv6 access-list|class-map|policy-map)\b"
)
"""How a line begins that says what the following ones are about (Cisco IOS, and FRR's vtysh, which follows it)."""


def look_at_lifting(drafted: Drafted, scope: Scope) -> None:
    """Note each step behind the fence that lifts it: the old site would be led to again while the new one runs."""
    for site in drafted.plan.parts:
        isolated = tuple(_isolating(drafted.plan, drafted.plan.other(site)))
        for key in AFTER_THE_FENCE:
            for placed in drafted.laid.placed(f"{drafted.where}.sites.{site}.{key}"):
                params = placed.work.params
                if not isinstance(params, RouterConfigParams):
                    continue
                lifted = next(filter(None, (lifts(*one, params.device, params.lines) for one in isolated)), None)
                if lifted is None:
                    continue
                message = say(
                    "{line} takes back what isolates {site}, which has to stay isolated while {other} runs",
                    line=lifted,
                    site=drafted.plan.other(site),
                    other=site,
                )
                hint = say("it belongs under switch: of {site}, which leads again then", site=drafted.plan.other(site))
                scope.problems.error(placed.at, placed.where, message, hint)


def _isolating(plan: Plan, site: SiteId) -> Iterator[tuple[NodeId | None, tuple[str, ...]]]:
    for fence in plan.fences_of(site):
        for work in fence.steps if isinstance(fence, Isolation) else ():
            if isinstance(work.params, RouterConfigParams):
                yield work.params.device, work.params.lines


def lifts(
    router: NodeId | None, isolating: tuple[str, ...], device: NodeId | None, lines: tuple[str, ...]
) -> str | None:
    """Return the first of `lines`, typed into `device`, that negates one of `isolating`, typed into `router`, in the
    same part of the configuration; None where none does, or the two are not known to be one."""
    if device is None or device != router:
        return None
    there = {(mode, _negated(line)) for mode, line in _in_modes(isolating)}
    return next((line for mode, line in _in_modes(lines) if (mode, line) in there), None)


def _in_modes(lines: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    mode = ""
    for raw in lines:
        line = " ".join(raw.split()).casefold()
        if line in ("exit", "!") or _MODE.match(line):
            mode = "" if line in ("exit", "!") else line
        else:
            yield mode, line


def _negated(line: str) -> str:
    return line.removeprefix("no ") if line.startswith("no ") else f"no {line}"
