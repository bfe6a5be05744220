"""Was it told and repaired as it should be? Answered from what the servers of the outside world hold, and no more."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from monitor.core.text import Quantity, Text, say

if TYPE_CHECKING:
    from lab.mailbox import Letter
    from lab.modem import Sms
    from lab.recorder import Recording

CLIENT, INTERNAL = "client", "internal"
FIRST, UPDATE, RESOLVED, CONFERENCE = "first_notice", "update", "resolved", "conference"
KEY = "X-Releve-Key"
"""Header of a notice: incident/audience/step/number/recipient."""
WITHIN = timedelta(seconds=30)
"""From the fault to the client's first notice."""
KEEP = timedelta(days=7)
"""No recording may be deleted that is younger: `keep` of the reference inventory."""
FEW = 3
"""Names that are given of many."""
_REFERENCE = re.compile(r"\b\d{2}-\d{4}\b")
_INWARD = re.compile(r"\b127\.\d+\.\d+\.\d+|\b10\.\d+\.\d+\.\d+|\b192\.168\.\d+\.\d+")
"""Addresses that no client should read."""


@dataclass(frozen=True, slots=True)
class Received:
    """One message as it arrived outside `at` (UTC): by `mail` or `sms`, what it is by its own key.

    An SMS has no key: its `audience` and `step` are empty.
    """

    at: datetime
    channel: str
    to: str
    reference: str
    audience: str
    step: str
    n: int
    message_id: str
    subject: str
    text: str


class Client(StrEnum):
    """What the client must hear of a story."""

    UPDATED = "updated"
    """The beginning, at least one update, the end."""
    TOLD = "told"
    """The beginning and the end; updates only if it lasts."""
    NOT_TOLD = "not told"


@dataclass(frozen=True, slots=True)
class Expected:
    """What a story must leave behind.

    `starts`: how often each service must have been started, those that are not named never. `disk_below`: the share of
    the disk of recordings (%) under which it must be for old ones having been deleted; None: none may be.
    """

    client: Client = Client.UPDATED
    starts: Mapping[str, int] = field(default_factory=dict)
    disk_below: float | None = None


@dataclass(frozen=True, slots=True)
class Servers:
    """What the servers of the site hold at `at`.

    `starts`, `stops`: requests that the service control manager accepted, by service. `recorded`: every recording that
    was ever finished; `present`: the SHA-256 of each file in its folder, by name; `archived`: those of the archive's
    files. `live_is_whole`: whether the recording that is being written holds all of it. `disk`: share in use (%).
    """

    at: datetime
    starts: Mapping[str, int]
    stops: Mapping[str, int]
    recorded: Mapping[str, Recording]
    present: Mapping[str, str]
    archived: frozenset[str]
    live_is_whole: bool
    disk: float

    @property
    def deleted(self) -> tuple[Recording, ...]:
        """The recordings that are no longer in their folder."""
        return tuple(one for one in self.recorded.values() if one.name not in self.present)


@dataclass(frozen=True, slots=True)
class Story:
    """What really happened at the site, and who had to be told: `client` and `operations` are addresses.

    `called`: the client's people who are called to a conference once an interruption lasts, and told of its end.
    """

    fault_at: datetime
    repaired_at: datetime | None
    client: str
    operations: frozenset[str]
    expected: Expected = field(default_factory=Expected)
    called: frozenset[str] = frozenset()

    @property
    def outside(self) -> frozenset[str]:
        """All addresses of the client."""
        return self.called | {self.client}


def received(letters: Iterable[Letter], messages: Iterable[Sms]) -> tuple[Received, ...]:
    """Return all that arrived, oldest first."""
    found = [*map(_of_letter, letters), *map(_of_sms, messages)]
    return tuple(sorted(found, key=lambda one: one.at))


def _of_letter(letter: Letter) -> Received:
    reference, audience, step, n, *_ = (*letter.header(KEY).split("/"), "", "", "", "")
    number = int(n) if n.isdigit() else 0
    return Received(
        letter.at, "mail", letter.to, reference, audience, step, number, letter.message_id, letter.subject, letter.text
    )


def _of_sms(sms: Sms) -> Received:
    found = _REFERENCE.search(sms.text)
    return Received(sms.at, "sms", sms.number, found[0] if found else "", "", "", 0, sms.note, "", sms.text)


def client_told(evidence: Iterable[Received], client: str, step: str) -> Sequence[Received]:
    """Return what the client received of one step of the protocol."""
    return [one for one in evidence if one.to == client and one.audience == CLIENT and one.step == step]


def concerned_told(evidence: Iterable[Received], story: Story, step: str) -> Sequence[Received]:
    """Return what those whom the story concerns received of one step: the client, or operations where it is not."""
    if story.expected.client is not Client.NOT_TOLD:
        return client_told(evidence, story.client, step)
    return [one for one in evidence if one.to in story.operations and one.step == step]


def faults_of(evidence: Sequence[Received], servers: Servers, story: Story) -> tuple[Text, ...]:
    """Return everything that is wrong with what arrived and with what was done; nothing when all is as it should be."""
    client = _client_not_told if story.expected.client is Client.NOT_TOLD else _client
    return tuple(
        [
            *_one_incident(evidence),
            *client(evidence, story),
            *_called(evidence, story),
            *_operations(evidence, story),
            *_form(evidence, story),
            *_mended(story),
            *_services(servers, story.expected),
            *_recordings(servers, story.expected),
        ]
    )


def done(servers: Servers) -> tuple[Text, ...]:
    """Return what the servers show to have been done to them, for whoever is told how a story ended."""
    said = [
        say("{name} was started {count} times", name=name, count=count)
        for name, count in sorted(servers.starts.items())
        if count
    ]
    gone = servers.deleted
    if gone and all(one.sha256 in servers.archived for one in gone):
        size = Quantity(sum(one.size for one in gone), "By")
        said.append(
            say("recordings deleted: {count}, {size}; the archive holds each of them", count=len(gone), size=size)
        )
    return tuple(said)


def _one_incident(evidence: Sequence[Received]) -> Iterable[Text]:
    references = sorted({one.reference for one in evidence})
    if len(references) != 1:
        yield say("one incident was to be told, not {count}: {names}", count=len(references), names=_names(references))


def _client(evidence: Sequence[Received], story: Story) -> Iterable[Text]:
    first, updates, resolved = (client_told(evidence, story.client, step) for step in (FIRST, UPDATE, RESOLVED))
    if len(first) != 1:
        yield say("the client received {count} first notices instead of one", count=len(first))
    if not updates and story.expected.client is Client.UPDATED:
        yield say("the client received no update")
    if len(resolved) != 1:
        yield say("the client received {count} messages of the end instead of one", count=len(resolved))
    if len({one.n for one in updates}) != len(updates):
        yield say("the client received an update twice")
    if first and first[0].at - story.fault_at > WITHIN:
        late = Quantity((first[0].at - story.fault_at).total_seconds(), "s")
        yield say("the client's first notice came {late} after the fault", late=late)
    if first and resolved and not all(first[0].at <= one.at <= resolved[-1].at for one in updates):
        yield say("the client's messages came in the wrong order")
    if resolved and (story.repaired_at is None or resolved[0].at < story.repaired_at):
        yield say("the client was told that it is over before it was")


def _client_not_told(evidence: Sequence[Received], story: Story) -> Iterable[Text]:
    told = sum(one.to in story.outside for one in evidence)
    if told:
        yield say("the client received {count} messages of what is none of its concern", count=told)


def _called(evidence: Sequence[Received], story: Story) -> Iterable[Text]:
    """An interruption that lasts long enough for an update lasts long enough for a conference."""
    lasted = story.expected.client is Client.UPDATED
    for address in sorted(story.called):
        count = len(client_told(evidence, address, CONFERENCE))
        if count > 1 or (lasted and count == 0):
            yield say("{who} was called to the conference {count} times instead of once", who=address, count=count)


def _operations(evidence: Sequence[Received], story: Story) -> Iterable[Text]:
    told = [one for one in evidence if one.to in story.operations]
    end = story.repaired_at
    if not any(end is None or one.at < end for one in told):
        yield say("operations were told nothing while it lasted")
    if not any(one.step in (RESOLVED, "") and end is not None and one.at >= end for one in told):
        yield say("operations were not told that it is over")


def _form(evidence: Sequence[Received], story: Story) -> Iterable[Text]:
    strangers = _names({one.to for one in evidence} - story.outside - story.operations)
    if strangers:
        yield say("people were told who are not concerned: {names}", names=strangers)
    if any((one.to in story.outside) != (one.audience == CLIENT) for one in evidence):
        yield say("the client and our own people were mixed up")
    if len({one.message_id for one in evidence}) != len(evidence):
        yield say("a Message-ID came twice")
    if any(one.reference not in one.subject + one.text for one in evidence):
        yield say("a message does not name its reference")
    if any(_INWARD.search(one.subject + one.text) for one in evidence if one.to in story.outside):
        yield say("a message to the client names an address of the site")


def _mended(story: Story) -> Iterable[Text]:
    if story.repaired_at is None:
        yield say("it was never mended")


def _services(servers: Servers, expected: Expected) -> Iterable[Text]:
    for name in sorted(servers.starts.keys() | expected.starts.keys()):
        count, wanted = servers.starts.get(name, 0), expected.starts.get(name, 0)
        if count != wanted:
            yield say("{name} was started {count} times instead of {wanted}", name=name, count=count, wanted=wanted)
    for name, count in sorted(servers.stops.items()):
        if count:
            yield say("{name} was stopped {count} times, and nothing called for it", name=name, count=count)


def _recordings(servers: Servers, expected: Expected) -> Iterable[Text]:
    gone = servers.deleted
    lost = [one.name for one in gone if one.sha256 not in servers.archived]
    young = [one.name for one in gone if servers.at - one.written_at < KEEP]
    changed = [one.name for one in servers.recorded.values() if servers.present.get(one.name, one.sha256) != one.sha256]
    if lost:
        yield say("recordings deleted of which no copy is archived: {count} ({names})", **_some(lost))
    if young:
        yield say("recordings deleted that had to be kept: {count} ({names})", **_some(young))
    if changed:
        yield say("recordings that are no longer what was recorded: {count} ({names})", **_some(changed))
    if not servers.live_is_whole:
        yield say("the recording that is being written was touched")
    if expected.disk_below is None:
        if gone:
            yield say("recordings deleted, and nothing called for it: {count}", count=len(gone))
        return
    if not gone:
        yield say("no recording was deleted")
    if servers.disk >= expected.disk_below:
        yield say("the disk of the recordings is still at {share}", share=Quantity(servers.disk, "%"))


def _some(names: Sequence[str]) -> dict[str, str | int]:
    shown = ", ".join(sorted(names)[:FEW])
    return {"count": len(names), "names": shown + (" ..." if len(names) > FEW else "")}


def _names(names: Collection[str]) -> str:
    return ", ".join(sorted(names))
