"""A web page: what its answers mean, real servers on loopback, and servers that lie, stall, redirect and bloat."""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from monitor.core.ids import NodeId
from monitor.core.text import ENGLISH
from monitor.core.verdict import Severity
from probes.contract import ProbeFault, Target, TargetFailure
from probes.http import LARGEST_BODY, Http, HttpParams, HttpSeen, on_device, unfold

HERE = Target(NodeId("here"), "127.0.0.1")
NOW = datetime.now(UTC)  # noqa: TID251 - certificates are dated by the real clock


def params(**keys: object) -> HttpParams:
    return HttpParams.model_validate(keys)


def said(raised: pytest.ExceptionInfo[TargetFailure | ProbeFault]) -> str:
    return ENGLISH.render(raised.value.text)


@asynccontextmanager
async def serving(
    handle: Callable[[web.Request], web.StreamResponse], tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        return handle(request)  # type: ignore[arg-type]

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@asynccontextmanager
async def saying(raw: bytes, *, then_wait: bool = False) -> AsyncIterator[int]:
    """Serve these bytes whatever is asked."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(raw)
            await writer.drain()
            if then_wait:
                await reader.read()
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@pytest.mark.parametrize(
    ("seen", "keys", "severity", "words"),
    [
        (HttpSeen(200, 0.1), {}, Severity.OK, "HTTP 200 in 100\N{NO-BREAK SPACE}ms"),
        (HttpSeen(200, 0.3), {"warning": "200ms"}, Severity.WARNING, "HTTP 200"),
        (HttpSeen(404, 0.1), {}, Severity.CRITICAL, "HTTP 404"),
        (HttpSeen(401, 0.1), {"status": 401}, Severity.OK, "HTTP 401"),
        (HttpSeen(200, 0.1), {"status": [401, 403]}, Severity.CRITICAL, "HTTP 200 instead of 401, 403"),
        (HttpSeen(200, 0.1, b"Connexion"), {"expect": "Connexion"}, Severity.OK, "HTTP 200"),
        (HttpSeen(200, 0.1, b"Erreur"), {"expect": "Connexion"}, Severity.CRITICAL, "does not contain 'Connexion'"),
        (HttpSeen(200, 0.1, "é".encode("latin-1"), "latin-1"), {"expect": "é"}, Severity.OK, "HTTP 200"),
        (HttpSeen(200, 0.1, "é".encode(), "no-such-charset"), {"expect": "é"}, Severity.OK, "HTTP 200"),
        (HttpSeen(200, 0.1, b"x", cut=True), {"expect": "y"}, Severity.CRITICAL, "the first"),
        (HttpSeen(200, 0.1, b"x", coding="br"), {"expect": "y"}, Severity.CRITICAL, "compressed by br"),
    ],
)
def test_a_wrong_status_or_text_is_critical_and_the_time_goes_by_its_thresholds(seen, keys, severity, words):
    verdict = Http().judge(seen, params(**keys))
    assert verdict.severity is severity
    assert words in ENGLISH.render(verdict.summary)
    assert verdict.facts == {"status": str(seen.status)}


@pytest.mark.parametrize("charset", ["punycode", "idna", "Puny-Code", "undefined", "hex", "no\0charset"])
def test_a_charset_that_no_page_has_is_read_as_utf_8(charset):
    page = "é".encode() + b"a" * LARGEST_BODY
    assert Http().judge(HttpSeen(200, 0.1, page, charset), params(expect="éa")).severity is Severity.OK


@given(
    st.integers(0, 999), st.floats(0, 1e6), st.binary(max_size=200), st.text(max_size=10), st.booleans(),
    st.text(max_size=5), st.one_of(st.none(), st.text(min_size=1, max_size=5)),
)  # fmt: skip
def test_every_observation_has_a_verdict(status, took, body, charset, cut, coding, expect):
    verdict = Http().judge(HttpSeen(status, took, body, charset, cut, coding), params(expect=expect))
    assert ENGLISH.render(verdict.summary)


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "deflate"])
def test_a_compressed_page_is_unfolded_but_never_beyond_the_limit(coding):
    fold = zlib.compress if coding == "deflate" else gzip.compress
    assert unfold(fold(b"bonjour"), coding) == (b"bonjour", False)
    plain, more = unfold(fold(bytes(5 * LARGEST_BODY)), coding)
    assert (len(plain), more) == (LARGEST_BODY, True)


@given(st.binary(max_size=100), st.sampled_from(["gzip", "deflate", "br", "", "nonsense"]))
def test_no_body_breaks_the_unfolding(body, coding):
    unfolded = unfold(body, coding)
    assert unfolded is None or len(unfolded[0]) <= LARGEST_BODY


@pytest.mark.parametrize(
    ("to", "host", "expected"),
    [
        ("http://10.0.0.5:8080/login", "crm.local", ("http://10.0.0.5:8080/login", "crm.local")),
        ("http://crm.local/login", "crm.local", ("http://10.0.0.5:8080/login", "crm.local")),
        ("https://crm.local/login", "crm.local", ("https://10.0.0.5/login", "crm.local")),
        ("https://crm.local:8443/login", "CRM.local:8080", ("https://10.0.0.5:8443/login", "CRM.local:8080")),
        ("http://elsewhere.example/", "crm.local", ("http://elsewhere.example/", None)),
        ("http://crm.local/", None, ("http://crm.local/", None)),
    ],
)
def test_a_redirect_to_the_named_site_stays_on_the_device(to, host, expected):
    url, name = on_device(URL(to), URL("http://10.0.0.5:8080/"), host)
    assert (str(url), name) == expected


async def test_a_page_is_fetched_with_its_status_and_text(make_io):
    async with serving(lambda request: web.Response(text=f"Bienvenue {request.raw_path}")) as port:
        look = params(port=port, path="/été?next=%2F", expect="Bienvenue /%C3%A9t%C3%A9?next=%2F")
        seen = await Http().observe(HERE, look, make_io())
    assert Http().judge(seen, look).severity is Severity.OK
    assert seen.status == 200


async def test_the_named_site_is_asked_for_and_no_cookie_or_compression_comes_along(make_io):
    asked = []

    def handle(request: web.Request) -> web.Response:
        asked.append((request.headers["Host"], request.headers.get("Cookie"), request.headers["Accept-Encoding"]))
        return web.Response(headers={"Set-Cookie": "a=b"})

    async with serving(handle) as port:
        io, look = make_io(), params(port=port, host="crm.example.org")
        await Http().observe(HERE, look, io)
        await Http().observe(HERE, look, io)
    assert asked == [("crm.example.org", None, "identity")] * 2


async def test_redirects_are_followed_on_the_device_and_counted(make_io):
    def handle(request: web.Request) -> web.Response:
        n = int(request.query.get("n", 0))
        if n < int(request.query.get("of", 3)):
            where = f"http://crm.example.org/?n={n + 1}&of={request.query.get('of', 3)}"
            return web.Response(status=302, headers={"Location": where})
        return web.Response(text="arrived")

    async with serving(handle) as port:
        look = params(port=port, host="crm.example.org", expect="arrived")
        seen = await Http().observe(HERE, look, make_io())
        assert Http().judge(seen, look).severity is Severity.OK
        with pytest.raises(TargetFailure) as raised:
            await Http().observe(HERE, params(port=port, host="crm.example.org", path="/?of=99"), make_io())
        wanted = await Http().observe(HERE, params(port=port, status=302), make_io())
    assert "more than 5 redirects" in said(raised)
    assert wanted.status == 302


@pytest.mark.parametrize("where", ["file:///etc/passwd", "javascript:1", "http://[", "gopher://x/"])
async def test_a_redirect_leads_nowhere_but_to_the_web(make_io, where):
    async with saying(f"HTTP/1.1 302 Found\r\nLocation: {where}\r\nContent-Length: 0\r\n\r\n".encode()) as port:
        with pytest.raises(TargetFailure) as raised:
            await Http().observe(HERE, params(port=port), make_io())
    assert "redirect" in said(raised)


async def test_an_endless_page_is_read_up_to_the_limit(make_io):
    async with saying(b"HTTP/1.1 200 OK\r\n\r\n" + b"a" * (2 * LARGEST_BODY), then_wait=True) as port:
        look = params(port=port, expect="zzz")
        seen = await Http().observe(HERE, look, make_io())
    assert (len(seen.body), seen.cut) == (LARGEST_BODY, True)


async def test_a_bomb_does_not_go_off(make_io):
    bomb = gzip.compress(bytes(20 * LARGEST_BODY))
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(bomb)}\r\n\r\n"
    async with saying(head.encode() + bomb) as port:
        seen = await Http().observe(HERE, params(port=port, expect="x"), make_io())
    assert (len(seen.body), seen.cut) == (LARGEST_BODY, True)


@pytest.mark.parametrize(
    ("raw", "words", "down"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "not in HTTP", False),
        (b"\x00\xff" * 100, "not in HTTP", False),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n", "not in HTTP", False),
        (b"", "ends the connection without an answer", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", "breaks off", False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "", False),
    ],
)
async def test_a_broken_answer_is_the_targets_failure_and_says_how(make_io, raw, words, down):
    async with saying(raw) as port:
        with pytest.raises(TargetFailure) as raised:
            await Http().observe(HERE, params(port=port), make_io())
    assert words in said(raised)
    assert raised.value.down is down


async def test_a_page_that_does_not_come_is_told_apart_from_a_port_that_does_not_answer(make_io):
    async with saying(b"HTTP/1.1 200 OK\r\n", then_wait=True) as port:
        with pytest.raises(TargetFailure) as raised:
            await Http().observe(HERE, params(port=port), make_io(0.5))
    assert "accepts, but the page did not come" in said(raised)
    assert raised.value.down
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(TargetFailure) as raised:
            await Http().observe(HERE, params(port=taken.getsockname()[1]), make_io())
    assert "connection refused" in said(raised)
    assert raised.value.down


async def test_a_name_that_does_not_resolve_is_our_trouble(make_io):
    with pytest.raises(ProbeFault) as raised:
        await Http().observe(Target(NodeId("x"), "nowhere.invalid"), params(), make_io())
    assert "does not resolve" in said(raised)


class Certificates:
    """Server contexts of one authority, and the file that names it."""

    def __init__(self, folder: Path) -> None:
        self.authority = trustme.CA()
        self.file = folder / "ca.pem"
        self.authority.cert_pem.write_to_path(self.file)

    def context(self, *names: str, authority: trustme.CA | None = None, **dates: datetime) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        (authority or self.authority).issue_cert(*names, **dates).configure_cert(context)
        return context


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("ca"))


async def test_a_certificate_of_the_named_authority_is_trusted_by_address_and_by_name(make_io, certificates):
    for names, keys in ((["127.0.0.1"], {}), (["crm.example.org"], {"host": "crm.example.org"})):
        async with serving(lambda _request: web.Response(text="ok"), certificates.context(*names)) as port:
            look = params(port=port, tls=True, ca=certificates.file, expect="ok", **keys)
            seen = await Http().observe(HERE, look, make_io())
            assert Http().judge(seen, look).severity is Severity.OK


@pytest.mark.parametrize(
    ("names", "dates", "words"),
    [
        (["127.0.0.1"], {"not_before": NOW - timedelta(9), "not_after": NOW - timedelta(1)}, "has expired"),
        (["127.0.0.1"], {"not_before": NOW + timedelta(1)}, "not valid yet"),
        (["127.0.0.2", "other.example.org"], {}, "for another name"),
    ],
)
async def test_a_certificate_that_does_not_hold_is_the_targets_failure_and_says_why(
    make_io, certificates, names, dates, words
):
    async with serving(lambda _request: web.Response(), certificates.context(*names, **dates)) as port:
        with pytest.raises(TargetFailure) as raised:
            await Http().observe(HERE, params(port=port, tls=True, ca=certificates.file), make_io())
    assert words in said(raised)
    assert not raised.value.down


async def test_a_redirect_never_leads_out_of_tls(make_io, certificates):
    def handle(request: web.Request) -> web.Response:
        where = "/end" if request.path == "/here" else f"http://127.0.0.1:{request.url.port}/"
        end = request.path == "/end"
        return web.Response(text="end") if end else web.Response(status=302, headers={"Location": where})

    async with serving(handle, certificates.context("127.0.0.1")) as port:
        keys = {"port": port, "tls": True, "ca": certificates.file}
        assert (await Http().observe(HERE, params(**keys, path="/here"), make_io())).body == b"end"
        with pytest.raises(TargetFailure) as raised:
            await Http().observe(HERE, params(**keys), make_io())
    assert "from https to http" in said(raised)


async def test_an_unknown_authority_is_never_trusted(make_io, certificates):
    stranger = certificates.context("127.0.0.1", authority=trustme.CA())
    async with serving(lambda _request: web.Response(), stranger) as port:
        for keys in ({}, {"ca": certificates.file}):
            with pytest.raises(TargetFailure) as raised:
                await Http().observe(HERE, params(port=port, tls=True, **keys), make_io())
            assert "an unknown authority" in said(raised) or "self-signed" in said(raised)


async def test_a_server_without_tls_is_told(make_io):
    async with serving(lambda _request: web.Response()) as port:
        with pytest.raises(TargetFailure) as raised:
            await Http().observe(HERE, params(port=port, tls=True), make_io())
    assert "it does not speak TLS" in said(raised)


async def test_a_certificate_file_that_is_absent_or_none_is_our_trouble_with_a_remedy(make_io, tmp_path):
    garbage = tmp_path / "garbage.pem"
    garbage.write_text("no certificate")
    for path in (tmp_path / "absent.pem", garbage):
        with pytest.raises(ProbeFault) as raised:
            await Http().observe(HERE, params(tls=True, ca=path), make_io())
        assert str(path) in said(raised)
        assert raised.value.remedy is not None


@pytest.mark.parametrize(
    "keys",
    [{"path": "login"}, {"path": "/a b"}, {"path": "/\r\nX: y"}, {"host": "a\r\nb"}, {"host": "a b"}, {"status": 99},
     {"status": "200"}, {"ca": "relative.pem"}, {"expect": ""}, {"port": 0}],
)  # fmt: skip
def test_a_parameter_that_cannot_be_right_is_refused(keys):
    with pytest.raises(ValueError, match="validation error"):
        params(**keys)
