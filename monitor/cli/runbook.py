"""`releve runbook` and `releve automation`: what Relève would repair, what it repairs, and a person's word on it."""

from __future__ import annotations

import re
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

from monitor.cli import offline
from monitor.cli.context import ExitCode, Failure, Settings, console, emit_json, pass_settings, print_table, warn
from monitor.cli.reading import act, ask, daemon_or_none, inventory_of, legible, segment, site_speech
from monitor.core.text import N_, say

if TYPE_CHECKING:
    from monitor.daemon.automation import Automation
    from monitor.store import Store
    from monitor.web.client import LocalApi
    from runbooks.run import Run

JSON = click.option("--json", "as_json", is_flag=True, help=N_("Answer in JSON."))
SUBJECT = click.option(
    "--subject", default="", metavar="CHECK", help=N_("The check that it is about; the open incident's, if absent.")
)
WORDS = click.option("--note", "text", default="", help=N_("Why; it stands in the review."))
FOLLOW_EVERY = 0.5
"""Seconds between two looks at a run that is followed."""
YES, NO = frozenset({"y", "yes", "o", "oui"}), frozenset({"", "n", "no", "non"})
FINE = ("succeeded", "simulated")
RUN_NAME = re.compile(r"R\d\d-\d+")
"""How a run is named; whatever else is asked for was meant as a runbook."""


@click.group(help=N_("Show runbooks and runs, simulate one, run one, answer one."))
def runbook() -> None:
    """Group the commands about runbooks."""


@runbook.command("list", help=N_("List the runbooks, and the latest runs."))
@JSON
@pass_settings
def list_(settings: Settings, as_json: bool) -> int:
    """Show what there is and what ran."""
    books, runs = _books(settings), _runs(settings)
    if as_json:
        emit_json({"runbooks": books, "runs": runs})
    else:
        from monitor.cli.runs_shown import book_table
        from monitor.cli.shown import run_table
        from monitor.clock import SystemClock

        words = site_speech(settings)
        print_table(book_table(books, words))
        if runs:
            console().print()
            print_table(run_table(runs, words, SystemClock().now()))
    return ExitCode.WRONG if any(run["state"] == "waiting" for run in runs) else ExitCode.DONE


@runbook.command(help=N_("Show a runbook, or one run: its plan, what became of it, its journal."))
@click.argument("name")
@JSON
@pass_settings
def show(settings: Settings, name: str, as_json: bool) -> int:
    """Show a runbook by its name, a run by its number."""
    name = legible(name)
    book = next((one for one in _books(settings) if one["runbook"] == name), None)
    if book is not None:
        if as_json:
            emit_json(book)
        else:
            import yaml

            click.echo(yaml.safe_dump(book["body"], allow_unicode=True, sort_keys=False), nl=False)
        return ExitCode.DONE
    if RUN_NAME.fullmatch(name) is None:
        raise _no_runbook(settings, name)
    run = _run(settings, name)
    if as_json:
        emit_json(run)
    else:
        _show_run(settings, run)
    return ExitCode.DONE if run["state"] in FINE else ExitCode.WRONG


@runbook.command(help=N_("Say what a runbook would do, and do nothing."))
@click.argument("name")
@SUBJECT
@JSON
@pass_settings
def plan(settings: Settings, name: str, subject: str, as_json: bool) -> int:
    """The dry run."""
    name = legible(name)
    _known(settings, name)
    found = _plan(settings, name, _subject(settings, name, subject))
    if as_json:
        emit_json(found)
    else:
        from monitor.cli.runs_shown import plan_page

        plan_page(console(), found, site_speech(settings))
    return ExitCode.DONE


@runbook.command(help=N_("Carry a runbook out, after a question, and follow it to its end."))
@click.argument("name")
@SUBJECT
@click.option("--yes", is_flag=True, help=N_("Ask nothing."))
@JSON
@pass_settings
def run(settings: Settings, name: str, subject: str, yes: bool, as_json: bool) -> int:
    """Run one."""
    name = legible(name)
    _known(settings, name)
    about = _subject(settings, name, subject)
    words = site_speech(settings)
    if not yes:
        from monitor.cli.runs_shown import plan_page

        plan_page(console(messages=True), _plan(settings, name, about), words, simulated=False)
        if not sys.stdin.isatty():
            raise Failure(say("nobody is there to be asked: add --yes to carry it out"))
        if not _agreed(words.render(say("Carry it out? [y/N]"))):
            warn(words.render(say("Nothing was done.")))
            raise click.Abort
    api = daemon_or_none(settings)
    if api is not None:
        begun = act(api, f"/api/v1/runbooks/{segment(name)}/run", {"subject": about})
        ended = _followed(settings, api, begun["id"], quiet=as_json)
    else:
        ended = _in_this_process(settings, name, about)
    if as_json:
        emit_json(ended)
    else:
        _show_run(settings, ended)
    return ExitCode.DONE if ended["state"] in FINE else ExitCode.WRONG


@runbook.command(help=N_("Say yes to what a run asks. NAME: the run, or its runbook if only one waits."))
@click.argument("name")
@WORDS
@JSON
@pass_settings
def approve(settings: Settings, name: str, text: str, as_json: bool) -> int:
    """Answer yes."""
    return _answer(settings, name, "approve", text, as_json=as_json)


@runbook.command(help=N_("Say no to what a run asks; it ends. NAME: the run, or its runbook if only one waits."))
@click.argument("name")
@WORDS
@JSON
@pass_settings
def refuse(settings: Settings, name: str, text: str, as_json: bool) -> int:
    """Answer no."""
    return _answer(settings, name, "refuse", text, as_json=as_json)


@click.group(help=N_("Stop everything that Relève does by itself, or let it go on."))
def automation() -> None:
    """Group the commands about the automation as a whole."""


@automation.command(help=N_("The emergency stop: no runbook starts, those that run end before their next action."))
@JSON
@pass_settings
def stop(settings: Settings, as_json: bool) -> int:
    """Stop."""
    return _set(settings, "stop", {}, lambda one, who: one.stop(who), as_json=as_json)


@automation.command(
    help=N_("End the emergency stop; with NAME, let this runbook interrupt what still works without asking.")
)
@click.argument("name", default="")
@click.option(
    "--for", "span", metavar="TIME", default="1 h", show_default=True, help=N_("For how long the runbook is armed.")
)
@JSON
@pass_settings
def arm(settings: Settings, name: str, span: str, as_json: bool) -> int:
    """Arm."""
    from monitor.clock import SystemClock
    from monitor.core.units import BadUnit, parse_duration

    name = legible(name)
    try:
        length = parse_duration(span)
    except BadUnit as error:
        raise Failure(error.text) from error
    until = SystemClock().now() + length if name else None
    return _set(
        settings, "arm", {"runbook": name, "for": span}, lambda one, who: one.arm(who, name, until), as_json=as_json
    )


@automation.command("show", help=N_("Say whether Relève acts by itself, and what is armed."))
@JSON
@pass_settings
def show_policy(settings: Settings, as_json: bool) -> int:
    """Show what is allowed."""
    return _told_policy(settings, _policy(settings), as_json=as_json)


def _set(
    settings: Settings,
    action: str,
    body: dict[str, Any],
    work: Callable[[Automation, str], Awaitable[None]],
    *,
    as_json: bool,
) -> int:
    api = daemon_or_none(settings)
    if api is not None:
        return _told_policy(settings, act(api, f"/api/v1/automation/{action}", body), as_json=as_json)
    offline.automate(settings, work)
    return _told_policy(settings, _policy(settings), as_json=as_json)


def _policy(settings: Settings) -> dict[str, Any]:
    api = daemon_or_none(settings)
    if api is not None:
        found: dict[str, Any] = ask(api, "/api/v1/automation")
        return found
    from monitor.daemon.policy import Policy
    from monitor.web.runs_json import policy_json

    live = inventory_of(settings).automation.live
    nothing: Mapping[str, Any] = {}
    kept = offline.read_or(settings, lambda store: store.automation(), nothing)
    return policy_json(Policy.from_json(kept), live=live)


def _told_policy(settings: Settings, policy: dict[str, Any], *, as_json: bool) -> int:
    if as_json:
        emit_json(policy)
    else:
        from monitor.cli.runs_shown import policy_page
        from monitor.clock import SystemClock

        daemon = daemon_or_none(settings) is not None
        policy_page(console(), policy, site_speech(settings), SystemClock().now(), daemon=daemon)
    return ExitCode.WRONG if policy["halted_by"] else ExitCode.DONE


def _books(settings: Settings) -> list[dict[str, Any]]:
    from monitor.web.runs_json import book_json

    inventory = inventory_of(settings)
    kinds = {name: kind.runbook for name, kind in inventory.kinds.items()}
    words = settings.speech(inventory.site.language, inventory.site.timezone)
    return [book_json(book, words, kinds) for _, book in sorted(inventory.books.items())]


def _runs(settings: Settings) -> list[dict[str, Any]]:
    api = daemon_or_none(settings)
    if api is not None:
        found: list[dict[str, Any]] = ask(api, "/api/v1/runs")
        return found
    from monitor.web.runs_json import run_json

    words = site_speech(settings)
    return offline.read_or(settings, lambda store: [run_json(one, words) for one in reversed(store.runs())], [])


def _agreed(question: str) -> bool:
    """Ask until the answer is a yes or a no, in whatever language; nothing but a return is a no."""
    while True:
        answer = click.prompt(question, default="", show_default=False, err=True).strip().casefold()
        if answer in YES:
            return True
        if answer in NO:
            return False


def _known(settings: Settings, name: str) -> None:
    """Do nothing if there is the runbook `name`. Raises Failure."""
    if name not in inventory_of(settings).books:
        raise _no_runbook(settings, name)


def _no_runbook(settings: Settings, name: str) -> Failure:
    names = ", ".join(sorted(inventory_of(settings).books))
    return Failure(say("there is no runbook {name}; there are: {names}", name=name, names=names))


def _run(settings: Settings, name: str) -> dict[str, Any]:
    from monitor.web.runs_json import run_json
    from runbooks.run import RunId

    api = daemon_or_none(settings)
    if api is not None:
        found: dict[str, Any] = ask(api, f"/api/v1/runs/{segment(name)}")
        return found

    def stored(store: Store) -> Run:
        run = store.run(RunId(name))
        if run is None:
            raise Failure(say("there is no run {id}; `releve runbook list` lists them", id=name))
        return run

    return run_json(offline.read(settings, stored), site_speech(settings))


def _plan(settings: Settings, name: str, subject: str) -> dict[str, Any]:
    from monitor.core.ids import CheckId
    from monitor.core.incident import Refused
    from monitor.daemon.planning import planned
    from monitor.web.runs_json import plan_json
    from runbooks.contract import Subject

    inventory = inventory_of(settings)
    if CheckId(subject) not in inventory.checks:
        raise Failure(say("the inventory has no check {check}", check=subject))
    try:
        book, about, actions = planned(inventory.books, Subject(CheckId(subject), inventory.actionable), name)
    except Refused as error:
        raise Failure(error.text) from error
    words = settings.speech(inventory.site.language, inventory.site.timezone)
    return plan_json(book, about.check, actions, words)


def _subject(settings: Settings, name: str, given: str) -> str:
    """The check that is meant: the one named, else that of the only open incident whose kind has this runbook."""
    if given:
        return legible(given)
    inventory = inventory_of(settings)
    kinds = {kind.name for kind in inventory.kinds.values() if kind.runbook == name}
    from monitor.cli.chosen import incidents

    found = [
        one for one in incidents(settings, open_only=True, fresh=True) if one["kind"] in kinds and one["root_cause"]
    ]
    if len(found) == 1:
        return str(found[0]["root_cause"])
    if found:
        names = ", ".join(str(one["root_cause"]) for one in found)
        raise Failure(say("several incidents are open, name one of their checks with --subject: {names}", names=names))
    checks = ", ".join(str(check.id) for check in inventory.checks.values() if check.kind in kinds)
    if checks:
        raise Failure(say("name the check that it is about with --subject, such as: {names}", names=checks))
    raise Failure(say("name the check that it is about with --subject"))


def _answer(settings: Settings, name: str, answer: str, text: str, *, as_json: bool) -> int:
    api = daemon_or_none(settings)
    if api is None:
        from monitor.cli.shown import start_command

        raise Failure(
            say(
                "no daemon runs, and only a daemon goes on with a run that waits. `{command}` starts one; answer then",
                command=start_command(),
            )
        )
    one = act(api, f"/api/v1/runs/{segment(legible(name))}/{answer}", {"text": text})
    if as_json:
        emit_json(one)
    else:
        _show_run(settings, one)
    return ExitCode.DONE


def _followed(settings: Settings, api: LocalApi, name: str, *, quiet: bool) -> dict[str, Any]:
    """Return the run once it is over or asks somebody, telling meanwhile what it does."""
    import time

    from monitor.cli.runs_shown import Follower

    with Follower(console(messages=True), site_speech(settings), quiet=quiet) as follower:
        while True:
            now: dict[str, Any] = ask(api, f"/api/v1/runs/{segment(name)}")
            follower.show(now)
            if now["ended_at"] is not None or now["question"] is not None:
                return now
            time.sleep(FOLLOW_EVERY)


def _in_this_process(settings: Settings, name: str, subject: str) -> dict[str, Any]:
    """Carry it out under the writer's lock: what the daemon would do, when there is none."""
    from monitor.web.runs_json import run_json

    async def work(one: Automation, who: str) -> Run:
        begun = await one.start(name, subject, who)
        return await one.finished_or_waiting(begun.id)

    ended = offline.automate(settings, work)
    warn(site_speech(settings).render(say("No daemon runs: this was carried out by this command.")))
    return run_json(ended, site_speech(settings))


def _show_run(settings: Settings, one: dict[str, Any]) -> None:
    from monitor.cli.runs_shown import run_page
    from monitor.clock import SystemClock

    daemon = daemon_or_none(settings) is not None
    run_page(console(), one, site_speech(settings), SystemClock().now(), daemon=daemon)
