"""The application: health and metrics for everybody who reaches it, the API for the owner on the Unix socket."""

from __future__ import annotations

import asyncio
import html
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from alerts.language import speech
from monitor.core.ids import CheckId, IncidentId
from monitor.core.incident import Incident
from monitor.core.plan import awake, stands_by
from monitor.core.text import LANGUAGES, Speech, say
from monitor.core.units import BadUnit, parse_duration
from monitor.core.verdict import Severity
from monitor.daemon.chasing import overdue
from monitor.daemon.daemon import Daemon
from monitor.daemon.hearing import ACTIONS, NEED_WORDS, hear
from monitor.inventory.report import problem_json
from monitor.store import StoreError
from monitor.web import metrics, views
from monitor.web.ack import AckApi
from monitor.web.breaches import breaches_json
from monitor.web.continuity import ContinuityApi
from monitor.web.continuity_json import going_json
from monitor.web.crisis import CrisisApi
from monitor.web.drafts import DraftsApi
from monitor.web.duty import duty_json
from monitor.web.heartbeat import HeartbeatApi
from monitor.web.joining import JoiningApi
from monitor.web.maintenance import MaintenanceApi
from monitor.web.moves import MovesApi
from monitor.web.on_call import OnCallApi
from monitor.web.openapi import description
from monitor.web.peer import PeerApi
from monitor.web.public import PublicApi
from monitor.web.replies import RepliesApi
from monitor.web.request import BadRequest, actor, body_of, error, length, owner, word
from monitor.web.review import ReviewApi
from monitor.web.runs import RunsApi


def application(daemon: Daemon) -> Starlette:
    """Return the application of `daemon`."""
    api = _Api(daemon)
    runs, work = api.runs, api.work
    own, replies = partial(owner, api.speech), RepliesApi(daemon, api.speech)
    return Starlette(
        routes=[
            Route("/", api.front_page),
            Route("/healthz", api.healthz),
            Route("/readyz", api.readyz),
            Route("/metrics", api.metrics),
            *HeartbeatApi(daemon, api.speech).routes(),
            *PublicApi(daemon.board).routes(),
            *AckApi(daemon, api.speech).routes(),
            Route("/api/v1/openapi.json", api.openapi),
            Route("/api/v1/status", own(api.status)),
            Route("/api/v1/checks", own(api.checks)),
            Route("/api/v1/history/{check:path}", own(api.history)),
            Route("/api/v1/incidents", own(api.incidents)),
            Route("/api/v1/incidents", own(api.open), methods=["POST"]),
            Route("/api/v1/incidents/{id}", own(api.incident)),
            *DraftsApi(daemon).routes(own),
            *CrisisApi(daemon, api.speech, api.done).routes(),
            *ReviewApi(daemon, api.speech, api.done).routes(),
            *JoiningApi(daemon, api.done).routes(own),
            Route("/api/v1/incidents/{id}/{action}", own(api.act), methods=["POST"]),
            Route("/api/v1/maintenance", own(work.all)),
            Route("/api/v1/maintenance", own(work.add), methods=["POST"]),
            Route("/api/v1/maintenance/{id}/end", own(work.end), methods=["POST"]),
            Route("/api/v1/oncall", own(api.duty.all)),
            Route("/api/v1/oncall/override", own(api.duty.override), methods=["POST"]),
            *ContinuityApi(daemon, api.speech).routes(own),
            Route("/api/v1/reload", own(api.reload), methods=["POST"]),
            Route("/api/v1/replies", own(replies.all)),
            Route("/api/v1/replies/read", own(replies.read), methods=["POST"]),
            Route("/api/v1/runbooks", own(runs.books)),
            Route("/api/v1/runbooks/{name}/plan", own(runs.plan), methods=["POST"]),
            Route("/api/v1/runbooks/{name}/run", own(runs.start), methods=["POST"]),
            Route("/api/v1/runs", own(runs.runs)),
            Route("/api/v1/runs/{id}", own(runs.run)),
            Route("/api/v1/runs/{id}/{answer}", own(runs.answer), methods=["POST"]),
            Route("/api/v1/automation", own(runs.policy)),
            Route("/api/v1/automation/stop", own(runs.stop), methods=["POST"]),
            Route("/api/v1/automation/arm", own(runs.arm), methods=["POST"]),
            *MovesApi(daemon, api.speech).routes(own),
            *PeerApi(daemon, api.speech).routes(own),
            Route("/api/{rest:path}", own(api.nothing_there), methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
        ]
    )


class _Api:
    """The handlers; every one reads the desk or asks it to act."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self.runs = RunsApi(daemon, self.speech)
        self.work = MaintenanceApi(daemon, self.speech)
        # A thread of its own: the loop's may all wait for answers of ours.
        self.proofs = ThreadPoolExecutor(1, thread_name_prefix="proof")
        self.duty = OnCallApi(daemon)

    def speech(self, request: Request) -> Speech:
        """Return the language that the request asks for, else the site's, with the site's time."""
        site = self.daemon.desk.inventory.site
        wanted = request.headers.get("accept-language", "")[:2]
        return speech(wanted if wanted in LANGUAGES else site.language, site.timezone)

    async def front_page(self, request: Request) -> Response:
        words = self.speech(request)
        lines = (
            say("Relève is watching. This version has no console yet."),
            say("On this machine, as its owner: `releve status`, `releve incident list`."),
            say("For other tools: /healthz, /readyz and /metrics."),
        )
        body = "".join(f"<p>{html.escape(words.render(line))}</p>" for line in lines)
        return HTMLResponse(
            f'<!doctype html><html lang="{words.language}"><meta charset="utf-8"><title>Relève</title>'
            f"<h1>Relève</h1>{body}</html>"
        )

    async def healthz(self, request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(self, request: Request) -> Response:
        ready = self.daemon.turning
        body = {"ready": ready, "journal": self.daemon.journal.trouble is None}
        return JSONResponse(body, 200 if ready else 503)

    async def metrics(self, request: Request) -> Response:
        counts = await self.daemon.journal.notice_counts()
        return PlainTextResponse(metrics.exposition(self.daemon, counts), media_type=metrics.CONTENT_TYPE)

    async def openapi(self, request: Request) -> Response:
        return JSONResponse(description())

    async def status(self, request: Request) -> Response:
        desk, daemon = self.daemon.desk, self.daemon
        oldest = await daemon.journal.overdue(daemon.clock.now())
        own = {
            "ready": daemon.turning,
            "journal": None if daemon.journal.trouble is None else self.speech(request).render(daemon.journal.trouble),
            "outbox_late_s": None if oldest is None else oldest.total_seconds(),
            "clock_trusted": daemon.clock.trusted,
            "inventory": str(desk.inventory.path),
        }
        return JSONResponse(
            views.status_json(
                site=desk.inventory.site.name,
                now=daemon.clock.now(),
                checks=self._checks(request),
                healths=awake(desk.state),
                incidents=[
                    (incident, desk.protocols.get(name, desk.inventory.protocol))
                    for name, incident in desk.state.incidents.items()
                ],
                speech=self.speech(request),
                daemon=own,
                runs=self.runs.going(request),
                services=desk.outlook(),
                maintenance=self.work.shown(request),
                on_call=duty_json(desk.inventory, desk.state.overrides, daemon.clock.now()),
                overdue=overdue(desk.chasing.outstanding.values(), desk.state.incidents, daemon.clock.now()),
                moves=[
                    going_json(one, desk.inventory, self.speech(request))
                    for one in daemon.moves.moves.values()
                    if not one.state.over
                ],
            )
        )

    def _checks(self, request: Request) -> list[dict[str, Any]]:
        desk, words = self.daemon.desk, self.speech(request)
        return [
            views.health_json(
                name,
                desk.inventory.checks.get(name),
                desk.state.healths.get(name),
                words,
                stale=name in desk.state.stale,
                rests=stands_by(desk.state, name),
            )
            for name in desk.plan.checks
        ]

    async def checks(self, request: Request) -> Response:
        return JSONResponse(self._checks(request))

    async def history(self, request: Request) -> Response:
        check, metric = CheckId(request.path_params["check"]), request.query_params.get("metric")
        try:
            since = parse_duration(request.query_params.get("since", "24h"))
        except BadUnit as error:
            raise BadRequest(say("{why}", why=str(error))) from error
        store, now = self.daemon.journal.store, self.daemon.clock.now()
        await self.daemon.journal.flush_samples()
        found = await self.daemon.journal.ask_history(views.history_json, store, check, metric, now - since, now)
        return JSONResponse(found)

    async def incidents(self, request: Request) -> Response:
        open_only = request.query_params.get("open") is not None
        journal, words, desk = self.daemon.journal, self.speech(request), self.daemon.desk
        stored = await journal.ask(journal.store.incidents, open_only=open_only)
        # What the desk knows goes before: on a full disk the store lags behind it.
        found = {incident.id: incident for incident in stored} | dict(desk.state.incidents)
        shown = sorted(found.values(), key=lambda incident: incident.opened_at, reverse=True)
        shown = [incident for incident in shown if incident.open or not open_only]
        notices = await journal.headlines([incident.id for incident in shown])
        return JSONResponse([views.incident_json(incident, notices[incident.id], words) for incident in shown])

    async def incident(self, request: Request) -> Response:
        name = IncidentId(request.path_params["id"])
        journal = self.daemon.journal
        incident = self.daemon.desk.state.incidents.get(name) or await journal.ask(journal.store.incident, name)
        if incident is None:
            return error(
                404,
                self.speech(request).render(
                    say("there is no incident {id}; `releve incident list` shows them", id=name)
                ),
            )
        return JSONResponse(await self._shown(incident, request))

    async def _shown(self, incident: Incident, request: Request) -> dict[str, Any]:
        runs = await self.runs.about(incident.id, request)
        journal, words, now = self.daemon.journal, self.speech(request), self.daemon.clock.now()
        notices = [*await journal.notices(incident.id), *await journal.ask(journal.store.told_by_many, incident)]
        frozen = await journal.ask(journal.store.protocol, incident.id)
        starts = await journal.ask(journal.store.starts, incident.opened_at, now)
        missed = await asyncio.get_running_loop().run_in_executor(
            self.proofs, breaches_json, incident, frozen, starts, notices, now, words
        )
        return views.incident_json(incident, notices, words, runs) | {"breaches": missed}

    async def done(self, incident: Incident, request: Request, status: int = 200) -> Response:
        """Answer with an incident that was just acted on."""
        try:
            shown = await self._shown(incident, request)
        except StoreError:
            # It was done: who reads an error, because the disk does not say what was told before, does it once more.
            shown = views.incident_json(incident, (), self.speech(request))
        return JSONResponse(shown, status)

    async def open(self, request: Request) -> Response:
        body = await body_of(request)
        try:
            severity = views.severity_of(word(body, "severity", "critical"))
        except KeyError:
            severity = Severity.OK
        if severity is Severity.OK:
            raise BadRequest(say("severity is one of warning, unknown, critical"))
        incident = await self.daemon.desk.open(
            word(body, "kind", "other"), severity, actor(request), word(body, "text")
        )
        return await self.done(incident, request, 201)

    async def act(self, request: Request) -> Response:
        body = await body_of(request)
        name, action = IncidentId(request.path_params["id"]), request.path_params["action"]
        if action not in ACTIONS:
            return await self.nothing_there(request)
        words, who, desk = word(body, "text", None if action in NEED_WORDS else ""), actor(request), self.daemon.desk
        if action == "ack":
            return await self.done(await desk.acknowledge(name, who, words, length(body, "for")), request)
        return await self.done(await hear(desk, action, name, who, words), request)

    async def reload(self, request: Request) -> Response:
        reading = await self.daemon.reload(actor(request))
        words = self.speech(request)
        problems = [problem_json(problem, words) for problem in reading.problems]
        return JSONResponse({"taken": reading.inventory is not None, "problems": problems})

    async def nothing_there(self, request: Request) -> Response:
        return error(404, self.speech(request).render(say("the API has nothing at {path}", path=request.url.path)))
