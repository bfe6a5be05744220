"""Patroni's REST API: who leads the cluster, how far a member is behind, and the word that another one leads.

Paths, fields and status codes: Patroni's documentation ("Patroni REST API") and, where it is silent, its `api.py` of
3.0; roles that came later (`quorum_standby`) are known. What a member answers is parsed as if an enemy had written it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from monitor.core.text import say
from probes.cleaning import one_line
from runbooks.contract import StepFailed, StepUncertain
from runbooks.http_calls import Call, Replied, ask, shown_url
from runbooks.json_answers import parsed

LOOK_WITHIN: Final = 5.0
"""Seconds that one member has to say how the cluster stands; Patroni itself asks etcd for it."""
MOST_MEMBERS: Final = 100
LONGEST_NAME: Final = 200
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
    """The cluster: its members by name, and the system identifier of its database, empty where that is not known."""

    members: Mapping[str, Member]
    system: str
    scope: str

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
    """Return the cluster as the first member has it that answers. Raises StepFailed when none does, and Unresolved."""
    first: StepFailed | None = None
    for url in api.urls:
        try:
            return await _looked(api, url)
        except StepFailed as error:
            first = first or error
        except StepUncertain as error:  # nothing was asked for that could be done
            first = first or StepFailed(error.text)
    raise first or StepFailed(say("no address of Patroni is given"))


async def _looked(api: Api, url: str) -> View:
    answers = []
    for path in ("/cluster", "/patroni"):
        replied = await ask(Call("GET", url + path, {}, api.ca, LOOK_WITHIN, login=api.login, own=api.own))
        if replied.status != 200:
            raise StepFailed(say("{url} answered HTTP {status}", url=shown_url(url + path), status=replied.status))
        answers.append(parsed(replied.body))
    try:
        return view_of(*answers)
    except Senseless as error:
        raise StepFailed(
            say("what {url} answers is not what Patroni says", url=shown_url(url)),
            remedy=say("Write under url where Patroni's REST API listens (restapi in its configuration)"),
        ) from error


async def tell(api: Api, path: str, body: Mapping[str, str], within: float, token: int | None) -> Replied | None:
    """Send `body` to the first member that takes it and return its answer, None when none came after it was sent.

    Raises StepFailed when nobody was reached, so that nothing was sent, and Unresolved.
    """
    first: StepFailed | None = None
    for url in api.urls:
        call = Call("POST", url + path, {}, api.ca, within, dict(body), token=token, login=api.login, own=api.own)
        try:
            return await ask(call)
        except StepFailed as error:
            first = first or error
        except StepUncertain:
            return None
    raise first or StepFailed(say("no address of Patroni is given"))
