"""What proves a repair: a check that became OK in time and stayed so, and nothing less, whoever is in a hurry."""

from __future__ import annotations

from datetime import timedelta

from monitor.core.ids import CheckId
from monitor.core.text import say
from monitor.core.verdict import Severity, Verdict
from runbooks.proof import until_ok

DOOR = CheckId("door")
LONG, SOON = timedelta(minutes=5), timedelta(milliseconds=10)


async def test_an_emergency_stop_makes_no_proof_of_what_was_ok_for_a_moment(make_io):
    seen = await until_ok(DOOR, LONG, LONG, make_io(halted=True), SOON)
    assert seen.severity is Severity.UNKNOWN
    assert (await until_ok(DOOR, LONG, timedelta(), make_io(halted=True), SOON)).severity is Severity.OK


async def test_what_starts_and_dies_over_and_over_is_never_proven(make_io):
    looks = 0

    async def flickering(check: CheckId) -> Verdict:
        nonlocal looks
        looks += 1
        return Verdict(Severity.OK if looks % 2 else Severity.CRITICAL, say("look {n}", n=looks))

    seen = await until_ok(DOOR, timedelta(milliseconds=300), timedelta(milliseconds=80), make_io(flickering), SOON)
    assert seen.severity is Severity.CRITICAL
    assert looks > 2
