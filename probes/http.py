"""Does a web page come, with the status and the text that it should have, and how fast?"""

from __future__ import annotations

import asyncio
import codecs
import ssl
import string
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar
from urllib.parse import quote

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema
from yarl import URL

from monitor.core.reasons import reason
from monitor.core.text import N_, Quantity, Text, say, verbatim
from monitor.core.verdict import Severity, Verdict
from monitor.secret import expanded
from probes.access import Port
from probes.contract import Io, ProbeFault, Target, TargetFailure
from probes.network import patience, unconnected, unresolved
from probes.params import ParamsMs, Unfit

if TYPE_CHECKING:
    import aiohttp

LARGEST_BODY = 1_000_000
"""Bytes of a page that are read and searched; also the most that a compressed page may unfold to."""
REDIRECTS = 5
REDIRECTED = frozenset({301, 302, 303, 307, 308})
CHUNK = 65536
OF_NAMES = frozenset({"idna", "punycode"})
"""Python's codecs for host names, no charsets of pages: theirs would take minutes for the largest body."""


def _statuses(value: Any) -> Any:
    """One status stands for a list of one; a list may come from JSON, where there are no tuples."""
    if isinstance(value, int) and not isinstance(value, bool):
        return (value,)
    return tuple(value) if isinstance(value, list) else value


def _absolute(path: Path) -> Path:
    full = expanded(str(path))
    if not full.is_absolute():
        raise Unfit(say("write the path from the root on, such as /etc/ssl/site-ca.pem"))
    return full


Status = Annotated[int, Field(ge=100, le=599)]
Statuses = Annotated[
    tuple[Status, ...],
    BeforeValidator(_statuses),
    WithJsonSchema({"anyOf": [{"type": "integer"}, {"type": "array", "items": {"type": "integer"}}]}),
]


class HttpParams(ParamsMs):
    """Keys of an `http` check."""

    port: Port | None = Field(default=None, description=N_("TCP port; 80, or 443 with tls"))
    path: Annotated[str, Field(pattern=r"^/[^\s\x00-\x1f\x7f]*$", max_length=2000)] = Field(
        default="/", description=N_("path and query of the page")
    )
    tls: bool = Field(default=False, description=N_("ask by https; the certificate is always verified"))
    ca: Annotated[Path, AfterValidator(_absolute)] | None = Field(
        default=None, description=N_("file of the authority that signed the certificate, where it is not a public one")
    )
    host: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+(:\d+)?$")] | None = Field(
        default=None, description=N_("name of the site to ask for, where it is not the device's address")
    )
    expect: Annotated[str, Field(min_length=1, max_length=1000)] | None = Field(
        default=None, description=N_("text that the page must contain")
    )
    status: Statuses = Field(default=(), description=N_("status codes that are right; any below 400 if none is given"))


@dataclass(frozen=True, slots=True)
class HttpSeen:
    """The last answer after redirects. `took`: seconds from the first connection to the end of what was read.

    `body` is at most LARGEST_BODY bytes, unfolded; `cut`: there was more. `coding`: a compression we do not read.
    """

    status: int
    took: float
    body: bytes = b""
    charset: str = "utf-8"
    cut: bool = False
    coding: str = ""


class Http:
    """Fetches one page."""

    kind: ClassVar[str] = "http"
    Params: ClassVar[type[HttpParams]] = HttpParams
    metrics: ClassVar[tuple[tuple[str, str], ...]] = (("time", "ms"),)
    ways: ClassVar[tuple[str, ...]] = ()
    needs: ClassVar[Text] = say("No permission; the port must be open to this machine.")

    async def observe(self, target: Target, params: HttpParams, io: Io) -> HttpSeen:
        """Fetch the page and follow its redirects.

        Raises TargetFailure when there is no answer or none that we may trust, ProbeFault when we cannot ask.
        """
        import aiohttp  # noqa: PLC0415 - it takes a tenth of a second, which no command should pay

        session = await io.sessions.shared("http", _session, lambda session: session.close())
        trust = await _trust(params.ca, io)
        port, wait = params.port or (443 if params.tls else 80), patience(io)
        progress = SimpleNamespace(connected=False)
        try:
            async with asyncio.timeout(wait):
                return await _fetch(session, trust, _url(target.address, port, params), params, progress)
        except TimeoutError as error:
            raise TargetFailure(_silence(port, wait, connected=progress.connected), down=True) from error
        except (aiohttp.ClientError, ssl.SSLError, OSError) as error:
            raise _failure(error, target.address, port) from error

    def judge(self, seen: HttpSeen, params: HttpParams) -> Verdict:
        """A wrong status or a missing text is CRITICAL; else the time decides by its thresholds."""
        time = params.metric("time", seen.took * 1000, "ms", first=True, minimum=0)
        facts = {"status": str(seen.status)}
        right = seen.status in params.status if params.status else 200 <= seen.status < 400
        if not right:
            return Verdict(Severity.CRITICAL, _wrong_status(seen, params), (time,), facts)
        if params.expect is not None and params.expect not in _text(seen):
            return Verdict(Severity.CRITICAL, _missing(seen, params.expect), (time,), facts)
        text = say("HTTP {status} in {time}", status=seen.status, time=Quantity(time.value, "ms"))
        return Verdict(time.severity, text, (time,), facts)


async def _session() -> aiohttp.ClientSession:
    import aiohttp  # noqa: PLC0415 - it takes a tenth of a second, which no command should pay

    async def connected(_session: Any, context: Any, _params: Any) -> None:
        context.trace_request_ctx.connected = True

    trace = aiohttp.TraceConfig()
    trace.on_connection_create_end.append(connected)
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(force_close=True, limit=0, use_dns_cache=False),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
        auto_decompress=False,
        trace_configs=[trace],
        headers={"User-Agent": "releve", "Accept-Encoding": "identity"},
    )


async def _trust(ca: Path | None, io: Io) -> ssl.SSLContext | bool:
    """Return what verifies certificates: the system's authorities, or those of the file `ca`, as it is now."""
    if ca is None:
        return True
    try:
        changed = (await io.blocking(ca.stat)).st_mtime_ns

        async def make() -> ssl.SSLContext:
            return await io.blocking(lambda: ssl.create_default_context(cafile=str(ca)))

        return await io.sessions.shared(("tls", ca, changed), make, lambda _context: None)
    except OSError as error:  # ssl.SSLError is one
        raise ProbeFault(
            say("cannot read certificates from {path}: {why}", path=str(ca), why=reason(error)),
            say("The key ca names a file in PEM format that Relève may read"),
        ) from error


def _url(address: str, port: int, params: HttpParams) -> URL:
    host = f"[{address}]" if ":" in address else address
    path = quote(params.path, safe=string.punctuation)  # as the inventory writes it: %2F stays %2F
    return URL(f"{'https' if params.tls else 'http'}://{host}:{port}{path}", encoded=True)


async def _fetch(
    session: aiohttp.ClientSession,
    trust: ssl.SSLContext | bool,
    url: URL,
    params: HttpParams,
    progress: SimpleNamespace,
) -> HttpSeen:
    """Get `url` and what it leads to."""
    loop = asyncio.get_running_loop()
    device, started, host = url, loop.time(), params.host
    for _hop in range(REDIRECTS + 1):
        async with session.get(
            url,
            ssl=trust,
            headers={"Host": host} if host else None,
            server_hostname=host.partition(":")[0] if host and url.scheme == "https" else None,
            allow_redirects=False,
            trace_request_ctx=progress,
        ) as response:
            where = response.headers.get("Location", "")
            if response.status not in REDIRECTED or response.status in params.status or not where:
                body, cut = await _body(response)
                return _seen(response, body, loop.time() - started, cut=cut)
        url, host = on_device(_next(url, where), device, params.host)
    raise TargetFailure(say("more than {count} redirects, the last to {url}", count=REDIRECTS, url=_shown(url)))


def on_device(url: URL, device: URL, host: str | None) -> tuple[URL, str | None]:
    """Return where to ask for `url` and by which name: a redirect to the named site stays on the probed device."""
    if url.host == device.host:
        return url, host
    if host is None or url.host != host.partition(":")[0].lower():
        return url, None
    port = device.port if url.scheme == device.scheme else url.port
    return url.with_host(str(device.host)).with_port(port), host


def _next(url: URL, where: str) -> URL:
    try:
        following = url.join(URL(where))
    except ValueError as error:
        raise TargetFailure(say("a redirect leads to what is no address")) from error
    if following.scheme not in ("http", "https") or not following.host:
        raise TargetFailure(say("a redirect leads away from the web: {url}", url=_shown(following)))
    if url.scheme == "https" and following.scheme == "http":  # anybody on the way could answer what is asked for then
        raise TargetFailure(say("a redirect leads from https to http: {url}", url=_shown(following)))
    return following


async def _body(response: aiohttp.ClientResponse) -> tuple[bytes, bool]:
    read = bytearray()
    while len(read) <= LARGEST_BODY:
        chunk = await response.content.read(CHUNK)
        if not chunk:
            return bytes(read), False
        read += chunk
    return bytes(read[:LARGEST_BODY]), True


def _seen(response: aiohttp.ClientResponse, body: bytes, took: float, *, cut: bool) -> HttpSeen:
    coding = response.headers.get("Content-Encoding", "").strip().lower()
    unfolded = unfold(body, coding)
    if unfolded is None:
        return HttpSeen(response.status, took, body, cut=cut, coding=coding[:40])
    plain, more = unfolded
    return HttpSeen(response.status, took, plain, response.charset or "utf-8", cut or more)


def unfold(body: bytes, coding: str) -> tuple[bytes, bool] | None:
    """Return `body` without its content coding and whether it went on beyond LARGEST_BODY; None if we cannot.

    A page of a few kilobytes may unfold to gigabytes, so unfolding stops there.
    """
    if coding in ("", "identity"):
        return body, False
    if coding not in ("gzip", "x-gzip", "deflate"):
        return None
    unfolding = zlib.decompressobj(wbits=47)  # 32 + 15: gzip or zlib by its header
    try:
        plain = unfolding.decompress(body, LARGEST_BODY)
    except zlib.error:
        return None
    return plain, bool(unfolding.unconsumed_tail)


def _text(seen: HttpSeen) -> str:
    try:
        charset = codecs.lookup(seen.charset).name
        return seen.body.decode("utf-8" if charset in OF_NAMES else charset, "replace")
    except (LookupError, ValueError):
        return seen.body.decode("utf-8", "replace")


def _missing(seen: HttpSeen, expected: str) -> Text:
    if seen.coding:
        return say(
            "cannot look for {text}: the page comes compressed by {coding}", text=repr(expected), coding=seen.coding
        )
    if seen.cut:
        size = Quantity(len(seen.body), "By")
        return say("the first {size} of the page do not contain {text}", size=size, text=repr(expected))
    return say("the page does not contain {text}", text=repr(expected))


def _wrong_status(seen: HttpSeen, params: HttpParams) -> Text:
    if params.status:
        wanted = ", ".join(str(status) for status in params.status)
        return say("HTTP {status} instead of {wanted}", status=seen.status, wanted=wanted)
    return say("HTTP {status}", status=seen.status)


def _silence(port: int, wait: float, *, connected: bool) -> Text:
    waited = Quantity(wait, "s")
    if connected:
        return say("port {port} accepts, but the page did not come within {time}", port=port, time=waited)
    return say("port {port}: no answer within {time}", port=port, time=waited)


def _failure(error: Exception, address: str, port: int) -> TargetFailure | ProbeFault:
    """Return what a failed request means."""
    import aiohttp  # noqa: PLC0415 - it takes a tenth of a second, which no command should pay

    match error:
        case aiohttp.ClientConnectorDNSError():
            return unresolved(address)
        case aiohttp.ClientConnectorCertificateError():
            return TargetFailure(_distrust(error.certificate_error, port))
        case aiohttp.ClientSSLError() | ssl.SSLError():
            return TargetFailure(_no_handshake(error, port))
        case aiohttp.ClientConnectorError():
            return unconnected(port, error.os_error)
        case aiohttp.ServerDisconnectedError():
            return TargetFailure(say("port {port} ends the connection without an answer", port=port), down=True)
        case aiohttp.ClientPayloadError():
            return TargetFailure(say("port {port}: the page breaks off", port=port))
        case OSError():
            return unconnected(port, error)
        case _:
            return TargetFailure(say("port {port} answers, but not in HTTP", port=port))


def _distrust(error: Exception, port: int) -> Text:
    """Return why the certificate is not trusted, and what may lift it."""
    why = _DISTRUST.get(getattr(error, "verify_code", 0))
    if why is None:
        why = verbatim(str(getattr(error, "verify_message", "") or error)[:200])
    return say("port {port}: {why}", port=port, why=why)


_SELF_SIGNED = say("the certificate is self-signed; the key ca names a file to trust")
_UNKNOWN = say("an unknown authority signed the certificate; the key ca names a file to trust")
_OTHER_NAME = say("the certificate is for another name; the key host says which site to ask for")
# X509_V_ERR_* of OpenSSL, x509_vfy.h.
_DISTRUST: Mapping[int, Text] = {
    2: _UNKNOWN,
    9: say("the certificate is not valid yet, or the clock of this machine is wrong"),
    10: say("the certificate has expired"),
    18: _SELF_SIGNED,
    19: _SELF_SIGNED,
    20: _UNKNOWN,
    21: _UNKNOWN,
    62: _OTHER_NAME,
    64: _OTHER_NAME,
}
_HANDSHAKE: Mapping[str, Text] = {
    "WRONG_VERSION_NUMBER": say("it does not speak TLS"),
    "RECORD_LAYER_FAILURE": say("it does not speak TLS"),
    "HTTP_REQUEST": say("it does not speak TLS"),
    "UNSUPPORTED_PROTOCOL": say("it only speaks an outdated TLS"),
    "TLSV1_ALERT_PROTOCOL_VERSION": say("it only speaks an outdated TLS"),
}


def _no_handshake(error: Exception, port: int) -> Text:
    cause = getattr(error, "os_error", error)
    code = str(getattr(cause, "reason", None) or type(cause).__name__)
    return say("port {port}: no TLS handshake ({why})", port=port, why=_HANDSHAKE.get(code, code))


def _shown(url: URL) -> str:
    """Return `url` without what may be secret in it, and short."""
    return f"{url.scheme}://{url.host or ''}{url.raw_path}"[:120]
