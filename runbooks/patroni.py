"""Patroni's REST API: who leads the cluster, how far a member is behind, and the word that another one leads.

Paths, fields and status codes: Patroni's documentation ("Patroni REST API") and, where it is silent, its `api.py` of
3.0; roles that came later (`quorum_standby`) are known. What a member answers is parsed as if an enemy had written it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from monitor.core.text import say
from probes.cleaning import one_line
from runbooks.contract import StepFailed, StepUncertain
from runbooks.http_calls import Call, Replied, ask, shown_url
from runbooks.json_answers import parsed

LOOK_WITHIN: Final = 5.0
"""Seconds that one member has to say how the cluster stands; Patroni itself asks etcd for it."""
GRACE: Final = 0.5
"""Seconds that the others have to answer once one member has."""
MOST_MEMBERS: Final = 100
LONGEST_NAME: Final = 200
UNWRITTEN: Final = "failed to write"
"""How the answer begins of a member that cannot reach etcd."""
LARGEST: Final = 2**63 - 1
"""A position in the log is a 64-bit number (PostgreSQL, pg_lsn), and so is what a journal can keep."""
LEADER: Final = "leader"
SYNCHRONOUS: Final = "sync_standby"
REPLICAS: Final = frozenset({"replica", SYNCHRONOUS, "quorum_standby"})
"""Roles in `/cluster` of those that may become the leader; `standby_leader` follows another cluster."""
RUNS: Final = frozenset({"running", "streaming", "in archive recovery"})
"""States in `/cluster` of a member whose PostgreSQL is up; the last two since Patroni 3.1, for replicas."""


@dataclass(frozen=True, slots=True)
class Api:
    """Where members answer, and as whom we ask them. `login`: user and reference; `own`: certificate and key."""

    urls: tuple[str, ...]
    ca: Path | None = None
    login: tuple[str, str] | None = None
    own: tuple[Path, Path] | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """One member as `/cluster` has it. `timeline` and `lag` (bytes of the log) are None where nobody knows them."""

    name: str
    role: str
    state: str
    timeline: int | None
    lag: int | None

    @property
    def leads(self) -> bool:
        """Whether it is the leader and its database is up."""
        return self.role == LEADER and self.state in RUNS


@dataclass(frozen=True, slots=True)
class View:
    """The cluster: its members by name, and the system identifier of its database, empty where that is not known.

    `by`: the address of who said so.
    """

    members: Mapping[str, Member]
    system: str
    scope: str
    by: str = ""

    @property
    def leader(self) -> Member | None:
        """Who holds the leader's key, whether its database is up or not."""
        return next((one for one in self.members.values() if one.role == LEADER), None)

    @property
    def timeline(self) -> int:
        """The newest timeline that any member writes or follows; 0 where none says."""
        return max((one.timeline or 0 for one in self.members.values()), default=0)


class Senseless(ValueError):
    """An answer that is not what Patroni says."""


def view_of(cluster: Any, status: Any) -> View:
    """Return the cluster out of what `/cluster` and `/patroni` answered, as JSON has it. Raises Senseless."""
    found = cluster.get("members") if isinstance(cluster, dict) else None
    if not isinstance(found, list) or not 1 <= len(found) <= MOST_MEMBERS or not isinstance(status, dict):
        raise Senseless
    members = [_member(one) for one in found]
    by_name = {one.name: one for one in members}
    if len(by_name) != len(members) or sum(one.role == LEADER for one in members) > 1:
        raise Senseless
    patroni = status.get("patroni")
    scope = patroni.get("scope") if isinstance(patroni, dict) else None
    return View(by_name, _word(status.get("database_system_identifier")), _word(scope))


def _member(found: Any) -> Member:
    if not isinstance(found, dict):
        raise Senseless
    name, role = _word(found.get("name")), _word(found.get("role"))
    if not name or not role:
        raise Senseless
    return Member(name, role, _word(found.get("state")), _whole(found.get("timeline")), _whole(found.get("lag")))


def _word(value: Any) -> str:
    return one_line(value, LONGEST_NAME).strip() if isinstance(value, str) else ""


def _whole(value: Any) -> int | None:
    """Return a number; None for `unknown` and whatever else stands where one should."""
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value <= LARGEST else None


async def look(api: Api) -> View:
    """Return the cluster as the members have it. Raises StepFailed when none says so, and Unresolved.

    All are asked at once: one at a lost site does not answer, and the others need not wait for it. Where they differ
    the newest timeline counts, for a member that was cut off from etcd may go on telling what it knew before.
    """
    asking = [asyncio.create_task(_looked(api, url)) for url in api.urls]
    try:
        await _enough(asking)
    finally:
        for one in asking:
            one.cancel()
    answers = await asyncio.gather(*asking, return_exceptions=True)
    views = [answer for answer in answers if isinstance(answer, View)]
    if views:
        return max(views, key=lambda view: view.timeline)
    failed = next(answer for answer in answers if isinstance(answer, BaseException))
    raise StepFailed(failed.text) if isinstance(failed, StepUncertain) else failed


async def _enough(asking: list[asyncio.Task[View]]) -> None:
    """Return once all have answered, or a little after the first that could."""
    waiting: set[asyncio.Task[View]] = set(asking)
    while waiting:
        done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if waiting and any(one.exception() is None for one in done):
            await asyncio.wait(waiting, timeout=GRACE)
            return


async def _looked(api: Api, url: str) -> View:
    answers = []
    for path in ("/cluster", "/patroni"):
        replied = await ask(Call("GET", url + path, {}, api.ca, LOOK_WITHIN, login=api.login, own=api.own))
        if replied.status != 200:
            raise StepFailed(say("{url} answered HTTP {status}", url=shown_url(url + path), status=replied.status))
        answers.append(parsed(replied.body))
    try:
        return replace(view_of(*answers), by=url)
    except Senseless as error:
        raise StepFailed(
            say("what {url} answers is not what Patroni says", url=shown_url(url)),
            remedy=say("Write under url where Patroni's REST API listens (restapi in its configuration)"),
        ) from error


async def tell(
    api: Api, by: str, path: str, body: Mapping[str, str], within: float, token: int | None
) -> Replied | None:
    """Send `body` to the member at `by` and return its answer, None when none came after it was sent.

    The others are told where that one is not reached, falls silent or cannot reach etcd: to be told twice changes
    nothing. Raises StepFailed when nobody was reached, so that nothing was sent, and Unresolved.
    """
    replied: Replied | None = None
    failed: StepFailed | None = None
    sent, until = False, asyncio.get_running_loop().time() + within
    for url in (by, *(one for one in api.urls if one != by)):
        left = max(LOOK_WITHIN, until - asyncio.get_running_loop().time())
        call = Call("POST", url + path, {}, api.ca, left, dict(body), token=token, login=api.login, own=api.own)
        try:
            replied = await ask(call)
        except StepFailed as error:
            failed = failed or error
        except StepUncertain:
            sent = True
        else:
            if not (replied.status == 503 and replied.body.startswith(UNWRITTEN)):
                return replied
    if replied is None and failed is not None and not sent:
        raise failed
    return replied
