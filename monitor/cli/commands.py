"""Which commands there are. A command is imported when it is called, so that `releve --help` costs next to nothing."""

from __future__ import annotations

import copy
import re
from importlib import import_module
from typing import cast

import click

from monitor.cli.context import _
from monitor.core.text import N_

COMMANDS: dict[str, tuple[str, str]] = {
    "validate": ("monitor.cli.validate:validate", N_("Say every problem of the inventory.")),
    "schema": ("monitor.cli.validate:schema", N_("Write the JSON Schema of the inventory, for editors.")),
    "probe": ("monitor.cli.probe:probe", N_("List the kinds of probe, explain one, run one without an inventory.")),
    "check": ("monitor.cli.check:check", N_("Run checks of the inventory once, now.")),
    "run": ("monitor.cli.run:run", N_("Watch the site: the daemon.")),
    "reload": ("monitor.cli.run:reload", N_("Let the daemon take up a changed inventory.")),
    "status": ("monitor.cli.status:status", N_("Show the site as it is now.")),
    "history": ("monitor.cli.status:history", N_("Show what a check measured.")),
    "incident": ("monitor.cli.incident:incident", N_("Show incidents and act on them.")),
    "maintenance": ("monitor.cli.maintenance:maintenance", N_("Announce work, list it, end it.")),
    "oncall": ("monitor.cli.oncall:oncall", N_("Show who is on duty; take over from somebody.")),
    "runbook": ("monitor.cli.runbook:runbook", N_("Show, simulate, run and answer runbooks.")),
    "automation": ("monitor.cli.runbook:automation", N_("Stop or allow what Relève does by itself.")),
    "failover": ("monitor.cli.failover:failover", N_("Move a group to its other site, back, or rehearse it.")),
    "report": ("monitor.cli.report:report", N_("Write documents: the review of an incident.")),
    "notify": ("monitor.cli.notify:notify", N_("Send one real message to a contact, as a test.")),
    "peer": ("monitor.cli.peer:peer", N_("Keep the state of the Relève at the other site; take it over.")),
    "demo": ("monitor.cli.demo:demo", N_("Play a story on a simulated site.")),
    "audit": ("monitor.cli.audit:audit", N_("Verify that the audit trail is whole.")),
    "backup": ("monitor.cli.backup:backup", N_("Copy the state of Relève into a file.")),
    "restore": ("monitor.cli.backup:restore", N_("Put a backup back in place.")),
    "guard": ("monitor.cli.guard:guard", N_("Stop what may not run when this site loses its lease.")),
}
"""Name -> where it is (`module:object`), and what it does."""


class LazyGroup(click.Group):
    """Commands out of the table `COMMANDS`; help lists them without importing one."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the table: what is set up first comes first."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command, its help in the language spoken."""
        if cmd_name not in COMMANDS:
            return None
        module, _colon, name = COMMANDS[cmd_name][0].partition(":")
        return localized(cast(click.Command, getattr(import_module(module), name)))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that is called. Raises NoSuchCommand, which names the nearest."""
        try:
            return super().resolve_command(ctx, args)
        except click.NoSuchCommand as error:
            raise click.NoSuchCommand(error.command_name, possibilities=COMMANDS, ctx=ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table into the help."""
        with formatter.section(_("Commands")):
            formatter.write_dl([(name, _(text)) for name, (_where, text) in COMMANDS.items()])


def localized(command: click.Command) -> click.Command:
    """Return a copy of `command` with the help of itself, its options and its commands translated.

    Modules mark help by `N_` and are imported once; the language is known only when help is shown.
    """
    shown = copy.copy(command)
    shown.help = None if command.help is None else _(command.help)
    # Left to itself click ends what a list of commands says after 45 characters.
    shown.short_help = (shown.help or "").partition("\n\n")[0]
    shown.params = [_localized_parameter(parameter) for parameter in command.params]
    if isinstance(shown, click.Group):
        shown.subcommand_metavar = _places(shown.subcommand_metavar)
        shown.commands = {name: localized(sub) for name, sub in shown.commands.items()}
    return shown


def _localized_parameter(parameter: click.Parameter) -> click.Parameter:
    shown = copy.copy(parameter)
    if isinstance(shown, click.Option):
        shown.help = None if shown.help is None else _(shown.help)
        if shown.metavar is None and isinstance(shown.type, click.types.StringParamType):
            shown.metavar = "TEXT"
    elif shown.metavar is None:
        word = (shown.name or "").upper()
        shown.metavar = word if shown.required else f"[{word}]"
    shown.metavar = None if shown.metavar is None else _places(shown.metavar)
    return shown


def _places(metavar: str) -> str:
    """`[NAME]...` in the language spoken: each word in capitals stands for something that the user writes."""
    return re.sub(r"[A-Z]+", lambda found: _(found[0]), metavar)
