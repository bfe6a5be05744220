"""`releve status` and `releve history`: the site now, and what a check measured."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from monitor.cli import offline
from monitor.cli.context import ExitCode, Failure, Settings, console, emit_json, pass_settings, print_table
from monitor.cli.reading import ask, daemon_or_none, inventory_of, legible, segment, site_speech
from monitor.core.text import N_, Text, say

if TYPE_CHECKING:
    from monitor.store import Store


@click.command(help=N_("Show the site as it is now: open incidents, every check, and what to do."))
@click.option("--json", "as_json", is_flag=True, help=N_("Answer in JSON."))
@pass_settings
def status(settings: Settings, as_json: bool) -> int:
    """Show the site now."""
    now = site_now(settings)
    if as_json:
        emit_json(now)
    else:
        from monitor.cli.site_shown import status_page

        passive = now["daemon"] is None and offline.stands_by(settings)
        status_page(console(), now, site_speech(settings), passive=passive)
    return ExitCode.DONE if now["severity"] == "ok" else ExitCode.WRONG


def site_now(settings: Settings) -> dict[str, Any]:
    """Return the site as the daemon sees it, else as the last one left it."""
    api = daemon_or_none(settings)
    if api is not None:
        found: dict[str, Any] = ask(api, "/api/v1/status")
        return found
    return offline.read(settings, lambda store: _stored(settings, store))


def _stored(settings: Settings, store: Store) -> dict[str, Any]:
    """The site as the last daemon left it."""
    from monitor.clock import SystemClock
    from monitor.core.impact import outlook
    from monitor.core.plan import awake, stands_by
    from monitor.core.watch import expecting
    from monitor.daemon.chasing import overdue
    from monitor.daemon.move_work import expected
    from monitor.web.continuity_json import going_json
    from monitor.web.duty import duty_json
    from monitor.web.runs_json import run_json
    from monitor.web.views import health_json, status_json
    from monitor.web.windows import windows_json

    inventory, now = inventory_of(settings), SystemClock().now()
    words = settings.speech(inventory.site.language, inventory.site.timezone)
    kept = offline.stored_site(store, inventory.plan, now)
    state = expecting(kept.state, expected(kept.moves.values(), inventory, now))
    healths = awake(state)
    return status_json(
        site=inventory.site.name,
        now=now,
        checks=[
            health_json(name, check, state.healths.get(name), words, rests=stands_by(state, name))
            for name, check in inventory.checks.items()
        ],
        healths={name: health for name, health in healths.items() if name in inventory.checks},
        incidents=[(incident, inventory.protocol) for incident in state.incidents.values()],
        speech=words,
        runs=[run_json(run, words) for run in store.runs() if not run.state.over],
        services=outlook(inventory.plan, state),
        maintenance=windows_json(state.windows, words, now),
        on_call=duty_json(inventory, state.overrides, now),
        overdue=overdue(kept.outstanding.values(), state.incidents, now),
        moves=[going_json(move, inventory, words) for move in kept.moves.values() if not move.state.over],
    )


@click.command(help=N_("Show what a check measured. Without METRIC, all that it measures."))
@click.argument("check")
@click.argument("metric", required=False)
@click.option("--since", metavar="TIME", default="24h", show_default=True, help=N_("How far back: 24h, 7 d."))
@click.option("--csv", "as_csv", is_flag=True, help=N_("Write CSV; in French as Excel opens it."))
@click.option("--plot", is_flag=True, help=N_("Draw a curve."))
@click.option("--json", "as_json", is_flag=True, help=N_("Answer in JSON."))
@pass_settings
def history(
    settings: Settings, check: str, metric: str | None, since: str, as_csv: bool, plot: bool, as_json: bool
) -> int:
    """Show a series."""
    from monitor.core.units import BadUnit, parse_duration

    try:
        span = parse_duration(since)
    except BadUnit as error:
        raise Failure(say("{option}: {why}", option="--since", why=error.text)) from error
    check, metric = legible(check), legible(metric) if metric else None
    series = _series(settings, check, metric, span)
    if not any(one["samples"] for one in series):
        raise Failure(_why_empty(settings, check, metric, span))
    if as_json:
        emit_json(series)
        return ExitCode.DONE
    from monitor.cli import series_shown
    from monitor.clock import SystemClock

    words = site_speech(settings)
    if as_csv:
        click.echo(series_shown.as_csv(series, words), nl=False)
    elif plot:
        click.echo(series_shown.as_plot(series, words))
    else:
        print_table(series_shown.series_table(series, words, SystemClock().now()))
    return ExitCode.DONE


def _why_empty(settings: Settings, check: str, metric: str | None, span: timedelta) -> Text:
    """Say what is wrong with a question that nothing answers: the check's name, the metric's, or the time."""
    from probes.names import nearest

    measured = [one["metric"] for one in _series(settings, check, None, span)] if metric else []
    if measured and metric not in measured:
        names = ", ".join(measured)
        return say("{check} measures no {metric}; there are: {names}", check=check, metric=metric or "", names=names)
    known = inventory_of(settings).checks
    if check not in known and not measured:
        return say("there is no check {name}; nearest: {names}", name=check, names=nearest(check, known))
    return say("{check} has measured nothing in that time", check=check)


def _series(settings: Settings, check: str, metric: str | None, span: timedelta) -> list[dict[str, Any]]:
    api = daemon_or_none(settings)
    if api is not None:
        query = f"?since={span.total_seconds():.0f}s" + (f"&metric={segment(metric)}" if metric else "")
        found: list[dict[str, Any]] = ask(api, f"/api/v1/history/{segment(check)}{query}")
        return found
    return offline.read(settings, lambda store: _samples(store, check, metric, span))


def _samples(store: Store, check: str, metric: str | None, span: timedelta) -> list[dict[str, Any]]:
    from monitor.clock import SystemClock
    from monitor.core.ids import CheckId
    from monitor.web.views import history_json

    now = SystemClock().now()
    return history_json(store, CheckId(check), metric, now - span, now)
