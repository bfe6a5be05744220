"""How a site lost the lease that is being taken from it: kept for as long as a decision takes, over a kill as well.

Once the lease is ours, its record no longer says that it stood still. Whoever is killed between that and the first line
of the move would have nobody left but its own gates to say that the site is lost.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from pathlib import Path

from failover.lease import free_in
from failover.model import PlanId
from failover.vantage import LAPSE_LASTS, Kept, Lapsed
from monitor.clock import boot_id
from monitor.daemon.tenure import record_name

log = logging.getLogger(__name__)


def lapsed(kept: Kept, ttl: float, now: float) -> Lapsed | None:
    """Return how its holder has lost the lease by `now` (CLOCK_BOOTTIME); None where it has not."""
    record, seen = kept.record, kept.seen
    if record is None or seen is None or not record.held or free_in(record, seen, ttl, now) > 0:
        return None
    return Lapsed(record.holder, seen.since, now)


def write(folder: Path, plan: PlanId, one: Lapsed) -> None:
    """Keep it in `folder`. Where that fails, it is known as long as this process lives."""
    data = {"boot": boot_id(), "holder": one.holder, "still": one.still, "at": one.at}
    path = _path(folder, plan)
    try:
        new = path.with_suffix(".new")
        new.write_text(json.dumps(data), "utf-8")
        new.replace(path)
    except OSError as error:
        log.warning("a lapse is not kept", extra={"event": "lapse_not_kept", "plan": plan, "why": str(error)})


def read(folder: Path, plans: Iterable[PlanId], now: float) -> dict[PlanId, Lapsed]:
    """Return those that were kept in this boot of the machine, and are not too old at `now` (CLOCK_BOOTTIME)."""
    found = dict[PlanId, Lapsed]()
    for plan in plans:
        try:
            data = json.loads(_path(folder, plan).read_text("utf-8"))
            one = Lapsed(str(data["holder"]), float(data["still"]), float(data["at"]))
            boot = data["boot"]
        except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
            continue  # Relève starts all the same
        if boot == boot_id() and 0 <= now - one.at <= LAPSE_LASTS:
            found[plan] = one
    return found


def _path(folder: Path, plan: PlanId) -> Path:
    return folder / f"lapsed-{record_name(plan)}.json"
