"""Step `http-call` against real servers on loopback: verified, never redirected, and repeated under one name only."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiohttp import web
from pydantic import ValidationError

from monitor.core.ids import CheckId, NodeId
from monitor.core.text import ENGLISH
from probes.contract import Target
from runbooks.contract import Answer, CheckOf, Effect, Io, Outcome, Site, StepFailed, StepUncertain, Subject
from runbooks.http_calls import LARGEST
from runbooks.registry import load
from runbooks.steps.http_call import HttpCall, HttpCallParams

STEP = HttpCall()
NODE = Target(NodeId("proxy"), "127.0.0.1")
CHECK = CheckOf(CheckId("web"), "tcp", NODE.name, NODE, None)
SUBJECT = Subject(CHECK.id, Site(checks={CHECK.id: CHECK}, devices={NODE.name: NODE}))


@dataclass
class Api:
    """An interface that answers as `reply` does; `asked`: method, path, headers and body of all that it got."""

    url: str = ""
    asked: list[tuple[str, str, dict[str, str], str]] = field(default_factory=list)
    reply: Callable[[web.Request], Awaitable[web.StreamResponse]] | None = None

    async def handle(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.asked.append((request.method, request.path_qs, headers, await request.text()))
        return web.json_response({"state": "active"}) if self.reply is None else await self.reply(request)


async def served(context: ssl.SSLContext | None = None) -> tuple[Api, web.AppRunner]:
    api, app = Api(), web.Application()
    app.router.add_route("*", "/{path:.*}", api.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    port = runner.addresses[0][1]
    api.url = f"{'http' if context is None else 'https'}://127.0.0.1:{port}"
    return api, runner


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    made, runner = await served()
    yield made
    await runner.cleanup()


@pytest.fixture
async def tls(tmp_path: Path) -> AsyncIterator[tuple[Api, Path]]:
    """An interface by https, and the file of the authority that signed its certificate."""
    authority, context = trustme.CA(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    made, runner = await served(context)
    yield made, tmp_path / "ca.pem"
    await runner.cleanup()


def params(url: str, **keys: Any) -> HttpCallParams:
    return HttpCallParams.model_validate({"url": url, **keys})


async def carried(io: Io, wanted: HttpCallParams) -> Outcome:
    """Plan, look and apply, with keys and before-image as they come out of the journal."""
    (action,) = STEP.actions(wanted, SUBJECT)
    keys = HttpCallParams.model_validate(json.loads(json.dumps(dict(action.params))))
    assert keys == wanted
    before = json.loads(json.dumps(dict(await STEP.before(keys, SUBJECT, io))))
    return await STEP.apply(keys, before, SUBJECT, io)


def said(error: Exception) -> str:
    return ENGLISH.render(error.text)  # type: ignore[attr-defined]


def replying(status: int, text: str = "", **headers: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def reply(request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text=text, headers=headers)

    return reply


async def test_it_sends_json_secret_token_and_key_and_takes_the_answer(
    api: Api, make_io: Callable[..., Io], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("API_TOKEN", "open-sesame")
    wanted = params(
        f"{api.url}/v1/backend?x=1", method="PUT", body={"weight": 0}, answer={"/state": "active"},
        headers={"Authorization": "Bearer env:API_TOKEN", "X-Site": "secours"},
    )  # fmt: skip
    outcome = await carried(make_io(token=12, errand="R26-1 1 0"), wanted)
    assert (outcome.changed, outcome.evidence) == (True, {"status": 200})
    ((method, path, headers, body),) = api.asked
    assert (method, path, json.loads(body)) == ("PUT", "/v1/backend?x=1", {"weight": 0})
    assert headers["authorization"] == "Bearer open-sesame"
    assert (headers["x-site"], headers["x-releve-token"], len(headers["idempotency-key"])) == ("secours", "12", 32)
    assert headers["content-type"] == "application/json"
    assert wanted.secrets()["Authorization"].reference == "env:API_TOKEN"


async def test_a_try_again_has_the_same_key_and_another_attempt_another(api: Api, make_io: Callable[..., Io]):
    for errand, token in (("a 1 0", 1), ("a 1 0", 1), ("a 2 0", 1), ("a 1 0", 2)):
        await carried(make_io(errand=errand, token=token), params(api.url))
    keys = [headers["idempotency-key"] for _, _, headers, _ in api.asked]
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3


async def test_what_only_reads_is_sent_without_key_or_body(api: Api, make_io: Callable[..., Io]):
    outcome = await carried(make_io(), params(api.url, method="GET"))
    ((_, _, headers, body),) = api.asked
    assert outcome.changed is False
    assert "idempotency-key" not in headers
    assert "x-releve-token" not in headers
    assert body == ""


def test_the_dry_run_says_method_and_address_without_its_query():
    (action,) = STEP.actions(params("https://proxy.example/v1?key=x"), SUBJECT)
    assert ENGLISH.render(action.said) == "call POST https://proxy.example/v1"
    assert (action.target, action.effect) == ("proxy", Effect.DISRUPTS)
    (reading,) = STEP.actions(params("https://proxy.example/v1", method="GET"), SUBJECT)
    assert reading.effect is Effect.READS


@pytest.mark.parametrize(
    ("status", "text", "keys", "why"),
    [
        (404, "", {}, "HTTP 404"),
        (503, "", {}, "HTTP 503"),
        (200, "", {"status": [202]}, "HTTP 200 instead of 202"),
        (200, '{"state": "draining"}', {"answer": {"/state": "down"}}, 'the answer has "draining" at /state instead'),
        (200, "<html>", {"answer": {"/state": "down"}}, "the answer is no JSON"),
    ],
)
async def test_a_wrong_answer_fails(
    api: Api, make_io: Callable[..., Io], status: int, text: str, keys: dict[str, Any], why: str
):
    api.reply = replying(status, text)
    with pytest.raises(StepFailed) as caught:
        await carried(make_io(), params(api.url, **keys))
    assert said(caught.value).startswith(why)
    assert (caught.value.evidence, caught.value.output) == ({"status": status}, text)


@pytest.mark.parametrize("status", [500, 502, 504, 303])
async def test_an_answer_that_may_come_after_half_of_the_work_is_uncertain(
    api: Api, make_io: Callable[..., Io], status: int
):
    api.reply = replying(status)
    with pytest.raises(StepUncertain):
        await carried(make_io(), params(api.url))


async def test_a_redirect_is_not_followed(api: Api, make_io: Callable[..., Io]):
    api.reply = replying(307, "", Location=f"{api.url}/elsewhere")
    with pytest.raises(StepFailed) as caught:
        await carried(make_io(), params(f"{api.url}/here"))
    assert said(caught.value) == "HTTP 307"
    assert [path for _, path, _, _ in api.asked] == ["/here"]


async def test_silence_after_the_request_is_uncertain(api: Api, make_io: Callable[..., Io]):
    async def never(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(5)
        return web.Response()

    api.reply = never
    with pytest.raises(StepUncertain, match="may have done it"):
        await carried(make_io(), params(api.url, within="300ms"))


async def test_a_connection_that_is_lost_before_the_answer_is_uncertain(api: Api, make_io: Callable[..., Io]):
    async def lost(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    api.reply = lost
    with pytest.raises(StepUncertain, match="was lost before"):
        await carried(make_io(), params(api.url))


async def test_a_server_that_is_away_provably_got_nothing(make_io: Callable[..., Io]):
    listening = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    listening.close()
    await listening.wait_closed()
    wanted = params(f"http://127.0.0.1:{port}", done={"url": f"http://127.0.0.1:{port}"})
    with pytest.raises(StepFailed, match="cannot be reached"):
        await carried(make_io(), wanted)
    assert await STEP.done(wanted, {}, SUBJECT, make_io()) is Answer.CANNOT_TELL


async def test_a_certificate_of_an_unknown_authority_is_refused(tls: tuple[Api, Path], make_io: Callable[..., Io]):
    api, ca = tls
    with pytest.raises(StepFailed, match="not trusted"):
        await carried(make_io(), params(api.url))
    assert api.asked == []
    await carried(make_io(), params(api.url, ca=str(ca)))
    with pytest.raises(StepFailed, match="not trusted"):  # the name is another one
        await carried(make_io(), params(api.url.replace("127.0.0.1", "localhost"), ca=str(ca)))
    with pytest.raises(StepFailed, match="cannot read certificates"):
        await carried(make_io(), params(api.url, ca=str(ca.with_name("none.pem"))))


async def test_an_endless_answer_is_cut_and_what_it_repeats_of_a_secret_hidden(
    api: Api, make_io: Callable[..., Io], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("API_TOKEN", "open-sesame")
    api.reply = replying(200, "open-sesame\x1b[2J" + "x" * (2 * LARGEST))
    outcome = await carried(make_io(), params(api.url, headers={"X-Api-Key": "env:API_TOKEN"}))
    assert outcome.output.startswith("*** [2Jxxx")
    assert len(outcome.output) < 5000


@pytest.mark.parametrize(
    ("status", "text", "answer"),
    [
        (200, '{"state": "active"}', Answer.YES),
        (200, '{"state": "standby"}', Answer.NO),
        (404, "", Answer.NO),
        (200, "<html>", Answer.CANNOT_TELL),
        (401, "", Answer.CANNOT_TELL),
        (500, '{"state": "active"}', Answer.CANNOT_TELL),
    ],
)
async def test_after_a_crash_the_probe_tells(
    api: Api, make_io: Callable[..., Io], status: int, text: str, answer: Answer
):
    api.reply = replying(status, text)
    wanted = params(f"{api.url}/do", done={"url": f"{api.url}/state", "answer": {"/state": "active"}})
    assert await STEP.done(wanted, {}, SUBJECT, make_io()) is answer
    assert [(method, path) for method, path, _, _ in api.asked] == [("GET", "/state")]


@pytest.mark.parametrize(
    ("keys", "answer"),
    [({}, Answer.CANNOT_TELL), ({"method": "GET"}, Answer.NO), ({"effect": "reads"}, Answer.NO)],
)
async def test_after_a_crash_without_a_probe_only_reading_may_be_repeated(
    api: Api, make_io: Callable[..., Io], keys: dict[str, str], answer: Answer
):
    assert await STEP.done(params(api.url, **keys), {}, SUBJECT, make_io()) is answer
    assert api.asked == []


async def test_what_is_done_already_is_not_sent(api: Api, make_io: Callable[..., Io]):
    outcome = await carried(make_io(), params(f"{api.url}/do", done={"url": f"{api.url}/state"}))
    assert outcome.changed is False
    assert [path for _, path, _, _ in api.asked] == ["/state"]


async def test_a_secret_that_would_break_the_header_is_not_sent(
    api: Api, make_io: Callable[..., Io], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("API_TOKEN", "a\nX-Evil: 1")
    with pytest.raises(StepFailed, match="characters that none may have"):
        await carried(make_io(), params(api.url, headers={"X-Api-Key": "env:API_TOKEN"}))
    assert api.asked == []


@pytest.mark.parametrize(
    ("url", "keys"),
    [
        ("ftp://x/", {}), ("https://", {}), ("https://u:p@x/", {}), ("https://x/a b", {}), ("https://x/\n", {}),
        ("https://x/", {"headers": {"Host": "y"}}), ("https://x/", {"headers": {"a b": "y"}}),
        ("https://x/", {"headers": {"A": "y\nB: z"}}), ("https://x/", {"headers": {"Authorization": "Bearer abc"}}),
        ("https://x/", {"headers": {"X-Auth-Token": "file:secret"}}), ("https://x/", {"method": "GET", "body": 1}),
        ("http://x/", {"headers": {"X-Auth-Token": "env:T"}}), ("https://x/", {"answer": {"state": 1}}),
        ("https://x/", {"headers": {"X-Auth-Token": "env:T"}, "done": {"url": "http://x/"}}),
        ("https://x/", {"ca": "ca.pem"}), ("https://x/", {"status": [99]}), ("https://x/", {"method": "TRACE"}),
    ],
)  # fmt: skip
def test_keys_that_make_no_sense_or_tell_a_secret_are_refused(url: str, keys: dict[str, Any]):
    with pytest.raises(ValidationError):
        params(url, **keys)


def test_it_is_registered():
    assert isinstance(load("http-call"), HttpCall)
