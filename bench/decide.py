"""What `decide` costs for 200 groups, beside a bare loop of the same interpreter, in pairs.

No peer has this as a function that could be called alone: Patroni's and Pacemaker's are one with their round of IO. So
the figure is a time (target: below 1 ms), and the ratio to a loop of 10 000 additions says what it is worth on another
machine. Quiet: every site is up, as it is every few seconds for years. Lost: every site but ours is, and every group
has a history that has to be looked through.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from failover.decide import decide
from failover.ground import Act, Group, LeaseSeen, Move, Seen, runs_at
from failover.loss import Loss
from failover.model import DataSetId, Guarded, Mode, Plan, PlanId, SiteId, Start
from failover.phases import Direction
from failover.vantage import Sight, Sighted

PAIRS, GROUPS, ADDITIONS = 101, 200, 10_000
CENTRE, SECOURS = SiteId("centre"), SiteId("secours")
NOW = datetime(2026, 11, 26, 14, 0, tzinfo=UTC)
UP, LOST = Sighted(Sight.UP, ("client", "secours")), Sighted(Sight.LOST, (), ("client", "secours"), ("centre",))
LEASE = LeaseSeen(Mode.QUORUM, timedelta(seconds=12))
LOSS = Loss(timedelta(seconds=2), (DataSetId("db"),), known=True, measured_at=NOW)


def plan(n: int) -> Plan:
    """Return the plan of the group number `n`."""
    fence = Guarded(CENTRE, timedelta(seconds=10))
    half_an_hour = timedelta(minutes=30)
    return Plan(
        PlanId(f"g{n}"), f"G{n}", CENTRE, SECOURS, {}, (fence,), half_an_hour, start=Start.ON_LOSS,
        kinds=("site-lost",), lag_ceiling=timedelta(minutes=5),
    )  # fmt: skip


PLANS = [plan(n) for n in range(GROUPS)]
OFTEN = (
    Move(Direction.FAILBACK, CENTRE, NOW - timedelta(days=9), NOW - timedelta(days=9), "awa", True, CENTRE),
    *(
        Move(Direction.DRILL, SECOURS, NOW - timedelta(days=n), NOW - timedelta(days=n), "awa", True, CENTRE)
        for n in range(8, 2, -1)
    ),
)
GROUP = Group(LOSS, NOW - timedelta(minutes=2), None)
QUIET = Seen({CENTRE: UP, SECOURS: UP}, {one.id: Group(LOSS, None, None) for one in PLANS})
CUT = Seen({CENTRE: LOST, SECOURS: UP}, {one.id: GROUP for one in PLANS})


def quiet() -> None:
    """Decide for every group while all is well."""
    for one in PLANS:
        decide(one, QUIET, LEASE, OFTEN, NOW)


def cut() -> None:
    """Decide for every group when the site of all of them is lost."""
    for one in PLANS:
        decide(one, CUT, LEASE, OFTEN, NOW)


def bare() -> None:
    """The peer: additions of the same interpreter."""
    total = 0
    for n in range(ADDITIONS):
        total += n


def spent(what: Callable[[], None]) -> float:
    """Return the CPU seconds of `what`."""
    before = time.process_time_ns()
    what()
    return (time.process_time_ns() - before) / 1e9


def main() -> None:
    """Measure and print."""
    if not isinstance(decide(PLANS[0], CUT, LEASE, OFTEN, NOW), Act) or runs_at(PLANS[0], OFTEN) != CENTRE:
        raise SystemExit("the ground of this bench is wrong: nothing would move")
    for name, what in (("all is well", quiet), ("every site is lost", cut)):
        pairs = [(spent(what), spent(bare)) for _ in range(PAIRS)]
        ours = sorted(one * 1e3 for one, _ in pairs)
        ratio = statistics.median(one / other for one, other in pairs)
        low, high = ours[len(ours) // 10], ours[-1 - len(ours) // 10]
        print(
            f"decide for {GROUPS} groups, {name}, CPU: {statistics.median(ours):.2f} ms ({low:.2f} to {high:.2f}); "
            f"/ {ADDITIONS} additions: {ratio:.2f}"
        )


if __name__ == "__main__":
    main()
