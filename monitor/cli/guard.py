"""`releve guard`: the process that stops dialler and writers of a site whose lease lapses; its drill and its status.

It shares no process, no store and no event loop with the daemon, and imports nothing that it does not need: it has to
stand again within a fraction of a second.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from monitor.cli.context import ExitCode, Failure, Settings, emit_json, pass_settings, speak, warn
from monitor.core.text import LANGUAGES, N_, Quantity, Text, say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from failover.guard_loop import PlanSpec
    from monitor.cli.guard_file import Guarding
    from monitor.core.text import Speech

FILE = Path("/etc/releve/guard.yaml")
LAST_WORDS = 2.0
"""Seconds that records and the log are given at the end."""


@click.group(
    invoke_without_command=True,
    help=N_(
        "Guard this site: stop dialler and writers when its lease lapses. Runs until it is told to end (SIGTERM); it "
        "never starts anything. A unit for systemd is packaging/releve-guard.service."
    ),
)
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="RELEVE_GUARD",
    default=FILE,
    metavar="FILE",
    help=N_("What is stopped, and how (RELEVE_GUARD; default: /etc/releve/guard.yaml)."),
)
@click.pass_context
def guard(ctx: click.Context, config: Path) -> int:
    """Run the guard, unless a command follows."""
    ctx.meta["guard"] = config
    if ctx.invoked_subcommand is not None:
        return ExitCode.DONE
    settings = ctx.find_object(Settings) or Settings(Path(), Path())
    known, words = opened(settings, config)
    return _run(known, words)


@guard.command(
    "drill",
    help=N_(
        "Show what a lapse of the lease would stop. With --run: ask, stop it, and measure how long that takes. Nothing "
        "is started again afterwards."
    ),
)
@click.argument("plan", required=False)
@click.option("--run", "really", is_flag=True, help=N_("Stop it."))
@click.option("--yes", is_flag=True, help=N_("Ask nothing."))
@click.option("--json", "as_json", is_flag=True, help=N_("Answer in JSON."))
@pass_settings
@click.pass_context
def drill(ctx: click.Context, settings: Settings, plan: str | None, really: bool, yes: bool, as_json: bool) -> int:
    """Show or measure the stop of one plan, or of all."""
    from monitor.cli import guard_shown as shown

    known, words = opened(settings, ctx.meta["guard"])
    chosen = [one for one in known.plans if plan in (None, one.plan)]
    if not chosen:
        names = ", ".join(one.plan for one in known.plans)
        path = str(ctx.meta["guard"])
        raise Failure(
            say("no plan {plan} stands in {path}; there are: {names}", plan=str(plan), path=path, names=names)
        )
    if not really:
        _show(words, as_json, [shown.commands(one) for one in chosen], shown.command_lines)
        return ExitCode.DONE
    if not yes:
        if not sys.stdin.isatty():
            raise Failure(say("nobody is there to be asked: add --yes to carry it out"))
        targets = ", ".join(target.name for one in chosen for target in one.targets)
        click.confirm(
            words.render(say("Stop now, at {site}: {targets}?", site=known.site, targets=targets)), abort=True
        )
    drilled = [shown.drilled(known, one) for one in chosen]
    _show(words, as_json, drilled, shown.drill_lines)
    return ExitCode.DONE if all(data["proven"] for data in drilled) else ExitCode.WRONG


@guard.command(
    "hand",
    help=N_(
        "Tell the guard until when this site holds the lease of PLAN, for whatever keeps that lease: after each "
        "renewal, counted from when it was SENT; with --for 0s before it is given up."
    ),
)
@click.argument("plan")
@click.option("--token", type=click.IntRange(1, 2**53), required=True, help=N_("The token of the lease."))
@click.option("--for", "span", required=True, metavar="TIME", help=N_("For how long from now on: 10s."))
@pass_settings
@click.pass_context
def hand(ctx: click.Context, settings: Settings, plan: str, token: int, span: str) -> int:
    """Hand one validity over."""
    from failover.guard import Validity
    from failover.guard_files import hand_over
    from monitor.clock import SystemClock, boot_id
    from monitor.core.units import BadUnit, parse_duration

    now = SystemClock().boot()
    known, _words = opened(settings, ctx.meta["guard"])
    (spec,) = _chosen(ctx, known, plan)
    try:
        seconds = parse_duration(span).total_seconds()
    except BadUnit as error:
        raise Failure(error.text) from error
    if not 0 <= seconds <= spec.ttl:
        raise Failure(say("from 0 s to the lease's {ttl}", ttl=Quantity(spec.ttl, "s")))
    hand_over(known.leases[plan], Validity(token, now + seconds if seconds else 0.0), boot_id())
    return ExitCode.DONE


@guard.command("status", help=N_("Show whether the guard runs, what it holds for, what it stopped, its last drill."))
@click.option("--json", "as_json", is_flag=True, help=N_("Answer in JSON."))
@pass_settings
@click.pass_context
def status(ctx: click.Context, settings: Settings, as_json: bool) -> int:
    """Show each plan under guard; exit status 1 when the guard does not run or something is not seen stopped."""
    from monitor.cli import guard_shown as shown

    known, words = opened(settings, ctx.meta["guard"])
    found = [shown.status(known, one) for one in known.plans]
    _show(words, as_json, found, shown.status_lines)
    well = all(data["running"] and data["phase"] in ("holding", "stopped") for data in found)
    return ExitCode.DONE if well else ExitCode.WRONG


def _chosen(ctx: click.Context, known: Guarding, plan: str | None) -> list[PlanSpec]:
    """The plan of that name, or all of them."""
    chosen = [one for one in known.plans if plan in (None, one.plan)]
    if not chosen:
        names = ", ".join(one.plan for one in known.plans)
        path = str(ctx.meta["guard"])
        raise Failure(
            say("no plan {plan} stands in {path}; there are: {names}", plan=str(plan), path=path, names=names)
        )
    return chosen


def _show(
    words: Speech, as_json: bool, found: list[dict[str, Any]], lines: Callable[[dict[str, Any]], list[Text]]
) -> None:
    if as_json:
        emit_json(found)
        return
    for data in found:
        for line in lines(data):
            click.echo(words.render(line))


def opened(settings: Settings, path: Path) -> tuple[Guarding, Speech]:
    """Return what the guard's file says, and how its reader is spoken to. Its errors end the command, located."""
    from monitor.cli.guard_file import guarding

    known, language, problems = guarding(path)
    if settings.lang is None and language in LANGUAGES:
        speak(language)
    words = settings.speech(language)
    if problems:
        from monitor.inventory.report import problem_json, problem_line

        for problem in problems:
            warn(problem_line(problem_json(problem, words), words))
    if known is None:
        raise Failure(say("{path} is wrong; nothing was done", path=str(path)))
    return known, words


def _run(known: Guarding, words: Speech) -> int:
    from failover.guard import HANGS_FOR
    from failover.guard_loop import Aside, PlanGuard, Scribe, live
    from monitor.clock import SystemClock
    from monitor.daemon.systemd import notify, watchdog_interval

    ended: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda seen, _frame: ended.append(seen))
    log = Aside(lambda text: print(words.render(text), file=sys.stderr, flush=True))
    for folder in {path.parent for plan in known.plans for path in (plan.record, plan.alive)}:
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    with _alone(known.plans[0].record.parent / "lock"), _watchdog(known, log) as feed:
        scribe = Scribe(log)
        # Each begins with a look at its lease, and passive without one: nothing else comes before.
        plans = [PlanGuard(plan, scribe, SystemClock(), log) for plan in known.plans]
        watched = watchdog_interval()
        if watched is None or 3 * watched > HANGS_FOR:
            text = say(
                "nobody kills this guard within {time} if it hangs; its unit, packaging/releve-guard.service, does",
                time=Quantity(HANGS_FOR, "s"),
            )
            log(text)
        first = True

        def pet() -> None:
            nonlocal first
            sent = notify(*(("READY=1", "WATCHDOG=1") if first else ("WATCHDOG=1",)), wait=False)
            first = first and not sent

        live(plans, pet=pet, feed=feed, ending=lambda: bool(ended))
        log(say("the guard ends: nobody stops this site any more when its lease lapses"))
        scribe.finish(LAST_WORDS)
    log.finish(LAST_WORDS)
    return ExitCode.DONE


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Two guards would do no harm, and confuse who looks at them."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Failure(say("another guard runs here already ({path})", path=str(path))) from None
    try:
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _watchdog(known: Guarding, tell: Callable[[Text], None]) -> Iterator[Callable[[], None]]:
    """What feeds the machine's watchdog, if the file names one. It is stopped at an orderly end only."""
    if known.device is None:
        yield lambda: None
        return
    from failover.guard_dog import Unsuitable, awake
    from monitor.core.reasons import reason

    try:
        dog = awake(known.device, known.watchdog)
    except Unsuitable as error:
        text = say(
            "{path} waits {given} s and cannot wait {asked} s: write `timeout: {given}s`, and `stops_within` to match",
            path=str(known.device), given=error.given, asked=known.watchdog,
        )  # fmt: skip
        raise Failure(text) from error
    except OSError as error:
        text = say("{path} is no watchdog that can be used: {why}", path=str(known.device), why=reason(error))
        raise Failure(text) from error

    def feed() -> None:
        try:
            dog.feed()
        except OSError as error:
            tell(say("the watchdog {path} takes no food: {why}", path=str(known.device), why=reason(error)))

    yield feed
    dog.release()
