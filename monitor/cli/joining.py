"""`releve incident merge` and `split`: two incidents that are one, and a failure that is another's no more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from monitor.cli import offline
from monitor.cli.acted import done
from monitor.cli.context import Settings, pass_settings
from monitor.cli.reading import act, daemon_or_none, segment
from monitor.core.ids import CheckId, IncidentId
from monitor.core.text import N_

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from monitor.core.incident import Incident
    from monitor.daemon.desk import Desk

JSON = click.option("--json", "as_json", is_flag=True, help=N_("Answer in JSON."))


@click.command(
    help=N_(
        "Follow the incident ID under INTO from now on: they are one. Whoever was told of ID is told so, and of the "
        "end of INTO."
    )
)
@click.argument("name", metavar="ID")
@click.argument("into", metavar="INTO")
@JSON
@pass_settings
def merge(settings: Settings, name: str, into: str, as_json: bool) -> int:
    """Put two incidents together."""

    async def here(desk: Desk, who: str) -> Incident:
        from monitor.daemon import joining

        return await joining.merge(desk, IncidentId(name), IncidentId(into), who)

    return _joined(settings, name, "merge", {"into": into}, here, as_json=as_json)


@click.command(
    help=N_("Tell the failure of CHECK by itself: incident ID is not its cause, whatever the inventory says.")
)
@click.argument("name", metavar="ID")
@click.argument("check", metavar="CHECK")
@JSON
@pass_settings
def split(settings: Settings, name: str, check: str, as_json: bool) -> int:
    """Take a failure out of an incident."""

    async def here(desk: Desk, who: str) -> Incident:
        from monitor.daemon import joining

        return await joining.split(desk, IncidentId(name), CheckId(check), who)

    return _joined(settings, name, "split", {"check": check}, here, as_json=as_json)


def _joined(
    settings: Settings,
    name: str,
    action: str,
    body: dict[str, Any],
    here: Callable[[Desk, str], Awaitable[Incident]],
    *,
    as_json: bool,
) -> int:
    api = daemon_or_none(settings)
    if api is not None:
        one = act(api, f"/api/v1/incidents/{segment(name)}/{action}", body)
    else:
        one = offline.act(settings, here)
    return done(settings, one, as_json=as_json, daemon=api is not None)
