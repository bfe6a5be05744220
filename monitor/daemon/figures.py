"""How far each copy was behind when somebody last measured it: kept with the state, so that the other site knows it.

The history stays where it was measured. What has to be said of the loss when a site is gone is asked at the other one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from failover.lag import lag_of
from failover.model import DataSet, DataSetId
from monitor.core.ids import CheckId
from monitor.daemon.beliefs import Seen
from monitor.store.batch import Figure


def measured(
    data: Mapping[DataSetId, DataSet], seen: Mapping[CheckId, Seen], kept: Mapping[CheckId, Figure]
) -> dict[CheckId, Figure]:
    """Return the newest figure of each check that measures a copy of `data`: of what was `seen` now, else as `kept`.

    A look that measured nothing leaves the figure before it: what may be lost grows with its age.
    """
    found = dict[CheckId, Figure]()
    for name in (check for one in data.values() for check in one.checks):
        lag = lag_of(seen[name].verdict) if name in seen else None
        if lag is not None:
            found[name] = (seen[name].at, lag.total_seconds())
        elif name in kept:
            found[name] = kept[name]
    return found


def newest(one: Mapping[CheckId, Figure], other: Mapping[CheckId, Figure]) -> dict[CheckId, Figure]:
    """Return of each check the later of its two figures."""
    return {
        name: max((each[name] for each in (one, other) if name in each), key=lambda figure: figure[0])
        for name in one.keys() | other.keys()
    }


def grown(figure: Figure, now: datetime) -> float:
    """Return by how many seconds a copy may be behind at `now` (UTC) of which nothing was heard since `figure`."""
    at, lag = figure
    return lag + max(0.0, (now - at).total_seconds())


def as_of(figure: Figure, until: datetime) -> Figure:
    """Return `figure` as it was at `until` (UTC), where it was measured later: what came up to then had come by then.

    A copy that lacks the last 9 s, 7 s after its site was lost, lacked 2 s of what was written there.
    """
    at, lag = figure
    return figure if at <= until else (until, max(0.0, lag - (at - until).total_seconds()))
