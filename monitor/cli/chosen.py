"""Which incident a command is about, and all that there are: as the daemon knows them, or as they are stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from monitor.cli import offline
from monitor.cli.context import Failure, Settings
from monitor.cli.reading import ask, daemon_or_none, legible, segment, site_speech
from monitor.core.ids import IncidentId
from monitor.core.text import say

if TYPE_CHECKING:
    from monitor.store import Store


def chosen_incident(settings: Settings, name: str, *, any_status: bool = False, untaken_first: bool = False) -> str:
    """Return the name of the incident that is meant: the one given, else the only open one.

    `any_status`: where none is open, the newest, for reading. `untaken_first`: among several, the only one that nobody
    has acknowledged. Raises Failure when it is not clear.
    """
    if name:
        return legible(name)
    running = incidents(settings, open_only=True)
    untaken = [one for one in running if one["status"] == "open"] if untaken_first else []
    if len(untaken) == 1 or len(running) == 1:
        return str((untaken or running)[0]["id"])
    if running:
        names = ", ".join(str(one["id"]) for one in running)
        raise Failure(say("several incidents are open, name one of them: {names}", names=names))
    ended = incidents(settings, open_only=False) if any_status else []
    if not ended:
        raise Failure(say("no incident is open"))
    return str(ended[0]["id"])


def incidents(settings: Settings, *, open_only: bool, fresh: bool = False) -> list[dict[str, Any]]:
    """Return the incidents, newest first, as the daemon knows them or as they are stored.

    Where there is no state yet there are none if that is `fresh`; else Failure is raised: it may lie elsewhere.
    """
    api = daemon_or_none(settings)
    if api is not None:
        found: list[dict[str, Any]] = ask(api, "/api/v1/incidents" + ("?open=1" if open_only else ""))
        return found
    if fresh:
        return offline.read_or(settings, lambda store: _stored(settings, store, open_only=open_only), [])
    return offline.read(settings, lambda store: _stored(settings, store, open_only=open_only))


def _stored(settings: Settings, store: Store, *, open_only: bool) -> list[dict[str, Any]]:
    from monitor.web.views import incident_json

    words, found = site_speech(settings), store.incidents(open_only=open_only)
    notices = store.headlines([one.id for one in found])
    return [incident_json(one, notices[one.id], words) for one in found]


def one_incident(settings: Settings, name: str) -> dict[str, Any]:
    """Return one incident whole, as the daemon knows it or as it is stored. Raises Failure where there is none."""
    api = daemon_or_none(settings)
    if api is not None:
        one: dict[str, Any] = ask(api, f"/api/v1/incidents/{segment(name)}")
        return one
    return offline.read(settings, lambda store: _one_stored(settings, store, name))


def _one_stored(settings: Settings, store: Store, name: str) -> dict[str, Any]:
    from monitor.clock import SystemClock
    from monitor.web.breaches import breaches_json
    from monitor.web.runs_json import run_json
    from monitor.web.views import incident_json

    found = store.incident(IncidentId(name))
    if found is None:
        raise Failure(say("there is no incident {id}; `releve incident list` shows them", id=name))
    words = site_speech(settings)
    runs, notices = [run_json(run, words) for run in store.runs(found.id)], store.notices(found.id)
    notices += store.told_by_many(found)
    now = SystemClock().now()
    starts = store.starts(found.opened_at, now)
    missed = breaches_json(found, store.protocol(found.id), starts, notices, now, words)
    return incident_json(found, notices, words, runs) | {"breaches": missed}
