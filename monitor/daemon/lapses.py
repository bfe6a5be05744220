"""How a site lost the lease that is taken from it for a move: kept until that has begun, over a kill as well.

Once the lease is ours, its record no longer says that it stood still. Whoever is killed between that and the first line
of the move, or has to try again for as long as something is in the way, would have nobody left but its own gates to
say that the site is lost.

A lapse that outlived this would call a site lost where a group runs under a lease that is kept from here. It cannot:
it counts only under the token of the taking, which nothing but the next taking for a move carries on. Whoever holds
the lease for a group that runs raises the token, and ends what is kept of the lapse besides.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from failover.lease import free_in
from failover.lease_etcd import Watching
from failover.model import Plan, PlanId, Start
from failover.vantage import LAPSE_LASTS, Kept, Lapsed, in_vain
from monitor.clock import Clock, boot_id
from monitor.daemon.tenure import record_name

log = logging.getLogger(__name__)


class Lapses:
    """The lapses of all groups of one daemon: in what is known of each record, and in `folder`.

    `watching`: what is known of the record of a group's lease; `ttl`: seconds after which a lease of ours lapses;
    `highest`: the highest token of a group that the journal knows.
    """

    def __init__(
        self,
        folder: Path,
        clock: Clock,
        watching: Callable[[PlanId], Watching],
        ttl: Callable[[], float],
        highest: Callable[[PlanId], int],
    ) -> None:
        self._folder, self._clock, self._watching = folder, clock, watching
        self._ttl, self._highest = ttl, highest

    def before(self, plan: PlanId) -> Lapsed | None:
        """Return how the lease of `plan` has lapsed that is about to be taken for a move, and keep that; None: not."""
        watching, now = self._watching(plan), self._clock.boot()
        kept, highest = watching.kept, self._highest(plan)
        if kept.lapsed is not None and kept.record is not None and in_vain(kept):
            # Under both tokens: the taking may be carried out, and its answer lost, or we be killed before it comes.
            then = max(highest, kept.record.token) + 1
            one: Lapsed | None = replace(kept.lapsed, at=now, left=kept.record.token, then=then)
            watching.kept = replace(kept, lapsed=one)
        else:
            one = lapsed(kept, self._ttl(), now, highest)
        if one is not None:
            write(self._folder, plan, one)
        return one

    def taken(self, plan: PlanId, token: int, before: Lapsed | None) -> None:
        """Keep the lapse under the `token` under which the lease was taken. `before`: what was known then."""
        watching = self._watching(plan)
        one = watching.kept.lapsed
        if one is None or (one.left != token and (before is None or before.holder != one.holder)):
            return
        one = replace(one, at=self._clock.boot(), left=token, then=0)
        watching.kept = replace(watching.kept, lapsed=one)
        write(self._folder, plan, one)

    def stands(self, plan: Plan) -> bool:
        """Return whether the lease of `plan` was taken for a move that has not begun, and that begins by itself once it
        can; True also while nobody has answered yet whose the record is by now."""
        kept = self._watching(plan.id).kept
        if plan.start is Start.PERSON or kept.lapsed is None:
            return False
        return in_vain(kept) or (kept.heard is None and kept.lapsed.left > 0)

    def end(self, plan: PlanId) -> None:
        """Forget it: a move has begun, or the lease is held for a group that runs."""
        watching = self._watching(plan)
        watching.kept = replace(watching.kept, lapsed=None)
        try:
            _path(self._folder, plan).unlink(missing_ok=True)
        except OSError as error:  # the journal has its token, and it is not read again
            log.warning("a lapse is not forgotten", extra={"event": "lapse_left", "plan": plan, "why": str(error)})


def lapsed(kept: Kept, ttl: float, now: float, above: int = 0) -> Lapsed | None:
    """Return how its holder has lost the lease by `now` (CLOCK_BOOTTIME); None where it has not.

    `above`: the highest token that we know, above which it would be taken.
    """
    record, seen = kept.record, kept.seen
    if record is None or seen is None or not record.held or free_in(record, seen, ttl, now) > 0:
        return None
    return Lapsed(record.holder, seen.since, now, max(above, record.token) + 1, record.token)


def write(folder: Path, plan: PlanId, one: Lapsed) -> None:
    """Keep it in `folder`. Where that fails, it is known as long as this process lives."""
    data = {
        "boot": boot_id(), "holder": one.holder, "still": one.still, "at": one.at, "left": one.left, "token": one.token,
        "then": one.then,
    }  # fmt: skip
    path = _path(folder, plan)
    try:
        new = path.with_suffix(".new")
        new.write_text(json.dumps(data), "utf-8")
        new.replace(path)
    except OSError as error:
        log.warning("a lapse is not kept", extra={"event": "lapse_not_kept", "plan": plan, "why": str(error)})


def read(folder: Path, plans: Mapping[PlanId, int], now: float) -> dict[PlanId, Lapsed]:
    """Return those that were kept in this boot of the machine, as far as the record may still bear them out.

    `plans`: the highest token of each group that the journal knows; under that one a move has begun, or the lease was
    held. `now`: CLOCK_BOOTTIME.
    """
    found = dict[PlanId, Lapsed]()
    for plan, highest in plans.items():
        try:
            data = json.loads(_path(folder, plan).read_text("utf-8"))
            tokens = [data.get(name, 0) for name in ("left", "token", "then")]
            one = Lapsed(str(data["holder"]), float(data["still"]), float(data["at"]), *tokens)
            boot = data["boot"]
        except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
            continue  # Relève starts all the same
        if boot != boot_id() or any(type(token) is not int for token in tokens) or one.at > now:
            continue
        if one.left > highest or (one.left == 0 and now - one.at <= LAPSE_LASTS):
            found[plan] = one
    return found


def _path(folder: Path, plan: PlanId) -> Path:
    return folder / f"lapsed-{record_name(plan)}.json"
