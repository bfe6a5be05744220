"""What we ask of etcd's voters, by the JSON form of its v3 API, which every voter serves (etcd 3.4 and later).

Any voter will do for reading and writing: it asks the majority. So the voters are tried one after the other, first the
one that answered last, and each is given up after its share of the time. A request without an answer may still be
carried out, now or later; what is asked here is harmless then.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import ssl
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import reduce
from typing import TYPE_CHECKING, Any

from failover.model import Etcd
from monitor.clock import Clock
from monitor.core.text import Text, say, verbatim
from monitor.secret import Unresolved
from probes.cleaning import one_line
from probes.unconnected import network_reason, unconnected

if TYPE_CHECKING:
    from collections.abc import Iterator

    import aiohttp

LARGEST_ANSWER = 64 * 1024
"""Bytes; an answer about one small key is below a hundredth of it."""
SHARE = 0.9
"""Of the retry time, what one question takes at most over all voters: its asker is to get the answer before that."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A key as it is kept: its `value` and the revision of its last write, which no other write ever has."""

    value: bytes
    revision: int


@dataclass(frozen=True, slots=True)
class Read:
    """What was read, None where the key is not there; `arrived`: when the answer was here (CLOCK_BOOTTIME)."""

    kept: Kept | None
    arrived: float


@dataclass(frozen=True, slots=True)
class Written:
    """The write was carried out by a majority, after `sent` (CLOCK_BOOTTIME)."""

    sent: float


@dataclass(frozen=True, slots=True)
class Status:
    """What a voter says of itself. `leader`: the member that it follows, 0 for none. `applied`: the last entry of the
    log that it has carried out. `size`: bytes of its database. `errors`: etcd's own words."""

    member: int
    cluster: int
    leader: int
    term: int
    applied: int
    size: int
    errors: tuple[str, ...] = ()


class Unanswered(Exception):
    """No voter answered; `text` says why, for each."""

    def __init__(self, text: Text) -> None:
        super().__init__(text.template)
        self.text = text


@dataclass(slots=True)
class _Connected:
    """A session, and the certificates that it was made with."""

    pems: tuple[str, str, str]
    session: aiohttp.ClientSession = field(repr=False)


class Voters:
    """The voters of `etcd`. `retry`: seconds, within which every question is answered or given up."""

    def __init__(self, etcd: Etcd, retry: float, clock: Clock) -> None:
        self.endpoints = etcd.endpoints
        self._etcd, self._clock = etcd, clock
        self._patience = SHARE * retry / len(etcd.endpoints)
        self._answered = 0
        self._connected: _Connected | None = None
        self._connecting = asyncio.Lock()

    async def read(self, key: bytes) -> Read:
        """Return `key` as a majority has it. Raises Unanswered."""
        answer, _sent = await self._ask_any("/v3/kv/range", {"key": _b64(key)})
        return Read(_kept(answer), self._clock.boot())

    async def swap(self, key: bytes, expected: int | bytes, value: bytes) -> Written | Read:
        """Write `value` if `key` is as `expected`, whole or not at all; else return what it is.

        `expected`: the revision of its last write (0: it is not there), or its value. Raises Unanswered, after which
        the write may have been carried out, or yet be.
        """
        named = {"key": _b64(key), "result": "EQUAL"}
        if isinstance(expected, bytes):
            compare = {**named, "target": "VALUE", "value": _b64(expected)}
        else:
            compare = {**named, "target": "MOD", "mod_revision": str(expected)}
        body = {
            "compare": [compare],
            "success": [{"request_put": {"key": _b64(key), "value": _b64(value)}}],
            "failure": [{"request_range": {"key": _b64(key)}}],
        }
        answer, sent = await self._ask_any("/v3/kv/txn", body)
        if answer.get("succeeded") is True:
            return Written(sent)
        responses = answer.get("responses")
        if not isinstance(responses, list) or len(responses) != 1 or not isinstance(responses[0], dict):
            raise Unanswered(_NO_ETCD)
        return Read(_kept(responses[0].get("response_range")), self._clock.boot())

    async def put_under(self, guard: tuple[bytes, bytes], key: bytes, revision: int, value: bytes) -> bool:
        """Write `value` if the key of `guard` has its value and `key` was last written at `revision`, 0: is not there.

        Returns whether it was written. Raises Unanswered, after which it may have been, or yet be.
        """
        named, held = {"key": _b64(key), "result": "EQUAL"}, {"key": _b64(guard[0]), "result": "EQUAL"}
        body = {
            "compare": [
                {**held, "target": "VALUE", "value": _b64(guard[1])},
                {**named, "target": "MOD", "mod_revision": str(revision)},
            ],
            "success": [{"request_put": {"key": _b64(key), "value": _b64(value)}}],
        }
        answer, _sent = await self._ask_any("/v3/kv/txn", body)
        return answer.get("succeeded") is True

    async def status(self, endpoint: str) -> Status:
        """Return what the voter at `endpoint` says of itself. Raises Unanswered."""
        answer = await self._ask(endpoint, "/v3/maintenance/status", {})
        header, errors = answer.get("header"), answer.get("errors", [])
        if not isinstance(header, dict) or not isinstance(errors, list):
            raise Unanswered(_NO_ETCD)
        return Status(
            _number(header, "member_id"),
            _number(header, "cluster_id"),
            _number(answer, "leader"),
            _number(answer, "raftTerm"),
            _number(answer, "raftAppliedIndex"),
            _number(answer, "dbSize"),
            tuple(one_line(str(error))[:200] for error in errors[:10]),
        )

    async def close(self) -> None:
        """End the connections."""
        connected, self._connected = self._connected, None
        if connected is not None:
            await connected.session.close()

    async def _ask_any(self, path: str, body: Mapping[str, Any]) -> tuple[Mapping[str, Any], float]:
        """Return the first answer, and when what it answers was sent."""
        count, silent = len(self.endpoints), []
        first = self._answered
        for index in (*range(first, count), *range(first)):
            endpoint, sent = self.endpoints[index], self._clock.boot()
            try:
                answer = await self._ask(endpoint, path, body)
            except Unanswered as error:
                silent.append(say("{endpoint}: {why}", endpoint=verbatim(endpoint), why=error.text))
                continue
            self._answered = index
            return answer, sent
        every = reduce(lambda one, other: say("{one}; {other}", one=one, other=other), silent)
        raise Unanswered(say("no voter answers ({each})", each=every))

    async def _ask(self, endpoint: str, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        import aiohttp  # noqa: PLC0415 - a site without voters does without, and it is among the largest of what we import

        try:
            async with asyncio.timeout(self._patience):
                session = await self._session()
                url = endpoint.rstrip("/") + path
                async with session.post(url, json=body, allow_redirects=False) as response:
                    raw = await _capped(response)
                    status = response.status
        except TimeoutError as error:
            raise Unanswered(say("no answer within {time}", time=timedelta(seconds=self._patience))) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise Unanswered(_why(error)) from error
        return _parsed(status, raw)

    async def _session(self) -> aiohttp.ClientSession:
        """Return the session; a new one when a certificate was exchanged meanwhile. Raises Unanswered or OSError."""
        import aiohttp  # noqa: PLC0415 - as above

        pems = self._pems()
        async with self._connecting:
            if self._connected is not None and self._connected.pems == pems:
                return self._connected.session
            trust = await asyncio.to_thread(_trust, *pems)
            await self.close()
            session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=trust, use_dns_cache=False),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
                headers={"User-Agent": "releve"},
            )
            self._connected = _Connected(pems, session)
            return session

    def _pems(self) -> tuple[str, str, str]:
        try:
            ca, cert, key = (
                "" if secret is None else secret.reveal() for secret in (self._etcd.ca, self._etcd.cert, self._etcd.key)
            )
        except Unresolved as error:
            raise Unanswered(say("a secret is missing: {why}", why=error.text)) from error
        return ca, cert, key


_NO_ETCD = say("it does not answer as etcd does")


def _trust(ca: str, cert: str, key: str) -> ssl.SSLContext:
    """Return what verifies the voters (by the system's authorities without `ca`) and shows them who we are."""
    context = ssl.create_default_context(cadata=ca or None)
    if cert:
        # OpenSSL's own call takes files only; ours may come from the environment, and a key is not to lie on a disk.
        with _in_memory(cert) as chain, _in_memory(key or cert) as private:
            context.load_cert_chain(chain, private)
    return context


@contextmanager
def _in_memory(text: str) -> Iterator[str]:
    """Yield the path of a file that holds `text` and that only this process has."""
    descriptor = os.memfd_create("releve", os.MFD_CLOEXEC)
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(text.encode())
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


async def _capped(response: aiohttp.ClientResponse) -> bytes:
    """Return the body. Raises ValueError when it is longer than any of etcd's."""
    raw = b""
    async for chunk in response.content.iter_any():
        raw += chunk
        if len(raw) > LARGEST_ANSWER:
            raise ValueError
    return raw


def _parsed(status: int, raw: bytes) -> Mapping[str, Any]:
    """Return the answer. Raises Unanswered when it is an error, or none of etcd's."""
    try:
        answer = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise Unanswered(say("it answers HTTP {status}, and not as etcd does", status=status)) from error
    if not isinstance(answer, dict):
        raise Unanswered(_NO_ETCD)
    if status != 200:
        words = one_line(str(answer.get("message") or answer.get("error") or status))[:200]
        raise Unanswered(say("it refuses: {why}", why=verbatim(words)))
    if not isinstance(answer.get("header"), dict):
        raise Unanswered(_NO_ETCD)
    return answer


def _kept(answer: Any) -> Kept | None:
    """Return the only key of a range. Raises Unanswered for what is none."""
    keys = answer.get("kvs", []) if isinstance(answer, dict) else None
    if not isinstance(keys, list) or len(keys) > 1 or not all(isinstance(key, dict) for key in keys):
        raise Unanswered(_NO_ETCD)
    if not keys:
        return None
    try:
        value = base64.b64decode(str(keys[0].get("value", "")), validate=True)
    except ValueError as error:
        raise Unanswered(_NO_ETCD) from error
    return Kept(value, _number(keys[0], "mod_revision"))


def _number(data: Mapping[str, Any], name: str) -> int:
    """Return a 64-bit number, which protobuf's JSON writes as a string and leaves out when it is 0."""
    value = data.get(name, "0")
    if not isinstance(value, str) or not value.isascii() or not value.isdecimal() or len(value) > 20:
        raise Unanswered(_NO_ETCD)
    return int(value)


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


def _why(error: Exception) -> Text:
    """Return what a failed request means."""
    import aiohttp  # noqa: PLC0415 - as above

    distrusted = isinstance(error, aiohttp.ClientConnectorCertificateError)
    if isinstance(error, aiohttp.ClientSSLError | ssl.SSLError) and not distrusted:
        return say("no TLS connection can be made with it; does it know our certificate?")
    why = unconnected(error)
    if why is not None:
        return why
    match error:
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError():
            # TLS 1.3 tells who shows no certificate, or a wrong one, only after the handshake.
            return say("it ends the connection; it may not accept our certificate")
        case aiohttp.ClientError() | ValueError():
            return _NO_ETCD
        case OSError():
            return say("no connection: {why}", why=network_reason(error))
        case _:
            return verbatim(type(error).__name__)
