"""Which groups a guard has stopped where they run, with nothing that started them since."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from failover.model import Continuity, Part, Plan, PlanId, Site, SiteId
from monitor.core.health import Health
from monitor.core.ids import CheckId
from monitor.core.verdict import Severity
from monitor.daemon.keeping import left_stopped

CRM, CENTRE, SECOURS = PlanId("crm"), SiteId("centre"), SiteId("secours")
WEB, SQL, WEB_2 = CheckId("web-1"), CheckId("sql-1"), CheckId("web-2")
AT = datetime(2026, 11, 26, 14, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
PARTS = {CENTRE: Part(verify=(WEB, SQL)), SECOURS: Part(verify=(WEB_2,))}
PLAN = Plan(CRM, "CRM", CENTRE, SECOURS, PARTS, (), timedelta(minutes=30))
CONTINUITY = Continuity({CENTRE: Site(CENTRE, "Douala"), SECOURS: Site(SECOURS, "Yaoundé")}, plans={CRM: PLAN})


def health(severity: Severity, ok: timedelta | None) -> Health:
    return Health(severity, severity, 3, 0, AT, AT, AT, None if ok is None else AT + ok)


GOOD, BAD = health(Severity.OK, 5 * SECOND), health(Severity.CRITICAL, -5 * SECOND)


@pytest.mark.parametrize(
    ("healths", "found"),
    [
        ({WEB: BAD, SQL: GOOD}, True),
        ({WEB: health(Severity.CRITICAL, 0 * SECOND)}, True),
        ({WEB: GOOD, SQL: GOOD}, False),
        ({WEB: health(Severity.CRITICAL, SECOND)}, False),  # it worked again, and failed for another reason
        ({WEB: health(Severity.CRITICAL, None)}, False),  # it never worked yet
        ({WEB: health(Severity.UNKNOWN, -SECOND)}, False),
        ({WEB_2: BAD}, False),  # where it does not run
        ({}, False),
    ],
)
def test_what_worked_before_its_guard_stopped_it_and_fails_since_is_left_stopped(
    healths: dict[CheckId, Health], found: bool
) -> None:
    assert left_stopped(CONTINUITY, {}, {CRM: AT}, healths) == (frozenset({CRM}) if found else frozenset())
    assert left_stopped(CONTINUITY, {}, {}, healths) == frozenset()
    assert left_stopped(replace(CONTINUITY, plans={}), {}, {CRM: AT}, healths) == frozenset()
