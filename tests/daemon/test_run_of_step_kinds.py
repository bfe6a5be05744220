"""A site's own runbook, as the daemon carries it out: through the journal, with one name for each action."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiohttp import web

from monitor.daemon.daemon import Daemon
from monitor.inventory.model import Inventory
from monitor.store import open_store
from runbooks.run import ActionState, RunState

BOOK = """\
runbook: open-door
title: {fr: Ouvrir, en: Open}
proof: {within: 10s, stays: 0s}
steps:
  - step: command
    command: [sh, -c, 'echo "$1" >> NOTES', sh, "l'été; $HOME"]
    effect: changes
    done: [test, -e, NOTES]
  - step: http-call
    url: URL
    body: {weight: 0, of: [1.5, null, {a: true}]}
    answer: {/state: down}
    effect: changes
"""


async def test_commands_and_calls_are_planned_journaled_and_carried_out_once(
    inventory_of: Callable[..., Inventory], tmp_path: Path
):
    asked: list[tuple[str, Any]] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append((request.headers["Idempotency-Key"], await request.json()))
        return web.json_response({"state": "down"})

    app, notes = web.Application(), tmp_path / "notes"
    app.router.add_post("/", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    (tmp_path / "runbooks").mkdir()
    text = BOOK.replace("NOTES", str(notes)).replace("URL", url)
    (tmp_path / "runbooks" / "open-door.yaml").write_text(text, encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as door:
        inventory = inventory_of(
            ("port: 1,", f"port: {door.getsockname()[1]},"),
            ("operations: {to: [admin]}", "operations: {to: [admin]}\nautomation: {live: true}"),
        )
        daemon = await Daemon.start(inventory, open_store(tmp_path / "data", write=True, ballast=0))
        try:
            daemon.automation.resume()
            states = []
            for _ in range(2):
                run = await daemon.automation.start("open-door", "door", "uid:5")
                async with asyncio.timeout(20):
                    while not daemon.automation.runs[run.id].state.over:
                        await asyncio.sleep(0.02)
                ended = daemon.automation.runs[run.id]
                assert ended.state is RunState.SUCCEEDED, ended.log
                states.append([record.state for record in ended.actions])
        finally:
            await daemon.close()
            await runner.cleanup()
    assert states == [[ActionState.DONE, ActionState.DONE]] * 2
    assert notes.read_text(encoding="utf-8") == "l'été; $HOME\n", "the second run found it done"
    assert [body for _, body in asked] == [{"weight": 0, "of": [1.5, None, {"a": True}]}] * 2
    assert len({key for key, _ in asked}) == 2, "another run is another call"
