"""Step `patroni-switchover` against an interface that answers as Patroni's documentation says, and as it should not."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from monitor.core.ids import CheckId, NodeId
from monitor.core.text import ENGLISH
from probes.contract import Target
from runbooks.contract import Answer, CheckOf, Effect, Image, Io, Outcome, Site, StepFailed, StepUncertain, Subject
from runbooks.http_calls import LARGEST
from runbooks.patroni import Senseless, view_of
from runbooks.registry import load
from runbooks.steps.patroni_switchover import PatroniSwitchover, PatroniSwitchoverParams

STEP = PatroniSwitchover()
NODE = Target(NodeId("sql-2"), "127.0.0.1")
CHECK = CheckOf(CheckId("base"), "tcp", NODE.name, NODE, None)
SUBJECT = Subject(CHECK.id, Site(checks={CHECK.id: CHECK}, devices={NODE.name: NODE}))
SYSTEM = "7012345678901234567"


def member(name: str, role: str, **keys: Any) -> dict[str, Any]:
    own = {"name": name, "role": role, "state": "running", "api_url": "https://10.9.9.9:8008/patroni", "timeline": 4}
    return {**own, **({} if role == "leader" else {"lag": 0}), **keys}


@dataclass
class Patroni:
    """A cluster of `b` and its replica `a`; `told`: path, headers and body of all that it was told to do.

    `obey`: what it does when told, and its answer; `raw`: what it answers to a path instead.
    """

    url: str = ""
    members: list[dict[str, Any]] = field(default_factory=lambda: [member("a", "replica"), member("b", "leader")])
    told: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)
    raw: dict[str, web.Response] = field(default_factory=dict)
    obey: Callable[[], web.StreamResponse] | None = None
    system: str = SYSTEM

    def lead(self, name: str, timeline: int = 5) -> None:
        for one in self.members:
            one["role"], one["timeline"] = ("leader" if one["name"] == name else "replica"), timeline

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.method == "POST":
            headers = {name.lower(): value for name, value in request.headers.items()}
            self.told.append((request.path, headers, await request.json()))
            if self.obey is not None:
                return self.obey()
            self.lead("a")
            return web.Response(text='Successfully switched over to "a"')
        if request.path in self.raw:
            kept = self.raw[request.path]
            return web.Response(status=kept.status, body=kept.body, headers=kept.headers)
        if request.path == "/cluster":
            return web.json_response({"members": self.members})
        own = {"state": "running", "database_system_identifier": self.system}
        return web.json_response({**own, "patroni": {"version": "3.0.2", "scope": "crm"}})


async def served(context: ssl.SSLContext | None = None) -> tuple[Patroni, web.AppRunner]:
    made, app = Patroni(), web.Application()
    app.router.add_route("*", "/{path:.*}", made.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    made.url = f"{'http' if context is None else 'https'}://127.0.0.1:{runner.addresses[0][1]}"
    return made, runner


@pytest.fixture
async def patroni() -> AsyncIterator[Patroni]:
    made, runner = await served()
    yield made
    await runner.cleanup()


def params(url: str | list[str], **keys: Any) -> PatroniSwitchoverParams:
    return PatroniSwitchoverParams.model_validate({"url": url, "candidate": "a", "within": "10s", **keys})


async def image(wanted: PatroniSwitchoverParams, io: Io) -> Image:
    """Return the before-image as it comes out of the journal."""
    found: Image = json.loads(json.dumps(dict(await STEP.before(wanted, SUBJECT, io))))
    return found


async def carried(wanted: PatroniSwitchoverParams, io: Io) -> Outcome:
    """Plan, look and apply, with keys and before-image as they come out of the journal."""
    (action,) = STEP.actions(wanted, SUBJECT)
    keys = PatroniSwitchoverParams.model_validate(json.loads(json.dumps(dict(action.params))))
    assert keys == wanted
    return await STEP.apply(keys, await image(keys, io), SUBJECT, io)


def said(error: Any) -> str:
    return ENGLISH.render(error.text).replace("\u00a0", " ")


async def test_a_switchover_is_told_once_with_the_old_primary_and_proven_by_the_cluster(
    patroni: Patroni, make_io: Callable[..., Io], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PATRONI_PASSWORD", "open-sesame")
    patroni.members[0]["lag"] = 2048
    wanted = params(patroni.url + "/", user="releve", password="env:PATRONI_PASSWORD", lag="1 MB")
    outcome = await carried(wanted, make_io(token=7))
    ((path, headers, body),) = patroni.told
    assert (path, body) == ("/switchover", {"candidate": "a", "leader": "b"})
    assert headers["authorization"] == "Basic " + base64.b64encode(b"releve:open-sesame").decode()
    assert headers["x-releve-token"] == "7"
    assert outcome.changed
    assert said(outcome) == (
        "a is the primary, on timeline 5. It lacked 2 kB of the log; Patroni then stopped the old primary in order, "
        "and nobody proves that all of it arrived"
    )
    assert outcome.evidence["before"] == {
        "leader": "b", "role": "replica", "state": "running", "lag": 2048, "timeline": 4, "system": SYSTEM,
        "scope": "crm",
    }  # fmt: skip
    assert wanted.secrets()["password"].reference == "env:PATRONI_PASSWORD"


@pytest.mark.parametrize(
    ("candidate", "leader", "keys", "text"),
    [
        (
            member("a", "sync_standby", lag=99), "b", {},
            "It was the synchronous standby: nothing is lost that the old primary confirmed, except what was written "
            "without waiting for it",
        ),
        (
            member("a", "replica", lag=10**7), None, {"force": True},
            "It lacked 10 MB of the log when it was last seen; what the old primary committed after that, if anything, "
            "is not here",
        ),
        (
            member("a", "quorum_standby", lag="unknown", state="in archive recovery"), "b", {"force": True},
            "Nobody knows how far it was behind: what the old primary committed after that, if anything, is not here",
        ),
    ],
)  # fmt: skip
async def test_what_may_be_lost_is_told_and_denied_only_where_commits_waited(
    patroni: Patroni, make_io: Callable[..., Io], candidate: dict[str, Any], leader: str | None, keys: dict, text: str
):
    patroni.members = [candidate, *([member(leader, "leader")] if leader else [])]
    outcome = await carried(params(patroni.url, **keys), make_io())
    assert said(outcome) == f"a is the primary, on timeline 5. {text}"
    ((path, _, body),) = patroni.told
    assert (path, "leader" in body) == (("/failover", False) if keys else ("/switchover", True))


@pytest.mark.parametrize(
    ("members", "keys", "why"),
    [
        ([member("c", "replica"), member("b", "leader")], {}, "Patroni has no member a"),
        ([member("a", "standby_leader")], {"force": True}, "a is no replica: Patroni has it as standby_leader"),
        ([member("a", "replica", state="start failed"), member("b", "leader")], {}, "the database of a does not run"),
        ([member("a", "leader", state="crashed")], {}, "the database of a does not run: Patroni has it as crashed"),
        ([member("a", "replica", timeline=None)], {"force": True}, "Patroni does not say on which timeline"),
        ([member("a", "replica")], {}, "the cluster has no primary that could agree"),
        ([member("a", "replica", lag=2**20 + 1), member("b", "leader")], {}, "a lacks 1 MB of the log, and it may"),
        ([member("a", "replica", lag=9), member("b", "leader")], {"force": True, "lag": "8 B"}, "a lacks 9 B"),
        ([member("a", "replica", lag="unknown"), member("b", "leader")], {}, "nobody knows how far a is behind"),
    ],
)
async def test_a_candidate_that_is_unfit_is_refused_and_nothing_is_told(
    patroni: Patroni, make_io: Callable[..., Io], members: list[dict[str, Any]], keys: dict[str, Any], why: str
):
    patroni.members = members
    with pytest.raises(StepFailed) as caught:
        await carried(params(patroni.url, **keys), make_io())
    assert said(caught.value).startswith(why)
    assert patroni.told == []


async def test_the_primary_is_left_as_it_is(patroni: Patroni, make_io: Callable[..., Io]):
    patroni.lead("a", 6)
    outcome = await carried(params(patroni.url), make_io())
    assert (outcome.changed, patroni.told) == (False, [])
    assert said(outcome) == "a is the primary already, on timeline 6"


@pytest.mark.parametrize(
    ("status", "text", "why"),
    [
        (412, "candidate name does not match with sync_standby",
         "Patroni refuses: candidate name does not match with sync_standby (HTTP 412)"),
        (401, "not authenticated", "Patroni refuses: not authenticated (HTTP 401)"),
        (307, "", "Patroni refuses: - (HTTP 307)"),
        (503, "Switchover failed", "Patroni refuses: Switchover failed (HTTP 503)"),
        (400, "\x1b[31m" + "x" * 9999, "Patroni refuses: [31mxxx"),
    ],
)  # fmt: skip
async def test_a_refusal_is_a_failure_in_patronis_own_words(
    patroni: Patroni, make_io: Callable[..., Io], status: int, text: str, why: str
):
    elsewhere = {"Location": f"{patroni.url}/elsewhere"} if status == 307 else {}
    patroni.obey = lambda: web.Response(status=status, text=text, headers=elsewhere)
    with pytest.raises(StepFailed) as caught:
        await carried(params(patroni.url), make_io())
    assert said(caught.value).startswith(why)
    assert len(said(caught.value)) < 400
    assert len(patroni.told) == 1


async def test_patroni_that_was_faster_is_believed_by_what_the_cluster_shows(
    patroni: Patroni, make_io: Callable[..., Io]
):
    def late() -> web.Response:
        patroni.lead("a")
        return web.Response(status=412, text="leader name does not match")

    patroni.obey = late
    outcome = await carried(params(patroni.url), make_io())
    assert said(outcome).startswith("a is the primary, on timeline 5")


async def test_another_member_that_leads_instead_is_a_failure(patroni: Patroni, make_io: Callable[..., Io]):
    def other() -> web.Response:
        patroni.members.append(member("c", "replica"))
        patroni.lead("c")
        return web.Response(text='Switched over to "c" instead of "a"')

    patroni.obey = other
    with pytest.raises(StepFailed, match="made"):
        await carried(params(patroni.url), make_io())


async def test_an_answer_that_does_not_come_is_looked_for_in_the_cluster(patroni: Patroni, make_io: Callable[..., Io]):
    def lost() -> web.StreamResponse:
        patroni.lead("a")
        raise ConnectionResetError

    patroni.obey = lost
    assert (await carried(params(patroni.url), make_io())).changed


@pytest.mark.parametrize("timeline", [4, None])
async def test_who_holds_the_key_and_writes_on_no_new_timeline_is_not_believed(
    patroni: Patroni, make_io: Callable[..., Io], timeline: int | None
):
    io, wanted = make_io(), params(patroni.url, within="1s")
    before = await image(wanted, io)

    def still() -> web.Response:
        patroni.lead("a", timeline)  # type: ignore[arg-type]
        return web.Response(status=503, text="Switchover status unknown")

    patroni.obey = still
    with pytest.raises(StepUncertain, match="and it is not after"):
        await STEP.apply(wanted, before, SUBJECT, io)
    asyncio.get_running_loop().call_later(0.3, patroni.lead, "a", 5)
    assert await STEP.done(wanted, before, SUBJECT, io) is Answer.YES


async def test_after_a_crash_the_cluster_tells(patroni: Patroni, make_io: Callable[..., Io]):
    io, wanted = make_io(), params(patroni.url)
    before = await image(wanted, io)
    assert await STEP.done(wanted, before, SUBJECT, io) is Answer.NO
    patroni.lead("a")
    assert await STEP.done(wanted, before, SUBJECT, io) is Answer.YES
    later = await image(wanted, io)
    assert await STEP.done(wanted, later, SUBJECT, io) is Answer.YES  # it led before, and there was nothing to do
    patroni.lead("b", 6)
    assert await STEP.done(wanted, before, SUBJECT, io) is Answer.NO
    patroni.members = [member("a", "replica")]
    assert await STEP.done(params(patroni.url, force=True, within="1s"), before, SUBJECT, io) is Answer.NO


async def nobody_there() -> str:
    listening = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    listening.close()
    await listening.wait_closed()
    return f"http://127.0.0.1:{port}"


async def test_after_a_crash_who_cannot_be_told_apart_is_left_to_a_person(patroni: Patroni, make_io: Callable[..., Io]):
    io, wanted = make_io(), params(patroni.url, within="1s")  # it waits no longer to see how things settle
    before = await image(wanted, io)
    another = {**before, "system": "1"}
    patroni.members = [member("a", "replica")]
    asked = [
        (wanted, before),  # no leader
        (wanted, another),
        (params(patroni.url, candidate="gone", within="1s"), before),
        (params(await nobody_there(), within="1s"), before),
    ]
    answers = await asyncio.gather(*(STEP.done(keys, was, SUBJECT, io) for keys, was in asked))
    assert answers == [Answer.CANNOT_TELL] * 4
    patroni.lead("a")
    assert await STEP.done(wanted, another, SUBJECT, io) is Answer.CANNOT_TELL


async def test_the_next_member_is_asked_where_one_is_away(patroni: Patroni, make_io: Callable[..., Io]):
    gone = await nobody_there()
    assert (await carried(params([gone, patroni.url]), make_io())).changed
    assert len(patroni.told) == 1
    before = {**await image(params(patroni.url), make_io()), "role": "replica"}
    with pytest.raises(StepFailed, match="cannot be reached"):
        await STEP.apply(params(gone), before, SUBJECT, make_io())


async def test_a_member_at_a_lost_site_is_not_waited_for_and_no_order_is_sent_to_it(
    patroni: Patroni, make_io: Callable[..., Io]
):
    heard = bytearray()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(9999):  # and nothing comes back
            heard.extend(data)
        writer.close()

    lost = await asyncio.start_server(silent, "127.0.0.1", 0)
    wanted = params([f"http://127.0.0.1:{lost.sockets[0].getsockname()[1]}", patroni.url])
    try:
        assert (await carried(wanted, make_io())).changed
    finally:
        lost.close()
        await lost.wait_closed()
    assert b"GET /cluster" in heard
    assert b"POST" not in heard
    assert len(patroni.told) == 1


async def test_a_member_that_was_cut_off_from_etcd_is_passed_over(patroni: Patroni, make_io: Callable[..., Io]):
    stale, runner = await served()
    stale.obey = lambda: web.Response(status=503, text="failed to write switchover key into DCS")
    try:
        outcome = await carried(params([stale.url, patroni.url]), make_io())
    finally:
        await runner.cleanup()
    assert said(outcome).startswith("a is the primary, on timeline 5")
    assert (len(stale.told), len(patroni.told)) == (1, 1)
    assert [one["role"] for one in stale.members] == ["replica", "leader"]  # what it still told, and nobody believed


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/cluster", web.Response(text="<html>log in</html>")),
        ("/cluster", web.Response(text="[" * 100_000)),
        ("/cluster", web.Response(body=b"x" * (LARGEST + 9))),
        ("/cluster", web.Response(text='{"members": {"a": 1}}')),
        ("/cluster", web.Response(status=302, headers={"Location": "http://127.0.0.1:1/"})),
        ("/cluster", web.Response(status=500, text="{}")),
        ("/patroni", web.Response(text="[]")),
        ("/patroni", web.Response(body=b"\xff\xfe\x00")),
    ],
)
async def test_an_answer_that_is_none_of_patronis_is_told_and_nothing_is_done(
    patroni: Patroni, make_io: Callable[..., Io], path: str, answer: web.Response
):
    patroni.raw[path] = answer
    with pytest.raises(StepFailed):
        await carried(params(patroni.url), make_io())
    assert patroni.told == []


@pytest.mark.parametrize(
    "members",
    [
        [], None, "ab", [1], [{}], [member("", "leader")], [member("a", "")], [{**member("a", "leader"), "role": 5}],
        [member("a", "leader"), member("b", "leader")], [member("a", "leader"), member("a", "replica")],
        [member(f"m{n}", "replica") for n in range(101)],
    ],
)  # fmt: skip
def test_a_cluster_that_cannot_be_is_refused(members: Any):
    with pytest.raises(Senseless):
        view_of({"members": members}, {})


@pytest.mark.parametrize("odd", ["unknown", None, True, -1, 2**63, 10**400, 1.5, float("nan"), [], {}])
def test_a_number_that_is_none_is_not_known(odd: Any):
    view = view_of({"members": [member("a", "replica", lag=odd, timeline=odd)]}, {"database_system_identifier": 7})
    (only,) = view.members.values()
    assert (only.lag, only.timeline, view.system, view.timeline) == (None, None, "", 0)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
        ["members", "name", "role", "state", "lag", "timeline", "patroni", "scope"]), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(JSON, JSON)
def test_any_json_is_a_cluster_or_is_refused(cluster: Any, status: Any):
    try:
        view = view_of(cluster, status)
    except Senseless:
        return
    assert all(name and name.isprintable() and len(name) <= 200 for name in view.members)


async def test_the_certificate_is_verified_and_ours_is_shown(tmp_path: Path, make_io: Callable[..., Io]):
    authority, context = trustme.CA(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    own = authority.issue_cert("releve.example.org")
    files = {name: tmp_path / f"{name}.pem" for name in ("ca", "cert", "key")}
    authority.cert_pem.write_to_path(str(files["ca"]))
    own.cert_chain_pems[0].write_to_path(str(files["cert"]))
    own.private_key_pem.write_to_path(str(files["key"]))
    made, runner = await served(context)
    try:
        with pytest.raises(StepFailed, match="not trusted"):
            await carried(params(made.url), make_io())
        with pytest.raises(StepFailed):
            await carried(params(made.url, ca=str(files["ca"])), make_io())
        assert made.told == []
        with pytest.raises(StepFailed, match="cannot use the certificate"):
            await carried(params(made.url, ca=str(files["ca"]), cert=str(files["key"]), key=str(files["cert"])),
                          make_io())  # fmt: skip
        outcome = await carried(params(made.url, **{name: str(path) for name, path in files.items()}), make_io())
        assert outcome.changed
    finally:
        await runner.cleanup()


def test_the_dry_run_says_who_is_made_the_primary_and_whether_the_old_one_agrees():
    (planned,) = STEP.actions(params("https://10.1.0.5:8008"), SUBJECT)
    (forced,) = STEP.actions(params("https://10.1.0.5:8008", force=True), SUBJECT)
    assert [ENGLISH.render(one.said) for one in (planned, forced)] == [
        "have Patroni make a the primary", "have Patroni make a the primary, even without the old one",
    ]  # fmt: skip
    assert (planned.target, planned.effect) == ("sql-2", Effect.DISRUPTS)


@pytest.mark.parametrize(
    "keys",
    [
        {"url": []}, {"url": ["https://x"] * 10}, {"url": "https://x/?a=1"}, {"url": "ftp://x"}, {"candidate": ""},
        {"user": "x"}, {"password": "env:X"}, {"user": "x", "password": "clear"}, {"cert": "/c.pem"},
        {"user": "a:b", "password": "env:X"}, {"user": "x", "password": "file:x"}, {"ca": "ca.pem"},
        {"url": "http://x", "user": "x", "password": "env:X"}, {"within": "2 h"}, {"lag": 5}, {"force": "maybe"},
    ],
)  # fmt: skip
def test_keys_that_make_no_sense_or_tell_a_secret_are_refused(keys: dict[str, Any]):
    with pytest.raises(ValidationError):
        params(**{"url": "https://x", **keys})


def test_it_is_registered():
    assert isinstance(load("patroni-switchover"), PatroniSwitchover)
