"""One request over HTTP on behalf of a step: verified, never redirected, its answer capped and without our secrets."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import AfterValidator, Field
from yarl import URL

from monitor.core.reasons import reason
from monitor.core.text import Text, Value, say, verbatim
from monitor.secret import Secret, expanded
from probes.cleaning import one_line
from probes.params import Unfit
from probes.ssh import is_loopback
from probes.ssh_output import SHORTEST, printable, redacted
from runbooks.contract import StepFailed, StepUncertain

if TYPE_CHECKING:
    import aiohttp

LARGEST = 1_000_000
"""Bytes of an answer that are read."""
CHUNK = 65536
LONGEST_URL = 2000
LONGEST_SHOWN = 200
TOKEN: Final = "X-Releve-Token"  # noqa: S105 - the name of a header
KEY: Final = "Idempotency-Key"
"""draft-ietf-httpapi-idempotency-key-header: a server that knows it answers a repeated request as it did the first."""
OURS = frozenset(name.casefold() for name in (TOKEN, KEY, "Content-Type", "Content-Length", "Host", "Accept-Encoding"))
"""Headers that we write ourselves."""
NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
"""RFC 9110, 5.6.2."""
REFERENCE = re.compile(r"(?:([A-Za-z0-9_-]+) )?((?:env|file):.+)")
"""A reference to a secret, alone or behind the name of a scheme: `Bearer env:API_TOKEN`."""
SECRETIVE = re.compile(r"authorization|cookie|token|secret|passw|api-?key", re.IGNORECASE)
"""Names of headers that hold what opens doors."""


def _url(value: str) -> str:
    try:
        url = URL(value)
    except ValueError as error:
        raise Unfit(say("{text} is no address of the web", text=one_line(value, LONGEST_SHOWN))) from error
    if url.scheme not in ("http", "https") or not url.host or not value.isprintable() or " " in value:
        raise Unfit(say("{text} is no address of the web", text=one_line(value, LONGEST_SHOWN)))
    if url.user is not None or url.password is not None:
        raise Unfit(say("no user and no password may stand in an address: write them as a header, by env:NAME"))
    return value


def _headers(value: dict[str, str]) -> dict[str, str]:
    for name, text in value.items():
        if NAME.fullmatch(name) is None or name.casefold() in OURS:
            raise Unfit(say("{text} is no header that may be given here", text=one_line(name, LONGEST_SHOWN)))
        if not text.isprintable() or not text.isascii():
            raise Unfit(say("the header {name} holds characters that none may have", name=name))
        found = REFERENCE.fullmatch(text)
        if found is None and SECRETIVE.search(name):
            raise Unfit(say("the header {name} is a secret: write env:NAME or file:PATH for it", name=name))
        if found is not None and found[2].startswith("file:") and not found[2].startswith(("file:/", "file:~")):
            raise Unfit(say("write the path from the root on, such as file:/etc/releve/token"))
    return value


def _absolute(path: Path) -> Path:
    full = expanded(str(path))
    if not full.is_absolute():
        raise Unfit(say("write the path from the root on, such as /etc/ssl/site-ca.pem"))
    return full


def _reference(value: str) -> str:
    if not Secret(value).by_reference:
        raise Unfit(say("a secret stands here in clear: write env:NAME or file:PATH for it"))
    if value.startswith("file:") and not value.startswith(("file:/", "file:~")):
        raise Unfit(say("write the path from the root on, such as file:/etc/releve/token"))
    return value


Reference = Annotated[str, Field(min_length=5, max_length=2000), AfterValidator(_reference)]
"""Where a secret stands: `env:NAME` or `file:/PATH`."""
PemFile = Annotated[Path, AfterValidator(_absolute)]
"""A file of certificates or of a key, its path from the root on."""
Address = Annotated[str, Field(min_length=1, max_length=LONGEST_URL), AfterValidator(_url)]
Headers = Annotated[dict[str, Annotated[str, Field(max_length=2000)]], Field(max_length=30), AfterValidator(_headers)]


def secrets_in(headers: Mapping[str, str]) -> dict[str, Secret]:
    """Return the references to secrets in `headers`, by the name of the header."""
    found = {name: REFERENCE.fullmatch(text) for name, text in headers.items()}
    return {name: Secret(match[2]) for name, match in found.items() if match is not None}


def travels_openly(url: str) -> bool:
    """Return whether anybody on the way could read what is sent to `url`."""
    where = URL(url)
    return where.scheme == "http" and not is_loopback(where.host or "")


def shown_url(url: str) -> str:
    """Return `url` without its query, which may hold what is secret."""
    where = URL(url)
    return one_line(f"{where.origin()}{where.raw_path}", LONGEST_SHOWN)


@dataclass(frozen=True, slots=True)
class Call:
    """What is asked. `headers` hold references; `body` is JSON-ready, None for none; `within`: seconds altogether.

    `login`: a user and the reference to the password, by Basic (RFC 7617); `own`: our certificate and its key.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    ca: Path | None
    within: float
    body: Any = None
    key: str = ""
    token: int | None = None
    login: tuple[str, str] | None = None
    own: tuple[Path, Path] | None = None


@dataclass(frozen=True, slots=True)
class Replied:
    """The answer: its `status`, and its `body` as text, at most LARGEST bytes; `cut`: there was more."""

    status: int
    body: str
    cut: bool


async def ask(call: Call) -> Replied:
    """Send `call` and return the answer. Raises StepFailed where nothing was sent, else StepUncertain, and Unresolved.

    A redirect is an answer like any other: it is not followed, or what changes something would be done elsewhere.
    """
    import aiohttp  # noqa: PLC0415 - it takes a tenth of a second, which no command should pay

    headers, secrets = _sent(call)
    data = None if call.body is None else json.dumps(call.body).encode()
    trust = await _trust(call)
    progress = SimpleNamespace(connected=False)
    try:
        async with (
            asyncio.timeout(call.within),
            _session() as session,
            session.request(
                call.method, URL(call.url), headers=headers, data=data, ssl=trust, allow_redirects=False,
                trace_request_ctx=progress,
            ) as response,
        ):  # fmt: skip
            body, cut = await _body(response)
            text = body.decode("utf-8", "replace")
            return Replied(response.status, redacted(printable(text), secrets), cut)
    except TimeoutError as error:
        raise _silent(call, connected=progress.connected) from error
    except (aiohttp.ClientError, ssl.SSLError, OSError) as error:
        raise _broken(call, error, connected=progress.connected) from error


def _sent(call: Call) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the headers as they are sent, and the secrets in them."""
    headers, secrets = {"Accept": "application/json", "User-Agent": "releve"}, []
    for name, text in call.headers.items():
        found = REFERENCE.fullmatch(text)
        if found is None:
            headers[name] = text
            continue
        value = Secret(found[2]).reveal()
        if not value.isprintable() or not value.isascii():
            raise StepFailed(say("the secret for the header {name} holds characters that none may have", name=name))
        headers[name] = f"{found[1]} {value}" if found[1] else value
        secrets.append(value)
    if call.login is not None:
        user, reference = call.login
        password = Secret(reference).reveal()
        packed = base64.b64encode(f"{user}:{password}".encode()).decode()
        headers["Authorization"] = f"Basic {packed}"
        secrets += [password, packed]
    if call.body is not None:
        headers["Content-Type"] = "application/json"
    headers["Accept-Encoding"] = "identity"
    if call.key:
        headers[KEY] = call.key
    if call.token is not None:
        headers[TOKEN] = str(call.token)
    return headers, tuple(secret for secret in secrets if len(secret) >= SHORTEST)


def _session() -> aiohttp.ClientSession:
    import aiohttp  # noqa: PLC0415 - it takes a tenth of a second, which no command should pay

    async def connected(_session: Any, context: Any, _params: Any) -> None:
        context.trace_request_ctx.connected = True

    trace = aiohttp.TraceConfig()
    trace.on_connection_create_end.append(connected)
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(force_close=True),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None),
        auto_decompress=False,
        trace_configs=[trace],
    )


async def _trust(call: Call) -> ssl.SSLContext | bool:
    if call.ca is None and call.own is None:
        return True
    context = await asyncio.to_thread(_authorities, call.ca)
    if call.own is not None:
        await asyncio.to_thread(_identify, context, *call.own)
    return context


def _authorities(ca: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=None if ca is None else str(ca))
    except OSError as error:  # ssl.SSLError is one
        raise StepFailed(
            say("cannot read certificates from {path}: {why}", path=str(ca), why=reason(error)),
            remedy=say("The key ca names a file in PEM format that Relève may read"),
        ) from error


def _identify(context: ssl.SSLContext, cert: Path, key: Path) -> None:
    try:
        context.load_cert_chain(cert, key, password=lambda: "")  # without it OpenSSL would ask at a terminal
    except (OSError, ValueError) as error:
        raise StepFailed(
            say("cannot use the certificate {path} with its key: {why}", path=str(cert), why=_why(error)),
            remedy=say("cert and key name files in PEM format that belong together; the key has no password"),
        ) from error


async def _body(response: aiohttp.ClientResponse) -> tuple[bytes, bool]:
    read = bytearray()
    while len(read) <= LARGEST:
        chunk = await response.content.read(CHUNK)
        if not chunk:
            return bytes(read), False
        read += chunk
    return bytes(read[:LARGEST]), True


def _silent(call: Call, *, connected: bool) -> StepFailed | StepUncertain:
    where: dict[str, Value] = {"url": shown_url(call.url), "span": timedelta(seconds=call.within)}
    if connected:
        return StepUncertain(say("{url} did not answer within {span}, and may have done it", **where))
    return StepFailed(say("{url} cannot be reached within {span}", **where))


def _broken(call: Call, error: Exception, *, connected: bool) -> StepFailed | StepUncertain:
    import aiohttp  # noqa: PLC0415 - it takes a tenth of a second, which no command should pay

    url = shown_url(call.url)
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        why = one_line(str(error.certificate_error), LONGEST_SHOWN)
        return StepFailed(
            say("the certificate of {url} is not trusted: {why}", url=url, why=why),
            remedy=say("The key ca names the file of the authority that signed it, where it is not a public one"),
        )
    if connected and not isinstance(error, aiohttp.ClientConnectorError):
        return StepUncertain(say("the connection to {url} was lost before it had answered", url=url))
    return StepFailed(say("{url} cannot be reached: {why}", url=url, why=_why(error)))


def _why(error: Exception) -> Text:
    cause = getattr(error, "os_error", error)
    return reason(cause) if isinstance(cause, OSError) else verbatim(one_line(str(cause), LONGEST_SHOWN))
