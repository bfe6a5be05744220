"""`releve peer`: the state of the Relève at the other site is kept here, looked at, and taken over."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from typing import TYPE_CHECKING

import click

from monitor.cli.context import ExitCode, Failure, Settings, emit_json, pass_settings, warn
from monitor.cli.reading import inventory_of, site_speech
from monitor.core.text import N_, say

if TYPE_CHECKING:
    from failover.model import Continuity
    from monitor.core.text import Speech, Text
    from monitor.daemon.peer_door import Listening
    from monitor.daemon.peer_receiver import Receiver
    from monitor.store.whose import Seen


@click.group(help=N_("Keep the state of the Relève at the other site; take it over."))
def peer() -> None:
    """Group the commands about the other Relève."""


@peer.command(
    help=N_(
        "Receive the state of the Relève at the other site until told to stop (Ctrl-C, SIGTERM). Nothing is watched, "
        "told or repaired meanwhile."
    )
)
@click.option(
    "--site",
    metavar="NAME",
    help=N_(
        "At which site of the inventory this Relève stands; kept for later. The one with here: true, if never said."
    ),
)
@pass_settings
def receive(settings: Settings, site: str | None) -> int:
    """Be the passive Relève."""
    from monitor.daemon import logs
    from monitor.daemon.peering import listening

    inventory = inventory_of(settings, site)
    wanted = listening(inventory)
    if wanted is None:
        raise Failure(
            say(
                "The inventory {path} names no other Relève: `peer:` and `releve:` at two of the `sites:` do",
                path=str(settings.inventory),
            )
        )
    if site:
        _keep_site(settings, site)
    logs.set_up()
    return stand_by(settings, wanted, inventory.continuity)


def _keep_site(settings: Settings, site: str) -> None:
    from monitor.core.reasons import reason
    from monitor.inventory.standpoint import remember
    from monitor.store import StoreError
    from monitor.store.folder import prepare

    try:
        prepare(settings.data)
        remember(settings.data, site)
    except StoreError as error:
        raise Failure(error.text) from error
    except OSError as error:
        raise Failure(say("{path} cannot be written: {why}", path=str(settings.data), why=reason(error))) from error


def stand_by(settings: Settings, wanted: Listening, continuity: Continuity) -> int:
    """Be the passive Relève until SIGTERM or SIGINT; return the exit code. Raises Failure.

    `continuity`: says what the guard of this site may be told of by the other one.
    """
    from monitor.clock import SystemClock
    from monitor.daemon.guard_post import GuardPost
    from monitor.daemon.peer_door import CannotReceive
    from monitor.daemon.peer_guard import GuardDesk
    from monitor.daemon.peer_receiver import Receiver
    from monitor.store import StoreError

    clock = SystemClock()
    desk = GuardDesk(lambda: continuity, lambda: GuardPost(clock))
    try:
        asyncio.run(_receive(Receiver(settings.data, wanted, clock, desk.answer)))
    except (StoreError, CannotReceive) as error:
        raise Failure(error.text) from error
    return ExitCode.DONE


async def _receive(receiver: Receiver) -> None:
    from monitor.daemon import systemd

    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with receiver.receiving():
        systemd.notify("READY=1", "STATUS=passive: receiving the state of the other site")
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(systemd.watchdog_interval()):
                    await stop.wait()
            systemd.notify("WATCHDOG=1")
        systemd.notify("STOPPING=1")


@peer.command(
    help=N_(
        "Say which of the two this Relève is, the active or the passive one, and up to when this machine has the state "
        "of the Relève at the other site."
    )
)
@click.option("--json", "as_json", is_flag=True, help=N_("Answer in JSON."))
@pass_settings
def status(settings: Settings, as_json: bool) -> int:
    """Show the role and the copy."""
    from monitor.cli.peer_shown import is_well, role_json, role_of, role_said

    role, seen, words = role_of(settings), _seen(settings), site_speech(settings)
    if as_json:
        emit_json(role_json(role) | _as_json(seen))
    else:
        for text in role_said(role, words):
            click.echo(words.render(text))
        if role.active is None:
            click.echo(words.render(_said(seen, words)))
    return ExitCode.DONE if is_well(role, seen) else ExitCode.WRONG


@peer.command(
    name="hand-over",
    help=N_(
        "Make the Relève at the other site the active one, as soon as it has everything; this one stays passive then. "
        "Where voters say which one is active."
    ),
)
@click.option("--yes", is_flag=True, help=N_("Do not ask."))
@click.option("--json", "as_json", is_flag=True, help=N_("Answer in JSON."))
@pass_settings
def hand_over(settings: Settings, yes: bool, as_json: bool) -> int:
    """Ask the running daemon."""
    from monitor.cli.reading import act, daemon_or_none

    words, api = site_speech(settings), daemon_or_none(settings)
    if api is None:
        raise Failure(say("no active Relève runs on {path}: only that one can hand over", path=str(settings.data)))
    if not yes:
        if not sys.stdin.isatty():
            raise Failure(say("nobody is there to be asked: add --yes to carry it out"))
        click.confirm(words.render(say("Make the Relève at the other site the active one?")), abort=True)
    done = act(api, "/api/v1/peer/hand-over", {})
    if as_json:
        emit_json(done)
    else:
        text = say("The Relève at {site} is the active one from now on; this one stays passive", site=done["title"])
        click.echo(words.render(text))
    return ExitCode.DONE


@peer.command(
    name="take-over",
    help=N_(
        "Go on with the state of the Relève at the other site: its copy becomes the state of this one, and what the "
        "other sends is refused from then on. Only if the other one no longer runs."
    ),
)
@click.option("--yes", is_flag=True, help=N_("Do it; else it is only said what would be lost."))
@click.option("--json", "as_json", is_flag=True, help=N_("Answer in JSON."))
@pass_settings
def take_over(settings: Settings, yes: bool, as_json: bool) -> int:
    """Turn the copy into the state."""
    from monitor.clock import SystemClock
    from monitor.daemon.peering import unfolded
    from monitor.store import StoreError
    from monitor.store.folder import PEER, TAKING
    from monitor.store.taking_over import take_over as turn
    from monitor.web.views import when

    words = site_speech(settings)
    going_on = (settings.data / PEER / TAKING).exists()
    seen = None if going_on else _seen(settings)
    if seen is not None and seen.damaged is not None:
        raise Failure(_said(seen, words))
    if not yes and not going_on:
        if seen is None:
            raise Failure(
                say("Nothing was done: no copy of the other Relève's state is here, and so nothing can be taken over")
            )
        warn(words.render(_said(seen, words)))
        raise Failure(
            say("Nothing was done. With --yes this Relève goes on with that; the other one must not run then")
        )
    try:
        done = turn(settings.data, SystemClock().now(), actor=f"uid:{os.getuid()}")
    except StoreError as error:
        raise Failure(error.text) from error
    try:
        inventory = unfolded(settings.data)
    except StoreError as error:  # it is done all the same, and who reads that it failed puts a backup in its place
        warn(words.render(say("The inventory that was in force there is not written out: {why}", why=error.text)))
        inventory = None
    if as_json:
        emit_json(
            {
                "data": str(settings.data.absolute()),
                "committed_at": None if done.committed_at is None else when(done.committed_at),
                "epoch": done.standing.epoch,
                "aside": None if done.aside is None else str(done.aside.absolute()),
                "inventory": None if inventory is None else str(inventory.absolute()),
            }
        )
        return ExitCode.DONE
    click.echo(
        words.render(say("The state of the other Relève is that of this one now, in {path}", path=str(settings.data)))
    )
    if done.aside is not None:
        click.echo(words.render(say("What was there before lies in {path}", path=str(done.aside))))
    if inventory is not None:
        click.echo(words.render(say("The inventory that was in force there lies in {path}", path=str(inventory))))
    click.echo(words.render(say("`releve run` goes on with every incident")))
    return ExitCode.DONE


def _seen(settings: Settings) -> Seen | None:
    from monitor.store import StoreError
    from monitor.store.folder import PEER
    from monitor.store.whose import examine

    try:
        return examine(settings.data / PEER)
    except StoreError as error:
        raise Failure(error.text) from error


def _said(seen: Seen | None, words: Speech) -> Text:
    if seen is None:
        return say("There is no copy of the other Relève's state here")
    if seen.damaged is not None:
        return say(
            "The copy of the other Relève's state in {path} is damaged on the disk here; it is to be sent again. If "
            "the other site is lost: stop this Relève, put the last backup back (releve restore FILE --yes), and start "
            "it",
            path=str(seen.path),
        )
    if seen.reached.cursor is None:
        return say(
            "The copy of the other Relève's state in {path} is broken; it is to be sent again", path=str(seen.path)
        )
    at = seen.reached.committed_at
    if at is None:
        return say("The copy of the other Relève's state is whole; no change has come since it was made")
    moment = words.moment(at)
    return say("The copy of the other Relève's state is that of {moment}; what came later is not in it", moment=moment)


def _as_json(seen: Seen | None) -> dict[str, object]:
    from monitor.web.views import when

    if seen is None:
        return {"copy": None}
    at, standing = seen.reached.committed_at, seen.standing
    return {
        "copy": str(seen.path.absolute()),
        "whole": seen.reached.cursor is not None,
        "damaged": seen.damaged,
        "committed_at": None if at is None else when(at),
        "cursor": seen.reached.cursor,
        "epoch": None if standing is None else standing.epoch,
        "token": None if standing is None else standing.token,
        "term": None if standing is None else standing.term,
    }
