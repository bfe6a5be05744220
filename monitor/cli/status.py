"""`releve status` and `releve history`: the site now, and what a check measured."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from monitor.cli import offline
from monitor.cli.context import ExitCode, Failure, Settings, console, emit_json, pass_settings
from monitor.cli.reading import ask, daemon_or_none, inventory_of, legible, segment, site_speech
from monitor.core.text import N_, say

if TYPE_CHECKING:
    from monitor.store import Store


@click.command(help=N_("Show the site as it is now: open incidents, every check, and what to do."))
@click.option("--json", "as_json", is_flag=True, help=N_("Answer in JSON."))
@pass_settings
def status(settings: Settings, as_json: bool) -> int:
    """Show the site now."""
    api = daemon_or_none(settings)
    now = ask(api, "/api/v1/status") if api is not None else offline.read(settings, lambda s: _stored(settings, s))
    if as_json:
        emit_json(now)
    else:
        from monitor.cli.shown import status_page

        status_page(console(), now, site_speech(settings))
    return ExitCode.DONE if now["severity"] == "ok" else ExitCode.WRONG


def _stored(settings: Settings, store: Store) -> dict[str, Any]:
    """The site as the last daemon left it."""
    from monitor.clock import SystemClock
    from monitor.daemon.desk import KEEP
    from monitor.web.views import health_json, status_json

    inventory, now = inventory_of(settings), SystemClock().now()
    words = settings.speech(inventory.site.language, inventory.site.timezone)
    kept = store.load(now, KEEP)
    healths = kept.state.healths
    return status_json(
        site=inventory.site.name,
        now=now,
        checks=[health_json(name, check, healths.get(name), words) for name, check in inventory.checks.items()],
        healths={name: health for name, health in healths.items() if name in inventory.checks},
        incidents=[(incident, inventory.protocol) for incident in kept.state.incidents.values()],
        speech=words,
    )


@click.command(help=N_("Show what a check measured. Without METRIC, all that it measures."))
@click.argument("check")
@click.argument("metric", required=False)
@click.option("--since", default="24h", show_default=True, help=N_("How far back: 24h, 7 d."))
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
        raise Failure(say("{why}", why=str(error))) from error
    check, metric = legible(check), legible(metric) if metric else None
    series = _series(settings, check, metric, span)
    if not any(one["samples"] for one in series):
        raise Failure(say("{check} has measured nothing in that time", check=check))
    if as_json:
        emit_json(series)
        return ExitCode.DONE
    from monitor.cli import shown

    words = site_speech(settings)
    if as_csv:
        click.echo(shown.as_csv(series, words), nl=False)
    elif plot:
        click.echo(shown.as_plot(series, words))
    else:
        console().print(shown.series_table(series, words))
    return ExitCode.DONE


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
