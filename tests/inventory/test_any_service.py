"""Whatever stands under `services:` and `maintenance:` is read, or told; and what is read can be reckoned with."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.core.services import Works, interrupted, view_of
from monitor.inventory.load import load
from monitor.inventory.problems import Level

NOW = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)


def seldom(wrong: st.SearchStrategy[Any], right: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Mostly what is right: of many parts one that is wrong spoils the whole."""
    return st.integers(0, 40).flatmap(lambda draw: wrong if draw == 7 else right)


RIGHT = st.sampled_from(["web", "sql", "p-1-ping", "p-2-ping", "p-*", "?*"])
WRONG = st.sampled_from(["nobody", "x-*", "", "50", 3, 0.5, -1, True, None])
NAMES = seldom(WRONG, RIGHT)
CHECKS = st.sampled_from(["web", "sql", "p-1-ping", "p-2-ping"])
SERVICE_NAMES = st.sampled_from(["a", "b", "c"])
FIGURES = st.fixed_dictionaries({
    "check": st.sampled_from(["web", "sql", "p-1-ping"]), "name": st.sampled_from(["time", "time", "time", "rtt"]),
    "of": st.integers(0, 30),
})  # fmt: skip


def _tables(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    ways = st.sampled_from(["all", "any", "count"])
    return (
        seldom(
            st.dictionaries(ways, st.lists(inner, max_size=2), max_size=2),
            st.dictionaries(ways, st.lists(inner, min_size=1, max_size=4), min_size=1, max_size=1),
        )
        | st.fixed_dictionaries({"service": SERVICE_NAMES})
        | st.fixed_dictionaries({"metric": FIGURES})
    )


PARTS = st.recursive(NAMES, _tables, max_leaves=8)
LIMITS = st.sampled_from([1, 2.5, 500, "50%", "100 %", 0, "0%", "120%", "x", None])
SERVICES = st.dictionaries(
    SERVICE_NAMES,
    st.fixed_dictionaries({"count": st.lists(PARTS, min_size=1, max_size=3)}, optional={"below": LIMITS})
    | _tables(PARTS),
    max_size=3,
)
MOMENTS = st.sampled_from([
    "2026-12-01 22:00", "2026-12-02T02:00Z", "2026-10-25 02:30", "2026-03-29 02:30", "22:00", "9999-12-31 23:59", 7,
])  # fmt: skip
LENGTHS = seldom(st.sampled_from(["32 d", "36500 d", "0s", "x", 3]), st.sampled_from(["2h", "31 d"]))
DAYS = st.lists(st.sampled_from(["sun", "Lundi", "mer", "x"]), max_size=3)
WORK = st.dictionaries(
    st.sampled_from(["v", "w"]),
    st.fixed_dictionaries(
        {"checks": st.lists(CHECKS, min_size=1, max_size=2), "from": MOMENTS, "for": LENGTHS},
        optional={"until": MOMENTS, "incident": st.sampled_from(["power", "power", "blind"])},
    )
    | st.fixed_dictionaries(
        {
            "devices": st.sampled_from(["d", "p-1", "e"]),
            "at": st.sampled_from(["02:00", "23:59", "2:30", "24:00"]),
            "for": LENGTHS,
        },
        optional={"days": DAYS, "weeks": st.sampled_from([1, 5, [1, 3], [], 6])},
    ),
    max_size=2,
)
SITE: dict[str, Any] = {
    "site": {"name": "X", "timezone": "Europe/Paris"},
    "devices": {
        "d": {"address": "10.0.0.1"},
        "p": {"range": "10.0.1.[1-3]", "name": "p-{n}", "role": "server", "parent": "d"},
    },
    "checks": {
        "web": {"probe": "http", "device": "d", "port": 80},
        "sql": {"probe": "tcp", "device": "d", "port": 1433},
    },
}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(services=SERVICES, work=WORK)
def test_any_services_and_work_are_read_or_told_and_can_be_reckoned_with(services, work, tmp_path: Path):
    path = tmp_path / "inventory.yaml"
    path.write_text(json.dumps(SITE | {"services": services, "maintenance": work}), encoding="utf-8")
    loaded = load(path)
    assert (loaded.inventory is None) == any(problem.level is Level.ERROR for problem in loaded.problems)
    if loaded.inventory is None:
        return
    plan = loaded.inventory.plan
    assert (list(plan.services), [window.id for window in plan.maintenance]) == (list(services), list(work))
    for service in plan.services.values():
        for works in Works:
            seen = view_of(service.rule, plan.services, lambda _check, works=works: works, {})
            assert 0 <= seen.able <= seen.able + seen.unsure <= seen.total
            assert seen.total > 0
        assert interrupted(service, view_of(service.rule, plan.services, lambda _check: Works.NO, {}))
        assert not interrupted(service, view_of(service.rule, plan.services, lambda _check: Works.UNSURE, {}))
    for window in plan.maintenance:
        assert window.scope <= set(plan.checks)
        window.next_span(NOW)
