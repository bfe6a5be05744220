"""`releve failover`: how the service goes on at the other site."""

from __future__ import annotations

import click

from monitor.cli.failover_look import plan, status
from monitor.cli.failover_run import answer, back, drill, run, stop
from monitor.core.text import N_


@click.group(help=N_("Move a group to its other site, back, or rehearse it."))
def failover() -> None:
    """Group the commands about continuity."""


for command in (status, plan, run, back, drill, answer, stop):
    failover.add_command(command)
