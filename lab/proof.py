"""Did the right people get the right messages? Answered from what the servers of the outside world received alone."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from lab.mailbox import Letter
from lab.modem import Sms
from monitor.core.text import Quantity, Text, say

CLIENT, INTERNAL = "client", "internal"
FIRST, UPDATE, RESOLVED = "first_notice", "update", "resolved"
KEY = "X-Releve-Key"
"""Header of a notice: incident/audience/step/number/recipient."""
WITHIN = timedelta(seconds=30)
"""From the fault to the client's first notice."""
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


@dataclass(frozen=True, slots=True)
class Story:
    """What really happened at the site, and who had to be told: `client` and `operations` are addresses."""

    fault_at: datetime
    repaired_at: datetime | None
    client: str
    operations: frozenset[str]


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


def faults_of(evidence: Sequence[Received], story: Story) -> tuple[Text, ...]:
    """Return everything that is wrong with what arrived; nothing when the right people got the right messages."""
    return tuple(
        [*_one_incident(evidence), *_client(evidence, story), *_operations(evidence, story), *_form(evidence, story)]
    )


def _one_incident(evidence: Sequence[Received]) -> Iterable[Text]:
    references = sorted({one.reference for one in evidence})
    if len(references) != 1:
        yield say("one incident was to be told, not {count}: {names}", count=len(references), names=_names(references))


def _client(evidence: Sequence[Received], story: Story) -> Iterable[Text]:
    first, updates, resolved = (client_told(evidence, story.client, step) for step in (FIRST, UPDATE, RESOLVED))
    if len(first) != 1:
        yield say("the client received {count} first notices instead of one", count=len(first))
    if not updates:
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


def _operations(evidence: Sequence[Received], story: Story) -> Iterable[Text]:
    told = [one for one in evidence if one.to in story.operations]
    end = story.repaired_at
    if not any(end is None or one.at < end for one in told):
        yield say("operations were told nothing while it lasted")
    if not any(one.step in (RESOLVED, "") and end is not None and one.at >= end for one in told):
        yield say("operations were not told that it is over")


def _form(evidence: Sequence[Received], story: Story) -> Iterable[Text]:
    strangers = _names({one.to for one in evidence} - {story.client} - story.operations)
    if strangers:
        yield say("people were told who are not concerned: {names}", names=strangers)
    if any((one.to == story.client) != (one.audience == CLIENT) for one in evidence):
        yield say("the client and our own people were mixed up")
    if len({one.message_id for one in evidence}) != len(evidence):
        yield say("a Message-ID came twice")
    if any(one.reference not in one.subject + one.text for one in evidence):
        yield say("a message does not name its reference")
    if any(_INWARD.search(one.subject + one.text) for one in evidence if one.to == story.client):
        yield say("a message to the client names an address of the site")


def _names(names: Collection[str]) -> str:
    return ", ".join(sorted(names))
