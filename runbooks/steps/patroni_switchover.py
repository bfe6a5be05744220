"""Step `patroni-switchover`: Patroni makes a member of its cluster the primary.

A switchover is agreed with the primary, which Patroni stops in order; `force` does without one that is lost, and agrees
with one that is there, so that one plan does for both. What proves it is `/cluster`: the member leads, runs, and writes
on a newer timeline than before. That nothing is lost is said only of a synchronous standby; of any other, how far it
was behind when it was last seen.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Final, Self

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, model_validator
from yarl import URL

from monitor.core.ids import NodeId
from monitor.core.text import N_, Quantity, Text, Value, say, verbatim
from monitor.secret import Secret, Unresolved
from probes.cleaning import one_line
from probes.params import Duration, Size, Unfit, one_or_many
from runbooks.contract import Action, Answer, Effect, Image, Io, Outcome, StepFailed, StepParams, StepUncertain, Subject
from runbooks.devices import target_of
from runbooks.http_calls import Address, PemFile, Reference, Replied, shown_url, travels_openly
from runbooks.patroni import LEADER, LONGEST_NAME, REPLICAS, RUNS, SYNCHRONOUS, Api, View, look, tell

MOST_LAG: Final = float(2**20)
"""Bytes of the log that a candidate may lack: Patroni's own default of maximum_lag_on_failover."""
LOOK_EVERY: Final = 0.5
SETTLES_WITHIN: Final = 15.0
"""Seconds that `done` waits for a cluster that is between two leaders."""
REFUSED: Final = frozenset({400, 401, 403, 404, 405, 411, 412, 422})
"""Statuses with which nothing was begun: Patroni's own, and those of a web server before it."""
LONGEST_WORDS: Final = 300


def _base(value: str) -> str:
    url = URL(value)
    if url.query_string or url.fragment:
        raise Unfit(say("write the address of Patroni without anything behind it, such as https://10.1.0.5:8008"))
    return value.rstrip("/")


Bytes = Annotated[Size, PlainSerializer(lambda size: f"{size:.0f} B")]


class PatroniSwitchoverParams(StepParams):
    """Keys of a step `patroni-switchover`."""

    device: NodeId | None = Field(
        default=None, description=N_("the device that becomes the primary; absent: that of the incident's check")
    )
    url: Annotated[
        tuple[Annotated[Address, AfterValidator(_base)], ...],
        BeforeValidator(one_or_many),
        Field(min_length=1, max_length=9),
    ] = Field(description=N_("where Patroni's REST API answers, of one member or of several"))
    candidate: Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)] = Field(
        description=N_("the name that Patroni has for the member that becomes the primary")
    )
    user: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(
        default=None, description=N_("user of restapi.authentication in Patroni's configuration")
    )
    password: Reference | None = Field(default=None, description=N_("its password, as env:NAME or file:PATH"))
    ca: PemFile | None = Field(
        default=None, description=N_("file of the authority that signed the certificate, where it is not a public one")
    )
    cert: PemFile | None = Field(
        default=None, description=N_("file of our own certificate, where Patroni asks for one (restapi.verify_client)")
    )
    key: PemFile | None = Field(default=None, description=N_("file of the key of that certificate"))
    force: bool = Field(
        default=False, description=N_("do so even where the cluster lost its primary, and none is there that agrees")
    )
    lag: Bytes | None = Field(
        default=None,
        description=N_(
            "how much of the log the member may lack; absent: 1 MiB, and with force any amount, which is told"
        ),
    )
    within: Annotated[Duration, Field(ge=timedelta(seconds=1), le=timedelta(hours=1))] = Field(
        default=timedelta(seconds=90), description=N_("how long it may take, Patroni's ttl included")
    )

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if (self.user is None) is not (self.password is None):
            raise Unfit(say("user and password belong together: write both, or none"))
        if self.user is not None and (":" in self.user or not self.user.isprintable()):
            raise Unfit(say("no user of the web may have a colon in its name"))
        if (self.cert is None) is not (self.key is None):
            raise Unfit(say("cert and key belong together: write both, or none"))
        for url in self.url if self.password is not None else ():
            if travels_openly(url):
                raise Unfit(say("a secret would go openly to {url}: write https", url=shown_url(url)))
        return self

    def secrets(self) -> Mapping[str, Secret]:
        """Return the reference to the password."""
        return {} if self.password is None else {"password": Secret(self.password)}

    @property
    def api(self) -> Api:
        """Where Patroni is asked, and as whom."""
        login = None if self.user is None or self.password is None else (self.user, self.password)
        own = None if self.cert is None or self.key is None else (self.cert, self.key)
        return Api(self.url, self.ca, login, own)


class PatroniSwitchover:
    """Kind `patroni-switchover`."""

    kind: ClassVar[str] = "patroni-switchover"
    Params: ClassVar[type[PatroniSwitchoverParams]] = PatroniSwitchoverParams

    def actions(self, params: PatroniSwitchoverParams, subject: Subject) -> tuple[Action, ...]:
        """Return the switchover, or the failover. Raises StepFailed when the device is not there."""
        said = say("have Patroni make {candidate} the primary", candidate=params.candidate)
        if params.force:
            said = say(
                "have Patroni make {candidate} the primary, even without the old one", candidate=params.candidate
            )
        return (
            Action(
                step=self.kind,
                params=params.model_dump(mode="json", exclude_defaults=True),
                target=target_of(params.device, subject).name,
                effect=Effect.DISRUPTS,
                said=said,
                settle=params.within,
            ),
        )

    async def before(self, params: PatroniSwitchoverParams, subject: Subject, io: Io) -> Image:
        """Return how the cluster stands. Raises StepFailed when no member says so, or none has that name."""
        return _image(await look(params.api), params)

    async def apply(self, params: PatroniSwitchoverParams, before: Image, subject: Subject, io: Io) -> Outcome:
        """Tell Patroni, and prove that the candidate leads on a new timeline. Raises StepFailed, StepUncertain."""
        if before["role"] == LEADER and before["state"] in RUNS:
            text = say("{candidate} is the primary already, on timeline {n}", candidate=params.candidate,
                       n=int(before["timeline"]))  # fmt: skip
            return Outcome(text, changed=False, evidence=dict(before))
        refusal = _refusal(params, before)
        if refusal is not None:
            raise refusal
        until = asyncio.get_running_loop().time() + params.within.total_seconds()
        by = (await look(params.api)).by
        told = {"candidate": params.candidate}
        if not params.force:
            told["leader"] = str(before["leader"])
        path = "/failover" if params.force else "/switchover"
        replied = await tell(params.api, by, path, told, params.within.total_seconds(), io.token)
        return await _proven(params, before, replied, until)

    async def done(self, params: PatroniSwitchoverParams, before: Image, subject: Subject, io: Io) -> Answer:
        """Return YES for a candidate that leads on a newer timeline, NO while another one leads.

        To tell Patroni again is harmless then, and with `force` where nobody leads. A cluster between two leaders is
        waited for.
        """
        until = asyncio.get_running_loop().time() + min(SETTLES_WITHIN, params.within.total_seconds())
        while True:
            waited = asyncio.get_running_loop().time() >= until
            answer = await _answer(params, before, waited=waited)
            if answer is not Answer.CANNOT_TELL or waited:
                return answer
            await asyncio.sleep(LOOK_EVERY)


def _image(view: View, params: PatroniSwitchoverParams) -> dict[str, Any]:
    own = view.members.get(params.candidate)
    if own is None:
        known = ", ".join(sorted(view.members))
        raise StepFailed(
            say("Patroni has no member {candidate}", candidate=params.candidate),
            remedy=say("Correct candidate: there are {names}", names=one_line(known, LONGEST_WORDS)),
        )
    leader = view.leader
    return {
        "leader": None if leader is None else leader.name,
        "role": own.role,
        "state": own.state,
        "lag": own.lag,
        "timeline": view.timeline,
        "system": view.system,
        "scope": view.scope,
    }


def _refusal(params: PatroniSwitchoverParams, before: Image) -> StepFailed | None:
    """Return why the candidate must not, or cannot, become the primary; None when it may."""
    name, lag = params.candidate, before["lag"]
    if before["state"] not in RUNS:
        return StepFailed(
            say("the database of {candidate} does not run: Patroni has it as {state}", candidate=name,
                state=before["state"] or "?"),
        )  # fmt: skip
    if before["role"] not in REPLICAS:
        text = say("{candidate} is no replica: Patroni has it as {role}", candidate=name, role=before["role"])
        return StepFailed(text)
    if not before["timeline"]:
        return StepFailed(
            say("Patroni does not say on which timeline its members are, so that nothing could be proven"),
            remedy=say("Try again in a moment, or see its log"),
        )
    if before["leader"] is None and not params.force:
        return StepFailed(
            say("the cluster has no primary that could agree"),
            remedy=say("Wait until Patroni has chosen one, or write force: true"),
        )
    most = params.lag if params.lag is not None else None if params.force else MOST_LAG
    if most is None or before["role"] == SYNCHRONOUS:
        return None
    if lag is None:
        return StepFailed(say("nobody knows how far {candidate} is behind", candidate=name))
    if lag > most:
        return StepFailed(
            say("{candidate} lacks {lag} of the log, and it may lack {most}", candidate=name, lag=_size(lag),
                most=_size(most)),
            remedy=say("Wait until it has caught up, or allow more with lag"),
        )  # fmt: skip
    return None


async def _proven(params: PatroniSwitchoverParams, before: Image, replied: Replied | None, until: float) -> Outcome:
    """Return the outcome once the cluster shows it. Raises StepFailed where it shows that nothing comes of it."""
    while True:
        try:
            view = await look(params.api)
        except StepFailed:
            view = None
        if view is not None:
            if _answer_of(view, params, before) is Answer.YES:
                after = _image(view, params)
                return Outcome(_promoted(params, before, after), evidence={"before": dict(before), "after": after})
            failure = _failure(view, params, before, replied)
            if failure is not None:
                raise failure
        if asyncio.get_running_loop().time() >= until:
            raise StepUncertain(
                say("Patroni was told to make {candidate} the primary, and it is not after {span}",
                    candidate=params.candidate, span=params.within)
            )  # fmt: skip
        await asyncio.sleep(LOOK_EVERY)


def _failure(view: View, params: PatroniSwitchoverParams, before: Image, replied: Replied | None) -> StepFailed | None:
    """Return what says that the candidate will not become the primary by what was told; None while it still may."""
    leader = view.leader
    if leader is not None and leader.leads and leader.name not in (params.candidate, before["leader"]):
        return StepFailed(
            say("Patroni made {other} the primary instead of {candidate}", other=leader.name,
                candidate=params.candidate),
            evidence=_image(view, params) if params.candidate in view.members else {},
        )  # fmt: skip
    if replied is None or (leader is not None and leader.name == params.candidate):
        return None
    words = one_line(replied.body, LONGEST_WORDS).strip()
    evidence = {"status": replied.status}
    if replied.status in REFUSED or 300 <= replied.status < 400:
        return StepFailed(_refused(replied.status, words), remedy=_remedy(replied.status), evidence=evidence)
    given_up = replied.status == 503 and words == ("Failover failed" if params.force else "Switchover failed")
    if given_up and leader is not None and leader.name == before["leader"]:
        return StepFailed(_refused(replied.status, words), evidence=evidence)
    return None


def _refused(status: int, words: str) -> Text:
    return say("Patroni refuses: {why} (HTTP {status})", why=verbatim(words or "-"), status=status)


def _remedy(status: int) -> Text | None:
    if status in (401, 403):
        return say("Write user and password, or cert and key, as restapi in Patroni's configuration asks for them")
    return None


async def _answer(params: PatroniSwitchoverParams, before: Image, *, waited: bool) -> Answer:
    try:
        return _answer_of(await look(params.api), params, before, waited=waited)
    except (StepFailed, Unresolved):
        return Answer.CANNOT_TELL


def _answer_of(view: View, params: PatroniSwitchoverParams, before: Image, *, waited: bool = False) -> Answer:
    """Return whether the candidate leads; `waited`: the cluster had its time to find a leader."""
    own, leader = view.members.get(params.candidate), view.leader
    if own is None or (before["system"] and view.system and view.system != before["system"]):
        return Answer.CANNOT_TELL
    if own.role == LEADER:
        newer = (own.timeline or 0) > int(before["timeline"])
        return Answer.YES if own.leads and (newer or before["role"] == LEADER) else Answer.CANNOT_TELL
    if leader is not None and leader.leads:
        return Answer.NO
    return Answer.NO if params.force and waited else Answer.CANNOT_TELL


def _size(size: float) -> Quantity:
    return Quantity(float(size), "By")


def _promoted(params: PatroniSwitchoverParams, before: Image, after: Image) -> Text:
    where: dict[str, Value] = {"candidate": params.candidate, "n": int(after["timeline"])}
    if before["role"] == SYNCHRONOUS:
        return say(
            "{candidate} is the primary, on timeline {n}. It was the synchronous standby: nothing is lost that the old "
            "primary confirmed, except what was written without waiting for it",
            **where,
        )
    if before["lag"] is None:
        return say(
            "{candidate} is the primary, on timeline {n}. Nobody knows how far it was behind: what the old primary "
            "committed after that, if anything, is not here",
            **where,
        )
    if params.force:
        return say(
            "{candidate} is the primary, on timeline {n}. It lacked {lag} of the log when it was last seen; what the "
            "old primary committed after that, if anything, is not here",
            lag=_size(before["lag"]),
            **where,
        )
    return say(
        "{candidate} is the primary, on timeline {n}. It lacked {lag} of the log; Patroni then stopped the old primary "
        "in order, and nobody proves that all of it arrived",
        lag=_size(before["lag"]),
        **where,
    )
