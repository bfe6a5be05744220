"""Whatever happens in whatever order: the messages that there are, are those that the contract demands, and no other.

Each course has a number, from which it is drawn. It is played on the real daemon and its store, under a clock that is
set by hand, and killed at some of its writings; the contract is stated a second time, as it reads, in a model that
knows nothing of how the daemon finds out what is due. A failure shows the number, and what is left of the course once
everything that is not needed for it to fail was left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.scenarios.promise.agreed import CRITICAL, OK, WARNING, Fate, Rules
from tests.scenarios.promise.courses import (
    HOUR,
    MINUTE,
    VARIANTS,
    Blow,
    Charge,
    Course,
    Looked,
    Post,
    Rewrite,
    Tick,
    Turn,
    Words,
    drawn,
    shortest,
)
from tests.scenarios.promise.holds import wrong
from tests.scenarios.promise.play import Ground, ground_in_memory, played

COURSES, BATCH = 120, 20


@pytest.fixture(scope="module")
def ground() -> Iterator[Ground]:
    with ground_in_memory() as made:
        yield made


def fails(ground: Ground, course: Course) -> bool:
    try:
        return bool(wrong(ground, course))
    except AssertionError:
        return True


@pytest.mark.parametrize("first", range(0, COURSES, BATCH))
def test_what_is_told_is_what_the_contract_demands_whatever_happens(ground: Ground, first: int) -> None:
    for number in range(first, first + BATCH):
        if fails(ground, drawn(number)):
            least = shortest(drawn(number), lambda course: fails(ground, course))
            pytest.fail(f"course {number}: {least}\n" + "\n".join(wrong(ground, least)))


ORDINARY = Course(
    (
        Turn(1.0, Looked("door", CRITICAL)),
        Turn(30.0, Tick()),
        Turn(30.0, Looked("door", CRITICAL)),
        Turn(1.0, Post()),
        Turn(MINUTE, Charge(0, 5)),
        Turn(5 * MINUTE, Tick()),
        Turn(1.0, Post()),
        Turn(HOUR, Rewrite(1)),
        Turn(1.0, Tick()),
        Turn(1.0, Post()),
        Turn(2 * HOUR, Tick()),
        Turn(1.0, Post()),
        Turn(2 * HOUR, Looked("door", OK)),
        Turn(1.0, Post()),
        Turn(10 * MINUTE, Looked("door", CRITICAL, 2)),
        Turn(MINUTE, Words(0, "the carrier")),
        Turn(MINUTE, Post()),
        Turn(6 * MINUTE, Looked("door", OK)),
        Turn(1.0, Post()),
    )
)
"""An interruption as they come: confirmed, somebody on it, updates, a conference, an end; a relapse with another
conference, whose invitation changes and which is called off."""


LEFT = Course((Turn(1.0, Looked("room", CRITICAL)), Turn(MINUTE, Rewrite(4)), Turn(MINUTE, Looked("room", OK))), (), 1)
"""Somebody whom the protocol of an open incident names leaves before it ends."""


def test_the_courses_reach_what_they_are_there_for(ground: Ground) -> None:
    steps, fates, kills = Counter[str](), Counter[Fate](), 0
    for course in (ORDINARY, LEFT, *(drawn(number) for number in range(COURSES, COURSES + BATCH))):
        play = played(ground, course)
        kills += play.kills
        steps.update(key.split("/")[2] for key in play.model.rows)
        fates.update(row.fate for row in play.model.rows.values())
    assert set(steps) >= {
        "first_notice", "worsened", "unacknowledged", "update", "conference", "conference_updated",
        "conference_cancelled", "crisis_opened", "crisis_report", "long_soon", "long", "resolved",
    }  # fmt: skip
    assert set(fates) == set(Fate)
    assert kills > BATCH / 2


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_kill_at_any_writing_changes_nothing_of_what_is_told(ground: Ground, after: bool) -> None:
    writings = played(ground, ORDINARY).writings
    assert writings > 30
    for at in range(1, writings + 1):
        assert wrong(ground, replace(ORDINARY, blows=(Blow(at, after, 0.0),))) == [], f"writing {at}"


BETWEEN = timedelta(minutes=1)
OTHERWISE: dict[str, Rules] = {
    "another grid": replace(Rules(), every=timedelta(minutes=59)),
    "another first notice": replace(Rules(), within=BETWEEN),
    "another reader": replace(Rules(), first_to=("ocm",)),
    "other readers of updates": replace(Rules(), update_to=("att", "ocm")),
    "a later call": replace(Rules(), call_after=timedelta(minutes=61)),
    "a call of others": replace(Rules(), call_to=("ocm",)),
    "another grid of the crisis cell": replace(Rules(), reports_every=timedelta(minutes=61)),
    "other readers of its reports": replace(Rules(), reports_to=("ocm",)),
    "an end for others": replace(Rules(), resolved_to=("att",)),
    "a rehearsal": replace(Rules(), live=False),
    "another length": replace(Rules(), long_after=timedelta(hours=2)),
    "other people of ours": replace(Rules(), operations=("admin", "chief")),
}


@pytest.mark.parametrize("name", OTHERWISE)
def test_a_daemon_that_kept_another_promise_would_be_found_out(ground: Ground, name: str) -> None:
    assert wrong(ground, ORDINARY, (OTHERWISE[name], *VARIANTS[1:])) != []


def test_whoever_left_is_nobody_who_was_told(ground: Ground) -> None:
    assert wrong(ground, LEFT) == []
    assert played(ground, LEFT).model.rows["26-0001/client/resolved/1/crisis"].fate is Fate.UNDELIVERABLE


def test_a_protocol_that_is_edited_while_an_incident_is_open_holds_for_the_next_one_only(ground: Ground) -> None:
    course = Course(
        (
            Turn(1.0, Looked("room", CRITICAL)),
            Turn(MINUTE, Rewrite(1)),
            Turn(MINUTE, Looked("attic", WARNING)),
            Turn(21 * MINUTE, Tick()),
            Turn(HOUR, Tick()),
            Turn(1.0, Looked("room", OK)),
            Turn(HOUR, Looked("room", CRITICAL)),
            Turn(21 * MINUTE, Tick()),
        )
    )
    assert wrong(ground, course) == []
    keys = played(ground, course).notices
    assert [key for key in keys if "/update/" in key] == [
        "26-0001/client/update/1/att",
        "26-0003/client/update/1/att",
        "26-0003/client/update/1/ocm",
    ]


@pytest.mark.parametrize("number", [174882651])
def test_courses_that_once_went_wrong_do_so_no_more(ground: Ground, number: int) -> None:
    assert wrong(ground, drawn(number)) == []
