"""`releve failover status` and `plan`: whether groups could move to the other site, and what a move would do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode

import click

from monitor.cli import offline
from monitor.cli.context import ExitCode, Failure, Settings, console, emit_json, pass_settings
from monitor.cli.reading import ask, daemon_or_none, inventory_of, legible, segment, site_speech
from monitor.core.text import N_, say

if TYPE_CHECKING:
    from datetime import datetime

    from failover.model import PlanId
    from failover.preflight import Preflight, Standing
    from failover.run import Move, MoveId
    from monitor.inventory.model import Inventory
    from monitor.store import Store

JSON = click.option("--json", "as_json", is_flag=True, help=N_("Answer in JSON."))


@click.command(help=N_("Say whether each group could move now and why not, and what would be lost."))
@click.argument("plan", default="")
@JSON
@pass_settings
def status(settings: Settings, plan: str, as_json: bool) -> int:
    """Show how the groups stand."""
    name = _named(settings, plan) if plan else ""
    groups = [one for one in _groups(settings) if name in ("", one["plan"])]
    if as_json:
        emit_json(groups)
    else:
        from monitor.cli.failover_shown import groups_page

        daemon = daemon_or_none(settings) is not None
        passive = not daemon and offline.stands_by(settings)
        groups_page(console(), groups, site_speech(settings), daemon=daemon, passive=passive)
    return ExitCode.DONE if all(map(_is_well, groups)) else ExitCode.WRONG


def _is_well(group: dict[str, Any]) -> bool:
    """Whether nobody has to do anything about the group."""
    return group["severity"] == "ok" and (group["move"] is None or group["move"]["question"] is None)


@click.command(help=N_("Say what a move would do, phase by phase, and do nothing."))
@click.argument("plan", default="")
@click.option("--to", default="", metavar="SITE", help=N_("Where to; where the group does not run, if absent."))
@click.option("--forced", is_flag=True, help=N_("As if the site where it runs were lost."))
@click.option("--drill", is_flag=True, help=N_("As a drill: beside the site that runs, and torn down again."))
@JSON
@pass_settings
def plan(settings: Settings, plan: str, to: str, forced: bool, drill: bool, as_json: bool) -> int:
    """The dry run."""
    if forced and drill:
        raise Failure(say("one of these at a time: {names}", names="--forced, --drill"))
    direction = "failover" if forced else "drill" if drill else "switchover"
    found = _course(settings, _named(settings, plan), legible(to), direction)
    if as_json:
        emit_json(found)
    else:
        from monitor.cli.failover_shown import course_page

        course_page(console(), found, site_speech(settings))
    return ExitCode.DONE


def _named(settings: Settings, plan: str) -> str:
    """The plan that is meant: the one named, else the only one. Raises Failure, which names those that there are."""
    from monitor.web.continuity_json import NoPlan, plan_of, words_of

    try:
        return plan_of(inventory_of(settings), legible(plan)).id
    except NoPlan as error:
        raise Failure(words_of(error)) from error


def _groups(settings: Settings) -> list[dict[str, Any]]:
    from monitor.web.continuity_json import NoPlan, standing_json, words_of

    inventory = inventory_of(settings)
    if not inventory.continuity.plans:
        raise Failure(words_of(NoPlan(())))
    api = daemon_or_none(settings)
    if api is not None:
        found: list[dict[str, Any]] = ask(api, "/api/v1/plans")
        return found
    known = _known(settings, inventory)
    words = settings.speech(inventory.site.language, inventory.site.timezone)
    return standing_json(inventory, known.judged, known.moves, {}, known.at, words)


class _Known(NamedTuple):
    """What the last daemon knew, judged at `at`."""

    judged: dict[PlanId, tuple[Standing, Preflight]]
    moves: dict[MoveId, Move]
    at: datetime


def _known(settings: Settings, inventory: Inventory) -> _Known:
    """What the last daemon knew of each group, judged now; nothing but the inventory where there was none."""
    from monitor.clock import SystemClock
    from monitor.core.plan import State
    from monitor.daemon.figures import newest
    from monitor.daemon.standing import figures, judged

    now = SystemClock().now()

    def known(store: Store) -> _Known:
        kept = offline.stored_site(store, inventory.plan, now)
        known = newest(figures(store, inventory), kept.figures)
        found = judged(inventory, kept.state, kept.moves.values(), known, now)
        return _Known(found, kept.moves, now)

    return offline.read_or(settings, known, _Known(judged(inventory, State(), (), {}, now), {}, now))


def _course(settings: Settings, name: str, to: str, direction: str) -> dict[str, Any]:
    api = daemon_or_none(settings)
    if api is not None:
        query = urlencode({"direction": direction, **({"to": to} if to else {})})
        found: dict[str, Any] = ask(api, f"/api/v1/plans/{segment(name)}/course?{query}")
        return found
    from failover.phases import Direction
    from monitor.web.continuity_json import NoDrill, NoSite, course_json, plan_of, words_of
    from runbooks.contract import StepFailed

    inventory = inventory_of(settings)
    plan = plan_of(inventory, name)
    known = _known(settings, inventory)
    words = settings.speech(inventory.site.language, inventory.site.timezone)
    try:
        return course_json(inventory, plan, known.judged[plan.id][0], to, Direction(direction), words)
    except (NoSite, NoDrill) as error:
        raise Failure(words_of(error)) from error
    except StepFailed as error:
        raise Failure(error.text) from error
