"""What `releve guard drill` and `releve guard status` find, as data, and how it is said."""

from __future__ import annotations

import math
import os
import shlex
import time
from datetime import UTC, datetime
from typing import Any

from failover.guard import Round
from failover.guard_files import SILENT_AFTER, Record, Unreadable, exchange, read_object, read_record, record_json
from failover.guard_loop import PlanSpec
from failover.guard_stop import Mode, Stopping
from monitor.cli.context import Failure
from monitor.cli.guard_file import Guarding
from monitor.clock import SystemClock, boot_id
from monitor.core.text import Quantity, Text, say


def commands(plan: PlanSpec) -> dict[str, Any]:
    """Return what a lapse of the lease would carry out for `plan`."""
    return {
        "plan": plan.plan,
        "targets": [
            {
                "name": target.name,
                "stop": list(target.stop.argv),
                "hard": [list(command.argv) for command in target.hard],
                "check": list(target.check.argv),
                "stopped": target.check.exits,
                "within": target.stop.within,
            }
            for target in plan.targets
        ],
    }


def command_lines(data: dict[str, Any]) -> list[Text]:
    """Return `commands` as it is said."""
    lines = [say("{plan}: a lapse of the lease would carry out, nothing is done now:", plan=data["plan"])]
    for target in data["targets"]:
        within = Quantity(target["within"], "s")
        lines.append(say("  {target}, each command {within} at most", target=target["name"], within=within))
        lines.append(say("    in order: {command}", command=shlex.join(target["stop"])))
        lines += [say("    by force: {command}", command=shlex.join(hard)) for hard in target["hard"]]
        check = shlex.join(target["check"])
        lines.append(say("    stopped when this ends with {code}: {command}", code=target["stopped"], command=check))
    return lines


def drilled(known: Guarding, plan: PlanSpec) -> dict[str, Any]:
    """Stop everything of `plan` as a lapse would; return, and keep, how long it took. Raises OSError."""
    record, clock = _record(plan), SystemClock()
    at, began = clock.now(), clock.boot()
    stopping = Stopping(plan.targets, 0 if record is None else record.token, Mode.FIRST)
    while stopping.done is Round.IN_HAND:
        time.sleep(0.01)
    data = {
        "plan": plan.plan,
        "at": _utc(at),
        "actor": f"uid:{os.getuid()}",
        "proven": stopping.done is Round.PROVEN,
        "seconds": round(clock.boot() - began, 3),
        "waits": known.worst[plan.plan],
        "targets": [
            {"name": one.target, "proven": one.proven, "seconds": round(one.seconds, 3), "said": one.said}
            for one in stopping.outcomes
        ],
    }
    path = known.drill_file(plan)
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    exchange(path, data, durable=True)
    return data


def drill_lines(data: dict[str, Any]) -> list[Text]:
    """Return `drilled` as it is said."""
    lines = []
    for one in data["targets"]:
        took = Quantity(one["seconds"], "s")
        if one["proven"]:
            lines.append(say("{target}: stopped after {took}", target=one["name"], took=took))
        else:
            lines.append(
                say("{target}: NOT stopped after {took}: {said}", target=one["name"], took=took, said=one["said"])
            )
    took, waits = Quantity(data["seconds"], "s"), Quantity(math.ceil(data["waits"]), "s")
    if data["proven"]:
        lines.append(
            say(
                "{plan}: all stopped within {took}. With a fault of the guard in the middle of it: {waits} at most; "
                "`stops_within` of the plan may not be shorter",
                plan=data["plan"],
                took=took,
                waits=waits,
            )
        )
    else:
        lines.append(say("{plan}: as it stands this is no fence: put the commands right first", plan=data["plan"]))
    lines.append(say("{plan}: nothing is started again by this command", plan=data["plan"]))
    return lines


def status(known: Guarding, plan: PlanSpec) -> dict[str, Any]:
    """Return what is known of `plan`: whether a guard runs, its phase, what was proven when, the last drill."""
    record = _record(plan)
    alive = _sign_of_life(plan)
    return {
        "plan": plan.plan,
        "site": plan.site,
        "running": alive is not None,
        "silent_for": alive,
        "phase": None if record is None else record.phase.value,
        "token": None if record is None else record.token,
        "at": None if record is None else _utc(record.at),
        "proven": None if record is None or record.proven is None else _utc(record.proven),
        "targets": [] if record is None else record_json(record)["targets"],
        "stops_within": known.stops_within[plan.plan],
        "worst": known.worst[plan.plan],
        "drill": _drill(known, plan),
    }


def status_lines(data: dict[str, Any]) -> list[Text]:
    """Return `status` as it is said."""
    plan = data["plan"]
    lines = [
        say("{plan}: the guard runs", plan=plan)
        if data["running"]
        else say("{plan}: NO GUARD RUNS: nothing would be stopped (systemctl start releve-guard)", plan=plan)
    ]
    if data["phase"] is None:
        lines.append(say("  no record yet"))
    else:
        lines.append(_phase_line(data))
    lines += [
        say("  not stopped: {target}: {said}", target=one["name"], said=one["said"])
        for one in data["targets"]
        if not one["proven"]
    ]
    drill = data["drill"]
    if drill is None:
        lines.append(
            say("  never drilled: `releve guard drill {plan} --run` measures how long stopping takes", plan=plan)
        )
    elif drill["proven"]:
        took = Quantity(drill["seconds"], "s")
        lines.append(say("  last drill {date} at {at}: stopped within {took}", took=took, **_moments(drill["at"])))
    else:
        lines.append(say("  last drill {date} at {at}: NOT stopped", **_moments(drill["at"])))
    waits = Quantity(data["stops_within"], "s")
    lines.append(say("  who takes over waits {waits} after the lease, unless it reads the proof before", waits=waits))
    return lines


def _phase_line(data: dict[str, Any]) -> Text:
    since = _moments(data["at"])
    if data["phase"] == "holding":
        return say("  the lease is held since {date}, {at}: token {token}", token=data["token"], **since)
    if data["proven"] is not None:
        proven = _moments(data["proven"])
        return say("  all stopped for token {token}, seen so {date} at {at}", token=data["token"], **proven)
    return say("  STOPPING since {date}, {at}, for token {token}: not yet seen stopped", token=data["token"], **since)


def _moments(text: str) -> dict[str, Text | str | datetime]:
    at = datetime.fromisoformat(text)
    return {"date": f"{at.astimezone(UTC):%Y-%m-%d}", "at": say("{at} UTC", at=at)}


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _sign_of_life(plan: PlanSpec) -> float | None:
    """Seconds since the guard's last sign of life; None when there is none, or none of late."""
    try:
        data = read_object(plan.alive)
    except (OSError, Unreadable):
        return None
    seconds = None if data is None or data.get("boot") != boot_id() else data.get("seconds")
    if not isinstance(seconds, int | float):
        return None
    age = SystemClock().boot() - seconds
    return round(age, 3) if 0 <= age <= SILENT_AFTER else None


def _record(plan: PlanSpec) -> Record | None:
    try:
        return read_record(plan.record)
    except Unreadable as error:
        raise Failure(say("the record {path} cannot be read: {why}", path=str(plan.record), why=str(error))) from error


def _drill(known: Guarding, plan: PlanSpec) -> dict[str, Any] | None:
    try:
        data = read_object(known.drill_file(plan))
        if data is None:
            return None
        datetime.fromisoformat(data["at"])
        return {"at": data["at"], "proven": data["proven"] is True, "seconds": float(data["seconds"])}
    except (Unreadable, KeyError, TypeError, ValueError):
        return None
