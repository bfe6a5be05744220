"""The part of the API about runbooks: what there are, what they would do, what they do, and a person's word on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from monitor.core.ids import IncidentId
from monitor.core.text import Speech, say
from monitor.core.units import BadUnit, parse_duration
from monitor.daemon.daemon import Daemon
from monitor.web.request import BadRequest, actor, body_of, error, word
from monitor.web.runs_json import book_json, plan_json, policy_json, run_json
from runbooks.run import Run, RunId

ANSWERS = {"approve": True, "refuse": False}
ARMED_FOR = "1 h"
"""How long a runbook is armed if nobody says otherwise."""


class RunsApi:
    """The handlers; every one reads the automation or asks it to act."""

    def __init__(self, daemon: Daemon, speech: Callable[[Request], Speech]) -> None:
        self._daemon, self._speech = daemon, speech

    def _json(self, run: Run, request: Request) -> dict[str, Any]:
        return run_json(run, self._speech(request), self._daemon.automation.progress.get(run.id))

    async def books(self, request: Request) -> Response:
        inventory, words = self._daemon.desk.inventory, self._speech(request)
        kinds = {name: kind.runbook for name, kind in inventory.kinds.items()}
        return JSONResponse([book_json(book, words, kinds) for _, book in sorted(inventory.books.items())])

    async def plan(self, request: Request) -> Response:
        body = await body_of(request)
        name, subject = request.path_params["name"], word(body, "subject")
        book, about, plan = self._daemon.automation.planned(name, subject)
        return JSONResponse(plan_json(book, about.check, plan, self._speech(request)))

    async def start(self, request: Request) -> Response:
        body = await body_of(request)
        run = await self._daemon.automation.start(request.path_params["name"], word(body, "subject"), actor(request))
        return JSONResponse(self._json(run, request), 201)

    async def runs(self, request: Request) -> Response:
        journal, known = self._daemon.journal, self._daemon.automation.runs
        stored = {run.id: run for run in await journal.ask(journal.store.runs)} | known
        shown = sorted(stored.values(), key=lambda run: run.started_at, reverse=True)
        return JSONResponse([self._json(run, request) for run in shown])

    async def run(self, request: Request) -> Response:
        name, journal = RunId(request.path_params["id"]), self._daemon.journal
        run = self._daemon.automation.runs.get(name) or await journal.ask(journal.store.run, name)
        if run is None:
            return error(
                404,
                self._speech(request).render(say("there is no run {id}; `releve runbook list` lists them", id=name)),
            )
        return JSONResponse(self._json(run, request))

    async def answer(self, request: Request) -> Response:
        body = await body_of(request)
        name, said = request.path_params["id"], request.path_params["answer"]
        if said not in ANSWERS:
            return error(404, self._speech(request).render(say("the API has nothing at {path}", path=request.url.path)))
        run = await self._daemon.automation.answer(name, actor(request), word(body, "text", ""), yes=ANSWERS[said])
        return JSONResponse(self._json(run, request))

    async def policy(self, request: Request) -> Response:
        return JSONResponse(self._policy())

    def _policy(self) -> dict[str, Any]:
        return policy_json(self._daemon.automation.policy, live=self._daemon.desk.inventory.automation.live)

    async def stop(self, request: Request) -> Response:
        await self._daemon.automation.stop(actor(request))
        return JSONResponse(self._policy())

    async def arm(self, request: Request) -> Response:
        body = await body_of(request)
        runbook = word(body, "runbook", "")
        try:
            span = parse_duration(word(body, "for", ARMED_FOR))
        except BadUnit as wrong:
            raise BadRequest(wrong.text) from wrong
        until = self._daemon.clock.now() + span if runbook else None
        await self._daemon.automation.arm(actor(request), runbook, until)
        return JSONResponse(self._policy())

    def going(self, request: Request) -> list[dict[str, Any]]:
        """Return the runs that are not over, oldest first."""
        going = [run for run in self._daemon.automation.runs.values() if not run.state.over]
        return [self._json(run, request) for run in sorted(going, key=lambda run: run.started_at)]

    async def about(self, incident: IncidentId, request: Request) -> list[dict[str, Any]]:
        """Return the runs about one incident, oldest first."""
        journal = self._daemon.journal
        stored = {run.id: run for run in await journal.ask(journal.store.runs, incident)}
        stored |= {run.id: run for run in self._daemon.automation.runs.values() if run.incident == incident}
        return [self._json(run, request) for run in sorted(stored.values(), key=lambda run: run.started_at)]
