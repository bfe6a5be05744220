"""A move begins by itself only where it needs nobody's word, and under the same checks as one by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from failover.by_itself import by_itself
from failover.ground import Act, Hold, Why
from failover.loss import Loss
from failover.model import DataSetId, Mode, Start
from failover.vantage import Sight, Sighted
from monitor.core.text import ENGLISH
from tests.failover.test_decide import CENTRE, CRM, GROUP, HOUR, LEASE, MINUTE, NOW, PLAN, SECOURS, SEEN, UP

UNKNOWN_LOSS = Loss(None, (DataSetId("crm-db"),), known=False)
MUCH = Loss(HOUR, (DataSetId("crm-db"),), known=True, measured_at=NOW)
SERVICE_DOWN = {"sites": {CENTRE: UP, SECOURS: UP}}


def asked(plan: dict[str, Any], seen: dict[str, Any], lease: dict[str, Any]) -> Hold | Act:
    return by_itself(replace(PLAN, **plan), replace(SEEN, **seen), replace(LEASE, **lease), (), NOW)


def group(**more: Any) -> dict[str, Any]:
    return {"groups": {CRM: replace(GROUP, **more)}}


def test_a_lost_site_is_left_without_a_word() -> None:
    found = asked({}, {}, {})
    assert isinstance(found, Act)
    assert (found.source, found.target, found.needs_word) == (CENTRE, SECOURS, None)


@pytest.mark.parametrize(
    ("plan", "seen", "lease", "why", "words"),
    [
        ({}, {}, {"mode": Mode.PAIR}, Why.WORD, "without three voters"),
        ({}, {}, {"mode": Mode.SINGLE}, Why.WORD, "without three voters"),
        ({"start": Start.PERSON}, {}, {}, Why.WORD, "a person decides"),
        ({}, group(loss=MUCH), {}, Why.WORD, "more may be lost"),
        ({}, group(loss=UNKNOWN_LOSS), {}, Why.WORD, "nobody can say how much"),
        ({"start": Start.BY, "by": HOUR}, {}, {}, Why.WORD, "not yet as old"),
        ({"start": Start.BY, "by": HOUR}, SERVICE_DOWN, {}, Why.RUNS, "lasts too long"),
        ({}, SERVICE_DOWN, {}, Why.RUNS, "nothing has to move"),
        ({}, group(work="patch"), {}, Why.MAINTENANCE, "patch"),
        ({}, {}, {"left": None}, Why.LEASE, "does not hold"),
        ({}, {"sites": {CENTRE: Sighted(Sight.LOST, (), ("secours",)), SECOURS: Sighted(Sight.SPLIT, ("a",), ("b",))}},
         {}, Why.TARGET, "is not seen up"),
    ],
)  # fmt: skip
def test_what_needs_a_word_is_held_and_says_so(
    plan: dict[str, Any], seen: dict[str, Any], lease: dict[str, Any], why: Why, words: str
) -> None:
    found = asked(plan, seen, lease)
    assert isinstance(found, Hold)
    assert found.why is why
    assert words in ENGLISH.render(found.text)


def test_a_site_that_stands_is_left_when_the_incident_is_old_enough() -> None:
    old = {"groups": {CRM: replace(GROUP, incident=NOW - HOUR - MINUTE)}, **SERVICE_DOWN}
    found = asked({"start": Start.BY, "by": HOUR}, old, {})
    assert isinstance(found, Act)
    early = asked({"start": Start.BY, "by": HOUR + 2 * MINUTE}, old, {})
    assert isinstance(early, Hold)
    assert early.until == NOW + timedelta(minutes=1)
