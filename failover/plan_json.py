"""A plan as JSON: a move keeps the plan that it began with, whatever becomes of the inventory meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from failover.model import (
    DataSetId,
    Drill,
    Fence,
    Guarded,
    Isolation,
    Part,
    Plan,
    PlanId,
    SiteId,
    Start,
    Steps,
    Token,
    Told,
    Work,
)
from monitor.core.ids import CheckId
from runbooks import registry


def plan_to_json(plan: Plan) -> dict[str, Any]:
    """Return `plan` as JSON-ready data; `plan_from_json` gives it back equal. Secrets stay the references they are."""
    return {
        "id": plan.id,
        "title": plan.title,
        "active": plan.active,
        "standby": plan.standby,
        "parts": {site: _part_to_json(part) for site, part in plan.parts.items()},
        "fences": [_fence_to_json(fence) for fence in plan.fences],
        "rto": plan.rto.total_seconds(),
        "start": plan.start.value,
        "by": None if plan.by is None else plan.by.total_seconds(),
        "kinds": list(plan.kinds),
        "data": list(plan.data),
        "hold_down": plan.hold_down.total_seconds(),
        "most": plan.most,
        "lag_ceiling": plan.lag_ceiling.total_seconds(),
        "drill_every": plan.drill_every.total_seconds(),
        "told": {"plan": list(plan.told.plan), "report": list(plan.told.report)},
        "titles": dict(plan.titles),
    }


def plan_from_json(data: Mapping[str, Any]) -> Plan:
    """Return the plan that `plan_to_json` wrote.

    Raises UnknownStep or pydantic's ValidationError for a step that this version does not know, KeyError or ValueError
    for what `plan_to_json` never wrote.
    """
    by = data["by"]
    return Plan(
        id=PlanId(data["id"]),
        title=data["title"],
        active=SiteId(data["active"]),
        standby=SiteId(data["standby"]),
        parts={SiteId(site): _part_from_json(part) for site, part in data["parts"].items()},
        fences=tuple(_fence_from_json(fence) for fence in data["fences"]),
        rto=timedelta(seconds=data["rto"]),
        start=Start(data["start"]),
        by=None if by is None else timedelta(seconds=by),
        kinds=tuple(data["kinds"]),
        data=tuple(DataSetId(one) for one in data["data"]),
        hold_down=timedelta(seconds=data["hold_down"]),
        most=data["most"],
        lag_ceiling=timedelta(seconds=data["lag_ceiling"]),
        drill_every=timedelta(seconds=data["drill_every"]),
        told=Told(tuple(data["told"]["plan"]), tuple(data["told"]["report"])),
        titles={SiteId(site): title for site, title in data.get("titles", {}).items()},
    )


def _steps_to_json(steps: Steps) -> list[dict[str, Any]]:
    return [
        {"step": work.step.kind, "params": work.params.model_dump(mode="json", exclude_defaults=True)} for work in steps
    ]


def _steps_from_json(data: list[Mapping[str, Any]]) -> Steps:
    steps = ((registry.load(one["step"]), one["params"]) for one in data)
    return tuple(Work(step, step.Params.model_validate(params)) for step, params in steps)


def _part_to_json(part: Part) -> dict[str, Any]:
    drill = part.drill
    return {
        "stop": _steps_to_json(part.stop),
        "promote": _steps_to_json(part.promote),
        "start": [_steps_to_json(group) for group in part.start],
        "switch": _steps_to_json(part.switch),
        "verify": list(part.verify),
        "drill": None
        if drill is None
        else {"up": _steps_to_json(drill.up), "verify": list(drill.verify), "down": _steps_to_json(drill.down)},
    }


def _part_from_json(data: Mapping[str, Any]) -> Part:
    drill = data["drill"]
    return Part(
        stop=_steps_from_json(data["stop"]),
        promote=_steps_from_json(data["promote"]),
        start=tuple(_steps_from_json(group) for group in data["start"]),
        switch=_steps_from_json(data["switch"]),
        verify=tuple(CheckId(check) for check in data["verify"]),
        drill=None
        if drill is None
        else Drill(
            _steps_from_json(drill["up"]),
            tuple(CheckId(check) for check in drill["verify"]),
            _steps_from_json(drill["down"]),
        ),
    )


def _fence_to_json(fence: Fence) -> dict[str, Any]:
    match fence:
        case Isolation(site, steps):
            return {"kind": "isolation", "site": site, "steps": _steps_to_json(steps)}
        case Token(site, raise_it):
            return {"kind": "token", "site": site, "steps": _steps_to_json(raise_it)}
        case Guarded(site, stops_within, check):
            return {"kind": "guard", "site": site, "stops_within": stops_within.total_seconds(), "check": check}


def _fence_from_json(data: Mapping[str, Any]) -> Fence:
    site = SiteId(data["site"])
    match data["kind"]:
        case "isolation":
            return Isolation(site, _steps_from_json(data["steps"]))
        case "token":
            return Token(site, _steps_from_json(data["steps"]))
        case "guard":
            check = data.get("check")
            stops_within = timedelta(seconds=data["stops_within"])
            return Guarded(site, stops_within, None if check is None else CheckId(check))
    raise ValueError(f"no fence of kind {data['kind']!r}")
