"""Faults at random moments, out of a seed. Pure: the same seed is the same schedule on every machine."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

SITES = ("centre", "secours")
PAIRS = (
    ("centre", "secours"), ("centre", "witness"), ("secours", "witness"), ("centre", "ocm"), ("secours", "ocm"),
    ("centre", "core"), ("secours", "core"),
)  # fmt: skip
"""What can be cut: the sites and the witness from each other, and each site from the client and from its edge."""
PROCESSES = ("releve", "guard", "voter", "database", "hermes", "dialler")
MIXED = 4
"""Faults of a schedule that has no story, at most."""
WITHIN = 8.0
"""Seconds in which all faults begin."""


class Kind(StrEnum):
    """What happens."""

    CUT = "cut"
    """Nothing passes between `where` and `to`."""
    DEAF = "deaf"
    """`where` hears nothing of `to`, which hears `where`."""
    ALONE = "alone"
    """`where` is cut off from everybody."""
    CARRIER = "carrier"
    """A carrier of the centre is down."""
    SILENT = "silent"
    """A carrier of the centre lets nothing through, and is up."""
    FREEZE = "freeze"
    """A process at `where` is stopped (SIGSTOP), and goes on later."""
    STUTTER = "stutter"
    """A process at `where` gets on in jerks, as on a slow disk: most of the time it stands still."""
    KILL = "kill"
    """A process at `where` is killed, and started again later."""
    BOTH = "both"
    """Relève and guard at `where` are killed at once, and started again later."""
    POWER = "power"
    """All that runs at `where` is killed; voter, database, hosts, guard and Relève come back later."""
    GONE = "gone"
    """A process at `where` is killed, and nobody starts it again; it is looked at for as long as that `lasts`."""
    HALF = "half"
    """Whoever moves the group is killed after the `n`-th deed of a move from now on, and started again later."""
    MOVE = "move"
    """A person orders a planned move to `where`."""
    FORCE = "force"
    """A person at `where` orders a forced move to it."""


@dataclass(frozen=True, slots=True)
class Fault:
    """`at`: seconds from the beginning; `lasts`: seconds; `what`: a process or a carrier; `n`: a count of deeds."""

    at: float
    kind: Kind
    where: str
    to: str = ""
    what: str = ""
    lasts: float = 0.0
    n: int = 0

    def __str__(self) -> str:
        """Return it as in a report."""
        words = [self.kind.value, self.what, self.where, self.to, f"n={self.n}" if self.n else ""]
        return f"{self.at:.1f}s " + " ".join(word for word in words if word) + f" for {self.lasts:.1f}s"


@dataclass(frozen=True, slots=True)
class Schedule:
    """What happens in one course. `synchronous`: every commit waits for the copy from the beginning on."""

    seed: int
    synchronous: bool
    faults: tuple[Fault, ...]

    @property
    def over(self) -> float:
        """When the last fault is over (seconds)."""
        return max((fault.at + fault.lasts for fault in self.faults), default=0.0)

    def __str__(self) -> str:
        """Return it as in a report."""
        how = "synchronous" if self.synchronous else "asynchronous"
        return f"seed {self.seed} ({how}): " + "; ".join(map(str, self.faults))


UNLED = Schedule(-1, False, (Fault(1.0, Kind.GONE, "centre", what="releve", lasts=20.0),))
"""Relève alone dies at the centre, for good: all else stands there, and its guard stops the group with the lease."""


def schedule(seed: int) -> Schedule:
    """Return the schedule of `seed`: in turn a lost site, a half-applied move, or what comes."""
    dice = random.Random(seed)
    story = (_lost, _half, _mixed, _lost_and_mixed, _moved_and_mixed)[seed % 5]
    faults = sorted(story(dice), key=lambda fault: fault.at)
    return Schedule(seed, seed % 4 == 3, tuple(faults))


def _lost(dice: random.Random) -> Sequence[Fault]:
    """The centre is lost for good, as far as anybody can tell for a while."""
    kind = dice.choice((Kind.POWER, Kind.ALONE, Kind.BOTH))
    return [Fault(_at(dice, 3), kind, "centre", lasts=dice.uniform(12, 16))]


def _half(dice: random.Random) -> Sequence[Fault]:
    """A move is ordered, and whoever carries it out dies in the middle of it."""
    at, mover = _at(dice, 2), dice.choice(("releve", "both"))
    return [
        Fault(at, Kind.HALF, "", what=mover, lasts=dice.uniform(0.5, 6), n=dice.randint(1, 11)),
        Fault(at + 0.1, Kind.MOVE, "secours"),
        *([_one(dice)] if dice.random() < 0.4 else []),
    ]


def _mixed(dice: random.Random) -> Sequence[Fault]:
    return [_one(dice) for _ in range(dice.randint(2, MIXED))]


def _lost_and_mixed(dice: random.Random) -> Sequence[Fault]:
    return [*_lost(dice), *(_one(dice) for _ in range(dice.randint(1, 2)))]


def _moved_and_mixed(dice: random.Random) -> Sequence[Fault]:
    kind = dice.choice((Kind.MOVE, Kind.MOVE, Kind.FORCE))
    return [Fault(_at(dice, 3), kind, "secours"), *(_one(dice) for _ in range(dice.randint(1, 3)))]


def _one(dice: random.Random) -> Fault:
    """Any fault but an order."""
    at, lasts = _at(dice, WITHIN), dice.uniform(0.5, 8)
    kind = dice.choice(
        (Kind.CUT, Kind.CUT, Kind.DEAF, Kind.DEAF, Kind.ALONE, Kind.CARRIER, Kind.SILENT, Kind.FREEZE, Kind.FREEZE,
         Kind.STUTTER, Kind.KILL, Kind.KILL, Kind.BOTH, Kind.POWER)
    )  # fmt: skip
    match kind:
        case Kind.CUT | Kind.DEAF:
            one, other = dice.sample(dice.choice(PAIRS), 2)
            return Fault(at, kind, one, to=other, lasts=lasts)
        case Kind.CARRIER | Kind.SILENT:
            return Fault(at, kind, "edge", what=dice.choice(("fh", "fo")), lasts=lasts)
        case Kind.FREEZE | Kind.KILL:
            return Fault(at, kind, dice.choice(SITES), what=dice.choice(PROCESSES), lasts=lasts)
        case Kind.STUTTER:
            return Fault(at, kind, dice.choice(SITES), what=dice.choice(("voter", "database", "releve")), lasts=lasts)
        case _:
            return Fault(at, kind, dice.choice(SITES), lasts=lasts)


def _at(dice: random.Random, within: float) -> float:
    return round(dice.uniform(0.2, within), 2)
