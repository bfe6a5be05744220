"""`releve run` and `releve reload`: the daemon with its HTTP side, in one loop."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from monitor.cli.context import ExitCode, Failure, Settings, emit_json, pass_settings, warn
from monitor.cli.reading import act, daemon_or_none, inventory_of, site_speech
from monitor.core.text import N_, say
from monitor.web.client import SOCKET

if TYPE_CHECKING:
    from monitor.daemon.daemon import Daemon
    from monitor.daemon.own_lease import OwnLease
    from monitor.daemon.standby import Standby
    from monitor.inventory.model import Inventory
    from monitor.store import Store

LISTEN = "127.0.0.1:8321"
LOOKUPS = 32
"""Threads for what blocks aside from probes and messages: names looked up at a server that may be cut off."""
SUPERSEDED = -1
"""What a daemon ends with whose state turned out to be the older one; no exit code."""
GRACE = 1.0
"""Seconds that threads have to end by themselves."""


@click.command(help=N_("Watch the site until told to stop (Ctrl-C, SIGTERM); SIGHUP takes up a changed inventory."))
@click.option("--listen", default=LISTEN, show_default=True, metavar="HOST:PORT", help=N_("Where to serve HTTP."))
@click.option(
    "--site",
    metavar="NAME",
    help=N_(
        "At which site of the inventory this Relève stands; kept for later. The one with here: true, if never said."
    ),
)
@click.option("--once", is_flag=True, help=N_("Observe every check once, send what is due, and end."))
@pass_settings
def run(settings: Settings, listen: str, site: str | None, once: bool) -> int:
    """Start the daemon."""
    asked = _Asked()
    if not once:
        asked.listen()
    from monitor.daemon import logs
    from monitor.daemon.own_lease import is_led
    from monitor.daemon.peering import is_passive
    from monitor.store import StoreError, open_store
    from monitor.store.folder import prepare

    inventory = inventory_of(settings, site)
    logs.set_up()
    try:
        if is_led(inventory) and not once:
            prepare(settings.data)
            if site:
                _keep_site(settings, site)
            code = asyncio.run(_to_the_end(_relieve(settings, inventory, listen, asked)))
            return _be_passive(settings, inventory, asked, once=once) if code == SUPERSEDED else code
        if is_passive(inventory, settings.data):
            return _be_passive(settings, inventory, asked, once=once)
        with open_store(settings.data, write=True) as store:
            if site:
                _keep_site(settings, site)
            if asked.to_stop:
                return ExitCode.DONE
            work = _once(inventory, store) if once else _watch(settings, inventory, store, listen, asked)
            code = asyncio.run(_to_the_end(work))
        return _be_passive(settings, inventory, asked, once=once) if code == SUPERSEDED else code
    except StoreError as error:
        raise Failure(error.text) from error


async def _relieve(settings: Settings, inventory: Inventory, listen: str, asked: _Asked) -> int:
    """Be the active Relève of two or the passive one, whichever the voters say, and the other one when they say so.

    Returns the exit code; SUPERSEDED where the inventory no longer has voters and the other site goes on.
    """
    from monitor.clock import SystemClock
    from monitor.daemon import systemd
    from monitor.daemon.own_lease import OwnLease, is_led
    from monitor.daemon.peer_door import CannotReceive
    from monitor.daemon.standby import Standby
    from monitor.store import StoreError, open_store

    own, begun = OwnLease(settings.data, SystemClock()), False
    feeding = asyncio.create_task(_feed(systemd.watchdog_interval(), asked), name="watchdog")
    try:
        while not asked.to_stop:
            await own.swap(inventory)
            standby = Standby(settings.data, inventory, own, SystemClock())
            if begun or not await standby.begins_active():
                begun = True
                if not await _stand_by(settings, standby, asked):
                    inventory = _as_it_is_now(settings, inventory)
                    continue
                inventory = _as_it_is_now(settings, inventory)
            begun = True
            with await asyncio.to_thread(open_store, settings.data, write=True) as store:
                code, inventory = await _lead(settings, inventory, store, listen, asked, own)
            await own.stand_down()
            if code != SUPERSEDED or not is_led(inventory):
                return code
        return ExitCode.DONE
    except (CannotReceive, StoreError, Failure) as error:
        # Started again and again, it would keep the lease from the other one and do nothing under it.
        await own.give_back()
        raise error if isinstance(error, Failure) else Failure(error.text) from error
    finally:
        feeding.cancel()
        await asyncio.gather(feeding, return_exceptions=True)
        await own.close()


async def _stand_by(settings: Settings, standby: Standby, asked: _Asked) -> bool:
    """Be the passive one; return True once this one is to lead, False when a signal asks for something else."""
    text = say(
        "This Relève stands by: {why}. It keeps a copy of what the other site sends, and goes on by itself when that "
        "one is lost",
        why=standby.why,
    )
    warn(site_speech(settings).render(text))
    loop, stop = asyncio.get_running_loop(), asyncio.Event()

    def hear(number: int) -> None:
        asked.to_stop |= number != signal.SIGHUP
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, hear, number)
    if asked.to_stop:
        stop.set()
    return await standby.until_active(stop)


async def _feed(every: float | None, asked: _Asked) -> None:
    """Show the service manager that the loop turns, also while a large state is taken over or opened.

    A daemon that runs shows more than that, and does so itself.
    """
    from monitor.daemon import systemd

    while every is not None:
        await asyncio.sleep(every)
        if not asked.watching:
            systemd.notify("WATCHDOG=1")


def _as_it_is_now(settings: Settings, before: Inventory) -> Inventory:
    """Return the inventory as its file says by now; the one before where that is wrong, or names no voters."""
    from monitor.daemon.own_lease import is_led

    try:
        now = inventory_of(settings)
    except Failure as error:
        warn(site_speech(settings).render(error.text))
        return before
    return now if is_led(now) else before


def _keep_site(settings: Settings, site: str) -> None:
    from monitor.core.reasons import reason
    from monitor.inventory.standpoint import remember

    try:
        remember(settings.data, site)
    except OSError as error:
        raise Failure(say("{path} cannot be written: {why}", path=str(settings.data), why=reason(error))) from error


def _be_passive(settings: Settings, inventory: Inventory, asked: _Asked, *, once: bool) -> int:
    """Receive what the Relève at the other site writes, which goes on with our state."""
    from monitor.cli.peer import stand_by
    from monitor.daemon.peering import listening

    wanted = listening(inventory)
    if wanted is None:
        raise Failure(say("the other site has taken over, and the inventory no longer names its Relève"))
    text = say(
        "The Relève at the other site has the newer state: this one stays passive and keeps a copy. To go on here, "
        "stop both, then `releve peer take-over`"
    )
    if once:
        raise Failure(text)
    if asked.to_stop:
        return ExitCode.DONE
    warn(site_speech(settings).render(text))
    return stand_by(settings, wanted, inventory.continuity)


@dataclass(slots=True)
class _Asked:
    """What signals asked for while there was no daemon yet to obey: a large state takes its time to be opened.

    `watching`: whether one runs now.
    """

    to_stop: bool = False
    to_reload: bool = False
    watching: bool = False

    def listen(self) -> None:
        """Take SIGTERM and SIGHUP from here on, which would end the process on the spot."""
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._hear)

    def _hear(self, number: int, _frame: FrameType | None) -> None:
        self.to_stop |= number == signal.SIGTERM
        self.to_reload |= number == signal.SIGHUP


async def _to_the_end(work: Coroutine[Any, Any, int]) -> int:
    """Return the exit code of `work`, or end the process with it when a thread hangs.

    Threads cannot be killed, and the interpreter waits for them: a disk or a name server that answers nobody would
    keep a daemon from ending that has written everything down.
    """
    before = set(threading.enumerate())
    aside = ThreadPoolExecutor(LOOKUPS, thread_name_prefix="aside")
    asyncio.get_running_loop().set_default_executor(aside)
    code = await work
    aside.shutdown(wait=False)
    if _hang(set(threading.enumerate()) - before):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code


def _hang(threads: set[threading.Thread]) -> bool:
    """Whether one of `threads` that the interpreter would wait for goes on."""
    until = time.monotonic() + GRACE
    for thread in threads:
        if not thread.daemon:
            thread.join(max(0.0, until - time.monotonic()))
    return any(thread.is_alive() and not thread.daemon for thread in threads)


async def _once(inventory: Inventory, store: Store) -> int:
    from monitor.core.plan import awake
    from monitor.core.verdict import Severity
    from monitor.daemon.daemon import Daemon

    daemon = await Daemon.start(inventory, store)
    try:
        await daemon.round()
        state = daemon.desk.state
        bad = any(health.latest is not Severity.OK for health in awake(state).values())
        bad = bad or any(incident.open for incident in state.incidents.values())
        return ExitCode.WRONG if bad else ExitCode.DONE
    finally:
        await daemon.close()


async def _watch(settings: Settings, inventory: Inventory, store: Store, listen: str, asked: _Asked) -> int:
    """Be the active Relève where no voters say so; return the exit code, or SUPERSEDED."""
    from monitor.clock import SystemClock
    from monitor.daemon.own_lease import OwnLease

    own = OwnLease(settings.data, SystemClock())
    try:
        code, _inventory = await _lead(settings, inventory, store, listen, asked, own)
        return code
    finally:
        await own.close()


async def _lead(
    settings: Settings, inventory: Inventory, store: Store, listen: str, asked: _Asked, own: OwnLease
) -> tuple[int, Inventory]:
    """Be the active Relève; return the exit code, or SUPERSEDED, and the inventory that was in force last."""
    from importlib.metadata import version

    from monitor.clock import SystemClock
    from monitor.daemon.daemon import Daemon
    from monitor.daemon.peer_door import CannotReceive, holding
    from monitor.daemon.peer_guard import GuardDesk
    from monitor.daemon.peer_line import superseded_there
    from monitor.daemon.peering import destination, listening
    from monitor.daemon.starting import note_start
    from monitor.web.app import application
    from monitor.web.server import CannotListen, serving, tcp_socket, unix_socket

    standing, other = store.feed.standing(), destination(inventory)
    if not own.holds() and standing is not None and other is not None and await superseded_there(other, standing):
        return SUPERSEDED, inventory
    try:
        network, local = tcp_socket(listen), unix_socket(settings.data / SOCKET)
    except CannotListen as error:
        raise Failure(error.text) from error
    own.lead(0 if standing is None else standing.token, SystemClock().now())
    daemon = await Daemon.start(inventory, store, own=own)
    _obey_signals(daemon, asked)
    await note_start(daemon.journal, inventory, version("releve"))
    try:
        guard = GuardDesk(lambda: daemon.desk.inventory.continuity, lambda: daemon.moves.holding.post)
        let_in = holding(listening(inventory), daemon.standing, guard.answer)
        async with serving(application(daemon), network, local), let_in:
            asked.watching = True
            await daemon.run()
    except CannotReceive as error:
        raise Failure(error.text) from error
    finally:
        asked.watching = False
        (settings.data / SOCKET).unlink(missing_ok=True)
        await daemon.close()
    return SUPERSEDED if daemon.superseded else ExitCode.DONE, daemon.desk.inventory


def _obey_signals(daemon: Daemon, asked: _Asked) -> None:
    """Let signals act on `daemon` from here on, and catch up with what they `asked` before."""
    loop, tasks = asyncio.get_running_loop(), set[asyncio.Task[object]]()

    def take_up() -> None:
        if len(tasks) > 1 or daemon.stopping.is_set():
            return  # one that has not begun to read yet will read what this one would
        task = asyncio.create_task(daemon.reload("signal"))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    def end() -> None:
        asked.to_stop = True  # also where the daemon ends already, because another one leads
        daemon.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)
    loop.add_signal_handler(signal.SIGHUP, take_up)
    if asked.to_stop:
        daemon.stop()
    if asked.to_reload:
        take_up()


@click.command(help=N_("Let the daemon take up a changed inventory; a wrong one is refused and the old one stays."))
@click.option("--json", "as_json", is_flag=True, help=N_("Answer in JSON."))
@pass_settings
def reload(settings: Settings, as_json: bool) -> int:
    """Ask the running daemon."""
    from monitor.inventory.report import problem_line

    api = daemon_or_none(settings)
    if api is None:
        from monitor.cli.shown import start_command

        data, command = str(settings.data), start_command()
        raise Failure(say("no daemon runs on {path}; `{command}` starts one", path=data, command=command))
    answer = act(api, "/api/v1/reload", {})
    if as_json:
        emit_json(answer)
    else:
        words = site_speech(settings)
        for problem in answer["problems"]:
            warn(problem_line(problem, words))
        text = say("The inventory was taken.") if answer["taken"] else say("The old inventory stays in force.")
        warn(words.render(text))
    return ExitCode.DONE if answer["taken"] else ExitCode.CANNOT
