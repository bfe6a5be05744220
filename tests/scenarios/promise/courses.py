"""Courses of an incident, each drawn from its number: what fails, what people do, what becomes of clock and daemon."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random

from tests.scenarios.promise.agreed import CRITICAL, OK, WARNING, Rules

MINUTE, HOUR = 60.0, 3600.0
VARIANTS: tuple[Rules, ...] = (
    Rules(),
    Rules(
        within=timedelta(seconds=10),
        every=timedelta(minutes=20),
        update_to=("att", "ocm"),
        call_after=None,
        call_to=(),
        reports_every=timedelta(minutes=40),
        reports_to=("crisis",),
        resolved_to=("all", "crisis"),
        operations=("admin", "chief"),
    ),
    Rules(
        live=False,
        every=timedelta(minutes=30),
        call_after=timedelta(minutes=45),
        call_to=("ocm",),
        reports_every=timedelta(minutes=30),
        reports_to=("crisis",),
    ),
    Rules(
        every=None,
        update_to=(),
        call_after=timedelta(hours=2),
        call_to=("ocm",),
        reports_every=None,
        reports_to=(),
        resolved_to=("att",),
    ),
    Rules(contacts=("admin", "att", "ocm"), long_after=timedelta(hours=2)),
)
"""What the inventory may say; the last one no longer knows somebody whom another's incidents have to tell."""
CHECKS = {"door": 2, "room": 1, "attic": 1}
"""How many bad looks it takes to believe each check; the attic interrupts nobody."""
CLIENTS = {"door": True, "room": True, "attic": False}


@dataclass(frozen=True, slots=True)
class Looked:
    """A check was looked at, `times` times in a row."""

    check: str
    severity: str
    times: int = 1


@dataclass(frozen=True, slots=True)
class Tick:
    """Somebody looks at the clock, as every half second; in a course mostly late."""


@dataclass(frozen=True, slots=True)
class Post:
    """What is due is handed over."""


@dataclass(frozen=True, slots=True)
class Charge:
    """Somebody takes charge of the open incident number `which`, for `minutes` or to the end (0)."""

    which: int
    minutes: int


@dataclass(frozen=True, slots=True)
class Words:
    """Somebody adds a `cause`, or a note where that is empty, to an incident, open or over."""

    which: int
    cause: str


@dataclass(frozen=True, slots=True)
class Report:
    """Somebody reports an interruption that no check sees."""


@dataclass(frozen=True, slots=True)
class Close:
    """Somebody ends what was reported."""


@dataclass(frozen=True, slots=True)
class Rewrite:
    """The inventory is another."""

    variant: int


@dataclass(frozen=True, slots=True)
class Restart:
    """The daemon is stopped and started again, `out` seconds later."""

    out: float


@dataclass(frozen=True, slots=True)
class Reboot:
    """The machine is, with its clock `off` by so many seconds when it is up again; `synchronised`: by a time server."""

    out: float
    off: float
    synchronised: bool


@dataclass(frozen=True, slots=True)
class Stepped:
    """Somebody, or a time server, sets the machine's clock by `by` seconds."""

    by: float


@dataclass(frozen=True, slots=True)
class Synchronised:
    """A time server has the machine's clock, or loses it; what the daemon makes of that."""

    now: bool


Deed = (
    Looked | Tick | Post | Charge | Words | Report | Close | Rewrite | Restart | Reboot | Stepped | Synchronised
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Turn:
    """`after` seconds something happens."""

    after: float
    deed: Deed


@dataclass(frozen=True, slots=True)
class Blow:
    """The daemon is killed at its writing number `at`, just before it or just after it, and is `out` for a while."""

    at: int
    after: bool
    out: float


@dataclass(frozen=True, slots=True)
class Course:
    """What happens."""

    turns: tuple[Turn, ...]
    blows: tuple[Blow, ...] = ()
    variant: int = 0


PAUSES = (
    0.0, 0.5, 1.0, 4.0, 6.0, 20.0, MINUTE, 5 * MINUTE, 9 * MINUTE, 14 * MINUTE, 16 * MINUTE, 20 * MINUTE, 30 * MINUTE,
    45 * MINUTE, 59 * MINUTE, HOUR - 4.0, HOUR, HOUR, HOUR, HOUR + 1.0, HOUR + 7 * MINUTE, 2 * HOUR, 3 * HOUR, 5 * HOUR,
    7 * HOUR,
)  # fmt: skip
"""Seconds between two things that happen: many lie on, just before or just after a minute of some grid."""
OUTAGES = (0.0, 0.0, 5.0, MINUTE, 10 * MINUTE, HOUR, 2 * HOUR + 1.0, 9 * HOUR)
STEPS = (-7200.0, -600.0, -100.0, 100.0, 600.0, 7200.0, 100_000.0)
MOST_BLOWS = 4


def drawn(number: int) -> Course:
    """Return course `number`: the same wherever and whenever it is drawn."""
    chance = Random(number)
    start = (Turn(1.0, Looked("door", CRITICAL, 2)), Turn(1.0, Looked("room", chance.choice((WARNING, CRITICAL)))))
    turns = tuple(_turn(chance) for _ in range(chance.randint(6, 16)))
    blows = {chance.randint(1, 40) for _ in range(chance.randint(0, MOST_BLOWS))}
    return Course(
        (*start[: chance.randint(1, 2)], *turns),
        tuple(Blow(at, chance.random() < 1 / 2, chance.choice(OUTAGES)) for at in sorted(blows)),
        chance.randrange(len(VARIANTS)),
    )


def _turn(chance: Random) -> Turn:
    deed = chance.choices(DEEDS, WEIGHTS)[0](chance)
    return Turn(chance.choice(PAUSES), deed)


def _looked(chance: Random) -> Deed:
    check = chance.choice(list(CHECKS))
    bad = CRITICAL if CHECKS[check] > 1 else chance.choice((WARNING, CRITICAL))
    return Looked(check, chance.choice((OK, bad, bad)), chance.choice((1, 1, 2)))


DEEDS: tuple[Callable[[Random], Deed], ...] = (
    _looked,
    lambda chance: Tick(),
    lambda chance: Post(),
    lambda chance: Charge(chance.randint(0, 3), chance.choice((0, 5, 60))),
    lambda chance: Words(chance.randint(0, 5), chance.choice(("", "the fibre", "the carrier"))),
    lambda chance: Report(),
    lambda chance: Close(),
    lambda chance: Rewrite(chance.randrange(len(VARIANTS))),
    lambda chance: Restart(chance.choice(OUTAGES)),
    lambda chance: Reboot(
        chance.choice(OUTAGES), chance.choice((0.0, 0.0, -100_000.0, 7200.0)), chance.random() < 1 / 3
    ),
    lambda chance: Stepped(chance.choice(STEPS)),
    lambda chance: Synchronised(chance.random() < 3 / 4),
)
WEIGHTS = (8, 8, 4, 2, 1, 1, 1, 1, 1, 1, 1, 1)


def shortest(course: Course, wrong: Callable[[Course], bool]) -> Course:
    """Return `course` without whatever may be left out of it so that it is still `wrong`."""
    for n in range(len(course.turns)):
        less = replace(course, turns=course.turns[:n] + course.turns[n + 1 :])
        if wrong(less):
            return shortest(less, wrong)
    for n in range(len(course.blows)):
        less = replace(course, blows=course.blows[:n] + course.blows[n + 1 :])
        if wrong(less):
            return shortest(less, wrong)
    return course
