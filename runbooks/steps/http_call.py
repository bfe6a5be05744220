"""Step `http-call`: a request to an interface of the web, with the answer that it must give."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from monitor.core.ids import NodeId
from monitor.core.text import N_, Text, say
from monitor.secret import Secret, Unresolved
from probes.http import Statuses
from probes.params import Duration, Unfit
from runbooks.contract import Action, Answer, Effect, Image, Io, Outcome, StepFailed, StepParams, StepUncertain, Subject
from runbooks.devices import target_of
from runbooks.http_calls import Address, Call, Headers, PemFile, Replied, ask, secrets_in, shown_url, travels_openly
from runbooks.json_answers import ABSENT, Answers, misfit, parsed

REFUSED_BY_SERVER = (501, 503, 505)
"""Statuses of a server that did not take the request (RFC 9110, 15.6); another 5xx may come after half of the work."""
NOT_THERE = (404, 410)
LONGEST_OUTPUT = 2000


class DoneKeys(StepParams):
    """What is asked by GET to learn whether it is done."""

    url: Address = Field(description=N_("what is asked for by GET, with the same headers"))
    status: Statuses = Field(default=(), description=N_("status codes that say yes; any 2xx if none is given"))
    answer: Answers = Field(
        default_factory=dict, description=N_("what its JSON must hold to say yes, as /state: active")
    )


class HttpCallParams(StepParams):
    """Keys of a step `http-call`."""

    device: NodeId | None = Field(
        default=None, description=N_("the device that it acts on; absent: that of the incident's check")
    )
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = Field(default="POST", description=N_("the HTTP method"))
    url: Address = Field(description=N_("what is called; https verifies the certificate, redirects are not followed"))
    headers: Headers = Field(
        default_factory=dict, description=N_("further headers; a secret as env:NAME, or Bearer env:NAME")
    )
    body: Any = Field(default=None, description=N_("what is sent, as JSON"))
    ca: PemFile | None = Field(
        default=None, description=N_("file of the authority that signed the certificate, where it is not a public one")
    )
    status: Statuses = Field(default=(), description=N_("status codes that are right; any 2xx if none is given"))
    answer: Answers = Field(
        default_factory=dict, description=N_("what the JSON of the answer must hold, as /state: active")
    )
    effect: Effect | None = Field(
        default=None,
        description=N_("what it does to the device: reads, changes or disrupts; absent: GET reads, others disrupt"),
    )
    done: DoneKeys | None = Field(
        default=None, description=N_("how to learn whether it is done already: url, status, answer")
    )
    within: Annotated[Duration, Field(gt=timedelta(0), le=timedelta(minutes=30))] = Field(
        default=timedelta(seconds=30), description=N_("how long the answer may take")
    )

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.method == "GET" and self.body is not None:
            raise Unfit(say("GET sends nothing: leave body out, or write another method"))
        for url in (self.url, *(() if self.done is None else (self.done.url,))):
            if secrets_in(self.headers) and travels_openly(url):
                raise Unfit(say("a secret would go openly to {url}: write https", url=shown_url(url)))
        return self

    def secrets(self) -> Mapping[str, Secret]:
        """Return the references in `headers`."""
        return secrets_in(self.headers)


class HttpCall:
    """Kind `http-call`."""

    kind: ClassVar[str] = "http-call"
    Params: ClassVar[type[HttpCallParams]] = HttpCallParams

    def actions(self, params: HttpCallParams, subject: Subject) -> tuple[Action, ...]:
        """Return the one call. Raises StepFailed when the device is not there."""
        said = say("call {method} {url}", method=params.method, url=shown_url(params.url))
        return (
            Action(
                step=self.kind,
                params=params.model_dump(mode="json", exclude_defaults=True),
                target=target_of(params.device, subject).name,
                effect=_effect(params),
                said=said,
                settle=params.within,
            ),
        )

    async def before(self, params: HttpCallParams, subject: Subject, io: Io) -> Image:
        """Return the key under which it is sent, and what the probe says of it now, where there is one."""
        image: dict[str, Any] = {"key": _key(params, io)}
        if params.done is not None:
            image["done"] = (await _looked(params, params.done, io)).value
        return image

    async def apply(self, params: HttpCallParams, before: Image, subject: Subject, io: Io) -> Outcome:
        """Send it unless it is done already. Raises StepFailed, or StepUncertain when it may have been carried out."""
        if before.get("done") == Answer.YES.value:
            return Outcome(say("it is done already: {command}", command=shown_url(params.url)), changed=False)
        call = _call(params, params.url, params.method, io)
        replied = await ask(call if params.method == "GET" else _with(call, params, str(before["key"])))
        evidence, output = {"status": replied.status}, replied.body[:LONGEST_OUTPUT]
        wrong = _wrong(params.status, params.answer, replied)
        if wrong is None:
            text = say("{url} answered HTTP {status}", url=shown_url(params.url), status=replied.status)
            return Outcome(text, _effect(params) is not Effect.READS, evidence, output)
        if _may_be_done(replied.status):
            raise StepUncertain(say("{what}, and half of it may be done", what=wrong))
        raise StepFailed(wrong, remedy=say("Look at what it answered, and call it by hand"), evidence=evidence,
                         output=output)  # fmt: skip

    async def done(self, params: HttpCallParams, before: Image, subject: Subject, io: Io) -> Answer:
        """Return what the probe says; without one, only what reads is known to be harmless to repeat."""
        if params.done is None:
            return Answer.NO if _effect(params) is Effect.READS else Answer.CANNOT_TELL
        return await _looked(params, params.done, io)


def _effect(params: HttpCallParams) -> Effect:
    return params.effect or (Effect.READS if params.method == "GET" else Effect.DISRUPTS)


def _may_be_done(status: int) -> bool:
    """Whether a wrong status leaves open what was carried out; 303 leads to what came of it (RFC 9110, 15.4.4)."""
    return status == 303 or (status >= 500 and status not in REFUSED_BY_SERVER)


def _call(params: HttpCallParams, url: str, method: str, io: Io) -> Call:
    return Call(method, url, params.headers, params.ca, params.within.total_seconds(), token=io.token)


def _with(call: Call, params: HttpCallParams, key: str) -> Call:
    return Call(call.method, call.url, call.headers, call.ca, call.within, params.body, key=key, token=call.token)


def _key(params: HttpCallParams, io: Io) -> str:
    """Return what names this call at the server: the same at every try of one action, another in the next attempt."""
    call = [io.errand, io.token, params.method, params.url, params.body]
    return hashlib.sha256(json.dumps(call, sort_keys=True).encode()).hexdigest()[:32]


def _wrong(status: tuple[int, ...], answer: Mapping[str, Any], replied: Replied) -> Text | None:
    if not (replied.status in status if status else 200 <= replied.status < 300):
        if status:
            wanted = ", ".join(str(one) for one in status)
            return say("HTTP {status} instead of {wanted}", status=replied.status, wanted=wanted)
        return say("HTTP {status}", status=replied.status)
    return misfit(answer, parsed(replied.body)) if answer else None


async def _looked(params: HttpCallParams, keys: DoneKeys, io: Io) -> Answer:
    """Return whether the probe's answer says that it is done. An answer that is none, or a refusal, cannot tell."""
    try:
        replied = await ask(_call(params, keys.url, "GET", io))
    except (StepFailed, StepUncertain, Unresolved):
        return Answer.CANNOT_TELL
    wrong = _wrong(keys.status, keys.answer, replied)
    if wrong is None:
        return Answer.YES
    if keys.answer and 200 <= replied.status < 300:
        return Answer.CANNOT_TELL if parsed(replied.body) is ABSENT else Answer.NO  # a log-in page is a 200 as well
    return Answer.NO if replied.status in NOT_THERE or 200 <= replied.status < 300 else Answer.CANNOT_TELL
