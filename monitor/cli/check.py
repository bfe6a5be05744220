"""`releve check`: checks of the inventory once, now."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from monitor.cli.context import ExitCode, Failure, Settings, console, emit_json, pass_settings, print_table
from monitor.core.text import N_, say

if TYPE_CHECKING:
    from monitor.core.ids import CheckId
    from monitor.core.text import Speech
    from monitor.inventory.model import Check, Inventory
    from probes.beat import Job
    from probes.runner import Result


@click.command(help=N_("Run checks of the inventory once, now: those named, or all. It changes no state."))
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help=N_("Answer in JSON."))
@pass_settings
def check(settings: Settings, names: Sequence[str], as_json: bool) -> int:
    """Run the checks and show what they say."""
    from monitor.cli.reading import inventory_of
    from probes.report import result_json

    inventory = inventory_of(settings)
    chosen = _chosen(inventory, names)
    words = settings.speech(inventory.site.language, inventory.site.timezone)
    results = _results(chosen, _jobs(settings, chosen), words, quiet=as_json)
    if as_json:
        emit_json(
            [
                result_json(one.id, one.probe, one.node, result, words)
                for one, result in zip(chosen, results, strict=True)
            ]
        )
    else:
        _show(chosen, results, words)
    return ExitCode.DONE if all(not result.verdict.severity for result in results) else ExitCode.WRONG


def _chosen(inventory: Inventory, names: Sequence[str]) -> list[Check]:
    """Return the checks of these names, in the inventory's order. Raises Failure for a name that there is not."""
    from probes.names import nearest

    for name in names:
        if name not in inventory.checks:
            near = nearest(name, inventory.checks)
            raise Failure(say("there is no check {name}; nearest: {names}", name=name, names=near))
    return [one for one in inventory.checks.values() if not names or one.id in names]


def _jobs(settings: Settings, chosen: list[Check]) -> Mapping[CheckId, Job]:
    """Return what the daemon has written down of the jobs that checks are about; nothing where it cannot be read."""
    if all(one.probe != "heartbeat" for one in chosen):
        return {}
    from monitor.store import StoreError, open_store

    try:
        with open_store(settings.data, write=False) as store:
            return store.jobs()
    except StoreError:
        return {}


def _results(chosen: list[Check], jobs: Mapping[CheckId, Job], words: Speech, *, quiet: bool) -> list[Result]:
    from monitor.cli.look import Look, look

    looks = [Look(one.probe, one.target, one.params, one.timeout.total_seconds(), jobs.get(one.id)) for one in chosen]
    if quiet or not sys.stderr.isatty():
        return look(looks)
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console(messages=True), transient=True) as progress:
        task = progress.add_task(words.translate(N_("Looking")), total=len(looks))
        return look(looks, lambda: progress.advance(task))


def _show(chosen: list[Check], results: list[Result], words: Speech) -> None:
    from rich.table import Table

    from monitor.cli.shown import severity

    table = Table(box=None, pad_edge=False)
    for title in (N_("Check"), N_("Severity"), N_("What")):
        table.add_column(words.translate(title), overflow="fold")
    for one, result in zip(chosen, results, strict=True):
        verdict = result.verdict
        table.add_row(one.id, severity(verdict.severity.word, words), words.render(verdict.summary))
    out = console()
    print_table(table, out)
    wrong = sum(1 for result in results if result.verdict.severity)
    out.print()
    out.print(words.render(say("{wrong} of {all} checks are not OK", wrong=wrong, all=len(results))))
