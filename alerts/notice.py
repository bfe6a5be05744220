"""A notice: one message to one person about one incident, named by a key that never changes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from hashlib import sha256

from monitor.core.ids import IncidentId

MAIL_DOMAIN = "releve.invalid"
"""Right-hand side of a Message-ID when the site has no `url`: a name that can belong to nobody (RFC 2606)."""


class Audience(StrEnum):
    """Who reads: the client (service, impact, next time; no host, address or raw output) or our own people (all)."""

    CLIENT = "client"
    INTERNAL = "internal"


class Step(StrEnum):
    """Which message of the protocol. The names are stored and part of the contract: add, do not rename."""

    FIRST_NOTICE = "first_notice"
    WORSENED = "worsened"
    DISRUPTED = "disrupted"
    """To our own people: an incident already told now interrupts the client's service."""
    FLAPPING = "flapping"
    """To our own people: an incident already told comes and goes, so little more is told of it until it is steady."""
    UNACKNOWLEDGED = "unacknowledged"
    """To our own people: the time for which somebody was on it is over, and nobody is any more."""
    UPDATE = "update"
    RESOLVED = "resolved"
    PERSON_CALLED = "person_called"
    """To our own people: Relève asks, or cannot repair it."""
    REMINDER = "reminder"
    """To our own people: what Relève asked still waits for an answer."""
    RUNBOOK = "runbook"
    """What a runbook has to say."""
    CONFERENCE = "conference"
    """An invitation to the conference call about an interruption that lasts (S17)."""
    CONFERENCE_CANCELLED = "conference_cancelled"
    CONFERENCE_UPDATED = "conference_updated"
    """That what the invitation says has changed; `n` counts the changes since the incident began."""
    LONG_SOON = "long_soon"
    """To our own people: the interruption is about to count as long (S19)."""
    LONG = "long"
    OVERRUN = "overrun"
    """To our own people: the announced work is over, and what it brought down still fails."""
    DRAFT = "draft"
    """To our own people: the next update to the client is drafted, and may still be given words."""
    CRISIS_OPENED = "crisis_opened"
    """To our own people: a crisis cell is called for, who is to lead it and what it does first (S17)."""
    CRISIS_REPORT = "crisis_report"
    REVIEW_HOT = "review_hot"
    """To our own people: the review soon after the end is due, and each week until it is closed."""
    REVIEW_COLD = "review_cold"
    ACTION_DUE = "action_due"
    """To our own people: the time of an action of the plan has come, and again until it is done."""
    TEST = "test"
    HANDOVER = "handover"
    """To whoever has come on duty: what is open. It is about no single incident."""
    ESCALATED = "escalated"
    """To the next of our own people: nobody has said that they are on it."""
    MERGED = "merged"
    """Who was told of an incident hears that it is another one's doing, and followed under that."""
    STORM = "storm"
    """To our own people: several incidents at once, in one message. It is about no single incident."""
    DEPLOYMENT_PLAN = "deployment_plan"
    """What a move of a group will do, before its first step; under its name instead of an incident's."""
    FAILOVER_REPORT = "failover_report"
    """What a move of a group did and reached, after its last step."""


BY_TIME = frozenset({
    Step.UPDATE, Step.CONFERENCE, Step.LONG_SOON, Step.LONG, Step.REMINDER, Step.DRAFT, Step.CRISIS_OPENED,
    Step.CRISIS_REPORT, Step.ESCALATED, Step.REVIEW_HOT, Step.REVIEW_COLD, Step.ACTION_DUE, Step.HANDOVER,
})  # fmt: skip
"""What only the passing of time makes due: it waits as long as the clock cannot be trusted."""


HANDOVERS = IncidentId("oncall")
"""Stands in the keys of messages about handovers, which have no incident of their own."""
STORMS = IncidentId("storm")
"""Stands in the keys of messages about several incidents at once."""
OF_MANY = frozenset({Step.HANDOVER, Step.STORM})
"""Messages about no single incident, though about incidents."""


@dataclass(frozen=True, slots=True, order=True)
class NoticeKey:
    """What makes a notice the same notice. `n`: the episode (first notice, resolved), the slot of the grid, or which
    time it is of what may come again (worsened, flapping, an acknowledgement that lapsed)."""

    incident: IncidentId
    audience: Audience
    step: Step
    n: int
    recipient: str

    def __str__(self) -> str:
        return f"{self.incident}/{self.audience.value}/{self.step.value}/{self.n}/{self.recipient}"

    @classmethod
    def parse(cls, text: str) -> NoticeKey:
        """Return the key that `str` wrote. Raises ValueError if it is none."""
        incident, audience, step, n, recipient = text.split("/", 4)
        return cls(IncidentId(incident), Audience(audience), Step(step), int(n), recipient)

    def message_id(self, site: str, domain: str = MAIL_DOMAIN) -> str:
        """Return the Message-ID without `<>`: the same for every attempt, so that a resend is recognisable.

        `site` keeps the keys of two sites apart, whose incidents are numbered alike.
        """
        return f"{sha256(f'{site}|{self}'.encode()).hexdigest()[:32]}@{domain}"

    def thread_id(self, site: str, domain: str = MAIL_DOMAIN) -> str:
        """Return the Message-ID of the first message of the same thread, empty for that message itself.

        It depends on the key alone, so that no search among what was sent is needed to keep a thread together.
        """
        if self.step is Step.DEPLOYMENT_PLAN:
            return ""
        if self.step is Step.FAILOVER_REPORT:
            return replace(self, step=Step.DEPLOYMENT_PLAN).message_id(site, domain)
        root = replace(self, step=Step.FIRST_NOTICE, n=1)
        return "" if self == root or self.step is Step.TEST or self.step in OF_MANY else root.message_id(site, domain)


class NoticeState(StrEnum):
    """PENDING waits, SENDING is being handed over, DEAD was refused for good, SKIPPED is named by a later one."""

    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    DEAD = "dead"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Planned:
    """A notice that should exist now. `gap`: the moments of earlier updates that this one stands for, `reports` those
    of earlier crisis reports.

    `instead_of`: while the protocol is not live, the contacts who would have been told. `unanswered`: the contacts who
    were told before of what nobody has taken charge of. `hushed`: it is skipped because it waited for the end of the
    quiet hours and another message, or none, says it now.
    """

    key: NoticeKey
    due_at: datetime
    gap: tuple[datetime, ...] = ()
    instead_of: tuple[str, ...] = ()
    skipped: bool = False
    reports: tuple[datetime, ...] = ()
    unanswered: tuple[str, ...] = ()
    hushed: bool = False


@dataclass(frozen=True, slots=True)
class Message:
    """A notice in words: `text` and `html` say the same; `short` is one GSM-7 SMS.

    `calendar`: an invitation or its cancellation (RFC 5546), which has yet to be given its organiser; mostly empty.
    """

    subject: str
    text: str
    html: str
    short: str
    calendar: str = ""


@dataclass(frozen=True, slots=True)
class Copy:
    """A notice that another channel had taken, given to its first choice: when it was accepted (`at`, None if it was
    refused for good) and what was said to it."""

    channel: str
    address: str
    at: datetime | None
    answer: str


@dataclass(frozen=True, slots=True)
class Notice:
    """A row of the outbox. `answer`: the last thing the server (or the failure) said; `tried`: channels given up on.

    `next_try_at`: when the next attempt is due; of a DEAD one, when it was given up. `handed_at`: when the last attempt
    began, `sent_at` when it was accepted. `first_choice`: the channel by which it should have gone, whatever was down;
    `copy`: what became of its copy there, after another channel had taken it.
    """

    key: NoticeKey
    due_at: datetime
    created_at: datetime
    message_id: str
    message: Message
    channel: str
    address: str
    language: str
    state: NoticeState = NoticeState.PENDING
    attempts: int = 0
    next_try_at: datetime | None = None
    sent_at: datetime | None = None
    answer: str = ""
    tried: tuple[str, ...] = ()
    in_reply_to: str = ""
    handed_at: datetime | None = None
    first_choice: str = ""
    copy: Copy | None = None
