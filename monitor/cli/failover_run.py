"""`releve failover run|back|drill|answer|stop`: a person moves a group, and is told first what that means."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from monitor.cli import offline
from monitor.cli.context import ExitCode, Failure, Settings, console, emit_json, pass_settings, warn
from monitor.cli.reading import act, ask, daemon_or_none, legible, segment, site_speech
from monitor.core.text import N_, Text, say

if TYPE_CHECKING:
    from failover.run import Move
    from monitor.daemon.daemon import Daemon
    from monitor.daemon.moves import Moves
    from monitor.daemon.moving import Wanted
    from monitor.web.client import LocalApi

R = TypeVar("R")
JSON = click.option("--json", "as_json", is_flag=True, help=N_("Answer in JSON."))
YES = click.option("--yes", is_flag=True, help=N_("Ask nothing, except for the word of a forced move."))
ASK_NOTHING = click.option("--yes", is_flag=True, help=N_("Ask nothing."))
WHY = click.option("--note", "text", default="", help=N_("Why; it stands in the report."))
FOLLOW_EVERY = 0.5
"""Seconds between two looks at a move that is followed."""
YESES, NOS = frozenset({"y", "yes", "o", "oui"}), frozenset({"", "n", "no", "non"})
SWITCHOVER, FORCED, BACK, DRILL = "switchover", "failover", "failback", "drill"


@click.command(help=N_("Move the group PLAN to its other site, after a question, and follow it to its end."))
@click.argument("plan")
@click.option("--to", default="", metavar="SITE", help=N_("The site where it is to run; the other one, if absent."))
@click.option("--forced", is_flag=True, help=N_("Do without the site where it runs: what may be lost is said before."))
@YES
@WHY
@JSON
@pass_settings
def run(settings: Settings, plan: str, to: str, forced: bool, yes: bool, text: str, as_json: bool) -> int:
    """Move a group."""
    return _move(settings, plan, FORCED if forced else SWITCHOVER, to, text, yes=yes, as_json=as_json)


@click.command(help=N_("Move the group PLAN back to the site where it runs normally."))
@click.argument("plan")
@ASK_NOTHING
@WHY
@JSON
@pass_settings
def back(settings: Settings, plan: str, yes: bool, text: str, as_json: bool) -> int:
    """Move a group back."""
    return _move(settings, plan, BACK, "", text, yes=yes, as_json=as_json)


@click.command(help=N_("Rehearse PLAN: the standby is brought up beside, verified and torn down; nobody is switched."))
@click.argument("plan")
@ASK_NOTHING
@WHY
@JSON
@pass_settings
def drill(settings: Settings, plan: str, yes: bool, text: str, as_json: bool) -> int:
    """Rehearse a move."""
    return _move(settings, plan, DRILL, "", text, yes=yes, as_json=as_json)


@click.command(
    help=N_(
        "Answer what a move asks, yes or no; its question says what each of them does. MOVE: which one, if several ask."
    )
)
@click.argument("said", type=click.Choice(["yes", "no", "oui", "non"]), metavar="yes|no")
@click.argument("move", default="")
@WHY
@JSON
@pass_settings
def answer(settings: Settings, said: str, move: str, text: str, as_json: bool) -> int:
    """Answer a move, and follow it on; what it asks is shown first, and nothing else is answered."""
    name, yes = legible(move), said in YESES
    api = daemon_or_none(settings)
    if api is not None:
        body = {"yes": yes, "text": text} | _asked(settings, api, name)
        one = act(api, f"/api/v1/moves/{segment(name or '-')}/answer", body)
        ended = _followed(settings, api, one["id"], quiet=as_json)
    else:
        ended = _here(settings, lambda moves, who: moves.answer(who, text, yes=yes, name=name), quiet=as_json)
    return _shown(settings, ended, as_json=as_json)


def _asked(settings: Settings, api: LocalApi, name: str) -> dict[str, str]:
    """Show what is asked, and return which question that is; whoever sits at a terminal has to mean it."""
    asking = [one for one in ask(api, "/api/v1/moves") if one["question"] is not None and name in ("", one["id"])]
    if len(asking) != 1:  # the daemon says what is wrong with that
        return {}
    move, question = asking[0]["id"], asking[0]["question"]
    words = site_speech(settings)
    warn(words.render(say("{move} asks: {question}", move=move, question=question["text"])))
    if sys.stdin.isatty() and not _agreed(settings, say("Is this what you answer? [y/N]")):
        warn(words.render(say("Nothing was done.")))
        raise click.Abort
    return {"asked_at": question["at"]}


@click.command(help=N_("Stop a move before its next action. MOVE: which one, if several are under way."))
@click.argument("move", default="")
@JSON
@pass_settings
def stop(settings: Settings, move: str, as_json: bool) -> int:
    """Stop a move."""
    name = legible(move)
    api = daemon_or_none(settings)
    if api is not None:
        one = act(api, f"/api/v1/moves/{segment(name or '-')}/stop", {})
        ended = _followed(settings, api, one["id"], quiet=as_json)
    else:
        ended = _here(settings, lambda moves, who: moves.stop(who, name), quiet=as_json)
    _shown(settings, ended, as_json=as_json)
    return ExitCode.DONE


def _move(settings: Settings, plan: str, direction: str, to: str, text: str, *, yes: bool, as_json: bool) -> int:
    name, target = legible(plan), legible(to)
    prepared = _planned(settings, name, direction, target)
    words = site_speech(settings)
    if not prepared["may"]:
        raise Failure(say("{why}. What would lift it: {what}", why=prepared["why"], what=prepared["lifted_by"]))
    from monitor.cli.moves_shown import prepared_page

    if not yes or direction == FORCED:
        prepared_page(console(messages=True), prepared, words)
    if not (_typed(settings, name) if direction == FORCED else yes or _agreed(settings)):
        warn(words.render(say("Nothing was done.")))
        raise click.Abort
    # What only an old figure allows was stated as "nobody can say", and that is what the person said yes to.
    loss = prepared["loss"]["at_most_s"] if prepared["loss"]["known"] else None
    api = daemon_or_none(settings)
    if api is not None:
        body = {"direction": direction, "to": target, "loss_s": loss, "stated_at": prepared["at"], "text": text}
        word = {"word": name} if direction == FORCED else {}
        begun = act(api, f"/api/v1/plans/{segment(name)}/run", body | word)
        ended = _followed(settings, api, begun["id"], quiet=as_json)
    else:
        warn(words.render(say("No daemon runs: this command carries it out. Leave it open to its end.")))
        ended = _here(settings, _starting(name, direction, target, loss, prepared["at"], text), quiet=as_json)
    return _shown(settings, ended, as_json=as_json)


def _typed(settings: Settings, name: str) -> bool:
    """Whether the person types the name of the plan: a forced move is begun by no return key, and by no option."""
    question = site_speech(settings).render(say("To force it, type the name of the plan ({plan}):", plan=name))
    return bool(click.prompt(question, default="", show_default=False, prompt_suffix=" ", err=True).strip() == name)


def _agreed(settings: Settings, asked: Text | None = None) -> bool:
    """Ask until the answer is a yes or a no, in whatever language; nothing but a return is a no."""
    if not sys.stdin.isatty():
        raise Failure(say("nobody is there to be asked: add --yes to carry it out"))
    question = site_speech(settings).render(asked or say("Carry it out? [y/N]"))
    while True:
        said = click.prompt(question, default="", show_default=False, err=True).strip().casefold()
        if said in YESES | NOS:
            return said in YESES


def _wanted(name: str, direction: str, target: str) -> Wanted:
    from failover.model import PlanId, SiteId
    from failover.phases import Direction
    from monitor.daemon.moving import Wanted

    return Wanted(PlanId(name), Direction(direction), SiteId(target) if target else None)


def _planned(settings: Settings, name: str, direction: str, target: str) -> dict[str, Any]:
    """The dry run: whether it may begin, what may be lost, every task."""
    api = daemon_or_none(settings)
    if api is not None:
        found: dict[str, Any] = act(api, f"/api/v1/plans/{segment(name)}/plan", {"direction": direction, "to": target})
        return found
    from monitor.web.moves_json import prepared_json

    words = site_speech(settings)

    async def work(daemon: Daemon, who: str) -> dict[str, Any]:
        return prepared_json(await daemon.moves.planned(_wanted(name, direction, target)), words)

    return offline.with_daemon(settings, work)


def _starting(
    name: str, direction: str, target: str, loss: float | None, at: str, text: str
) -> Callable[[Moves, str], Awaitable[Move]]:
    from datetime import datetime, timedelta

    stated, when = None if loss is None else timedelta(seconds=loss), datetime.fromisoformat(at)
    return lambda moves, who: moves.start(
        _wanted(name, direction, target), who, loss=stated, stated_at=when, words=text
    )


def _here(settings: Settings, begin: Callable[[Moves, str], Awaitable[Move]], *, quiet: bool) -> dict[str, Any]:
    """Carry a move out under the writer's lock, its mails included: what the daemon would do, when there is none."""
    import asyncio

    from monitor.cli.runs_shown import Follower
    from monitor.web.moves_json import move_json

    words = site_speech(settings)

    async def work(daemon: Daemon, who: str) -> Move:
        daemon.moves.resume()  # one that a command left unfinished is taken up first
        post = asyncio.create_task(daemon.post.run(), name="post")
        try:
            begun = await begin(daemon.moves, who)
            with Follower(console(messages=True), words, quiet=quiet) as follower:
                return await daemon.moves.finished_or_waiting(
                    begun.id,
                    lambda move: follower.show(move_json(move, words, daemon.moves.book.progress.get(move.id))),
                )
        finally:
            post.cancel()
            await asyncio.gather(post, return_exceptions=True)
            await daemon.post.once()

    return move_json(offline.with_daemon(settings, work), words)


def _followed(settings: Settings, api: LocalApi, name: str, *, quiet: bool) -> dict[str, Any]:
    """Return the move once it is over or asks somebody, telling meanwhile what it does."""
    import time

    from monitor.cli.runs_shown import Follower

    with Follower(console(messages=True), site_speech(settings), quiet=quiet) as follower:
        while True:
            now: dict[str, Any] = ask(api, f"/api/v1/moves/{segment(name)}")
            follower.show(now)
            if now["ended_at"] is not None or now["question"] is not None:
                return now
            time.sleep(FOLLOW_EVERY)


def _shown(settings: Settings, move: dict[str, Any], *, as_json: bool) -> int:
    if as_json:
        emit_json(move)
    else:
        from monitor.cli.moves_shown import move_page
        from monitor.clock import SystemClock

        move_page(console(), move, site_speech(settings), SystemClock().now())
    return ExitCode.DONE if move["state"] == "succeeded" else ExitCode.WRONG
