"""`releve validate` and `releve schema`: what is wrong with an inventory, and what one may hold."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from monitor.cli.context import ExitCode, Settings, _, emit_json, pass_settings, warn
from monitor.core.text import N_, say

if TYPE_CHECKING:
    from monitor.core.ids import NodeId
    from monitor.core.text import Speech, Text
    from monitor.inventory.load import Loaded
    from monitor.inventory.model import Check, Inventory
    from monitor.inventory.problems import Problem

COLOURS = {"error": "red", "warning": "yellow"}


@click.command(
    help=N_("Say every problem of the inventory, each with its place; the exit status is 2 if one is an error.")
)
@click.option("--live", is_flag=True, help=N_("Also try the log-in of every device that a check uses."))
@click.option("--json", "as_json", is_flag=True, help=N_("Answer in JSON."))
@pass_settings
def validate(settings: Settings, live: bool, as_json: bool) -> int:
    """Load the inventory and show its problems on stdout."""
    from monitor.inventory.load import load
    from monitor.inventory.problems import Level
    from monitor.inventory.report import problem_json

    reading = load(settings.inventory)
    problems = list(reading.problems)
    if live and reading.inventory is not None:
        problems += failed_logins(reading, reading.inventory)
    words = settings.speech(reading.language)
    if as_json:
        emit_json([problem_json(problem, words) for problem in problems])
    else:
        _print(problems, words)
        warn(words.render(_summary(settings, reading, problems)))
    return ExitCode.CANNOT if any(problem.level is Level.ERROR for problem in problems) else ExitCode.DONE


def _print(problems: list[Problem], words: Speech) -> None:
    from monitor.inventory.report import problem_json, problem_line

    for problem in problems:
        line = problem_line(problem_json(problem, words), words)
        click.echo(click.style(line, fg=COLOURS[problem.level]) if sys.stdout.isatty() else line)


def _summary(settings: Settings, reading: Loaded, problems: list[Problem]) -> Text:
    path = str(settings.inventory)
    errors = sum(problem.level == "error" for problem in problems)
    if problems:
        text = say(
            "{path}: errors: {errors}, warnings: {warnings}", path=path, errors=errors, warnings=len(problems) - errors
        )
    else:
        text = say("{path}: nothing is wrong", path=path)
    if reading.inventory is None:
        return text
    return say(
        "{verdict} (devices: {devices}, links: {links}, checks: {checks})",
        verdict=text,
        devices=len(reading.inventory.devices),
        links=len(reading.inventory.links),
        checks=len(reading.inventory.checks),
    )


def failed_logins(reading: Loaded, inventory: Inventory) -> list[Problem]:
    """Return a problem for each way to a device by which one check, run now, sees nothing.

    That we cannot look (a rejected log-in, a silent agent) is an error; that the thing itself is down, a warning.
    """
    from monitor.cli.look import Look, look
    from monitor.core.verdict import Severity
    from monitor.inventory.problems import Level, Place, Problem

    tried = logins(inventory)
    looks = [Look(each.probe, each.target, each.params, each.timeout.total_seconds()) for each in tried.values()]
    found: list[Problem] = []
    for ((device, way), check), result in zip(tried.items(), look(looks), strict=True):
        verdict = result.verdict
        blind = verdict.severity is Severity.UNKNOWN
        if blind or verdict.down:
            at = reading.logins.get((device, way), Place(str(inventory.path)))
            message = say("{check}: {summary}", check=check.id, summary=verdict.summary)
            level = Level.ERROR if blind else Level.WARNING
            found.append(Problem(at.path, at.line, at.column, f"devices.{device}.{way}", message, level=level))
    return found


def logins(inventory: Inventory) -> dict[tuple[NodeId, str], Check]:
    """Return one check for each way to each device that a check uses."""
    from probes.registry import load as load_probe

    found: dict[tuple[NodeId, str], Check] = {}
    for check in inventory.checks.values():
        given = [way for way in load_probe(check.probe).ways if way in check.target.access]
        way = str(getattr(check.params, "via", None) or (given[0] if given else ""))
        if way in check.target.access:
            found.setdefault((check.target.name, way), check)
    return found


@click.command(help=N_("Write the JSON Schema of the inventory on stdout, for editors that complete and explain YAML."))
def schema() -> None:
    """Show what an inventory may hold."""
    from monitor.inventory.json_schema import json_schema

    emit_json(json_schema(_))
