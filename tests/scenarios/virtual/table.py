"""A day as data: its stories, what must come of them, and the two side by side where they differ."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from alerts.notice import NoticeKey
from monitor.core.incident import Incident
from tests.scenarios.virtual.stage import Played
from tests.scenarios.virtual.truth import seconds
from tests.scenarios.virtual.world import Fault, Harm, names_in

Between = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Expected:
    """One incident as it must come: `told` by audience, step, number and recipient; moments in seconds of the day."""

    kind: str
    root: str
    opened: Between
    resolved: Between
    episodes: int = 1
    window: str = ""
    suppressed: frozenset[str] = frozenset()
    told: Mapping[str, Between] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Day:
    """What happens on a day, when Relève is restarted, and what is expected, in the order of its opening."""

    faults: tuple[Fault, ...]
    restarts: tuple[float, ...]
    expected: tuple[Expected, ...]


def day_from(path: Path) -> Day:
    """Return the day that the YAML file `path` tells."""
    stories: Sequence[Mapping[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8"))["stories"]
    expected = [_expected(each) for story in stories for each in story["expect"]]
    return Day(
        tuple(_fault(each) for story in stories for each in story["faults"]),
        tuple(moment(each) for story in stories for each in story.get("restarts", ())),
        tuple(sorted(expected, key=lambda one: one.opened)),
    )


def moment(written: str) -> float:
    """Return the second of the day that `HH:MM` or `HH:MM:SS` is."""
    hours, minutes, *rest = map(int, written.split(":"))
    return 3600.0 * hours + 60 * minutes + sum(rest)


def clock(at: float) -> str:
    """Return the second `at` of the day as `HH:MM:SS`."""
    whole = round(at)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}"


def _fault(data: Mapping[str, Any]) -> Fault:
    start, end = moment(data["from"]), moment(data["to"])
    return Fault(data["what"], Harm(data["harm"]), start, end, float(data.get("period", 0.0)))


def _between(data: Sequence[str]) -> Between:
    first, last = map(moment, data)
    return first, last


def _expected(data: Mapping[str, Any]) -> Expected:
    return Expected(
        data["kind"],
        data["root"],
        _between(data["opened"]),
        _between(data["resolved"]),
        data.get("episodes", 1),
        data.get("window", ""),
        frozenset(name for written in data.get("suppressed", ()) for name in names_in(written)),
        {key: _between(value) for key, value in data["told"].items()},
    )


def compared(day: Day, played: Played) -> tuple[list[str], list[str]]:
    """Return what was expected and what came, as lines that are equal where a moment lies between those expected."""
    incidents = sorted(played.desk.state.incidents.values(), key=lambda incident: incident.opened_at)
    left, expected, came = list(day.expected), list[str](), list[str]()
    for incident in incidents:
        fits = [one for one in left if one.root == incident.check and _near(one, incident)]
        if fits:
            left.remove(fits[0])
            expected += _lines_expected(fits[0])
        came += _lines(incident, fits[0] if fits else None, played)
    expected += [line for one in left for line in _lines_expected(one)]
    return expected, came


def _near(expected: Expected, incident: Incident) -> bool:
    """Whether the two are meant to be the same: the exact moments are compared then."""
    return abs(seconds(incident.opened_at) - expected.opened[0]) < 3600


def _lines_expected(one: Expected) -> list[str]:
    head = _head(one.kind, one.root, one.window, one.episodes)
    return [
        head,
        f"  opened {_shown(one.opened)}",
        f"  resolved {_shown(one.resolved)}",
        f"  suppressed {', '.join(_folded(one.suppressed))}",
        *sorted(f"  told {key} {_shown(between)}" for key, between in one.told.items()),
    ]


def _head(kind: str, root: str, window: str, episodes: int) -> str:
    return f"{kind}: root {root}, {episodes} episodes" + (f", announced as {window}" if window else "")


def _lines(incident: Incident, expected: Expected | None, played: Played) -> list[str]:
    ended = (
        "never"
        if incident.resolved_at is None
        else _moment(seconds(incident.resolved_at), expected and expected.resolved)
    )
    told = [(_called(one.key), seconds(one.at)) for one in played.desk.told if one.key.incident == incident.id]
    return [
        _head(incident.kind, str(incident.check), incident.window, incident.episode),
        f"  opened {_moment(seconds(incident.opened_at), expected and expected.opened)}",
        f"  resolved {ended}",
        f"  suppressed {', '.join(_folded(map(str, incident.suppressed)))}",
        *sorted(f"  told {key} {_moment(at, expected and expected.told.get(key))}" for key, at in told),
    ]


def _called(key: NoticeKey) -> str:
    number = f" {key.n}" if key.n != 1 else ""
    return f"{key.audience.value} {key.step.value}{number} {key.recipient}"


def _shown(between: Between) -> str:
    return f"{clock(between[0])}..{clock(between[1])}"


def _moment(at: float, between: Between | None) -> str:
    return _shown(between) if between is not None and between[0] <= at <= between[1] else clock(at)


def _folded(names: Iterable[str]) -> list[str]:
    """Names that differ in one number only, as one with the numbers counted: `poste-#-ping x100`."""
    groups: dict[str, list[str]] = {}
    for name in sorted(names):
        groups.setdefault(re.sub(r"\d+", "#", name, count=1), []).append(name)
    return [
        name for shape, alike in groups.items() for name in ([f"{shape} {_ranges(alike)}"] if len(alike) > 1 else alike)
    ]


def _ranges(names: list[str]) -> str:
    """The numbers in `names`, those that follow one another as `1-25`: exact, and short."""
    numbers = sorted(int(re.findall(r"\d+", name)[0]) for name in names)
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return "+".join(f"{first}-{last}" if first != last else str(first) for first, last in runs)
