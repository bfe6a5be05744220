"""From a notice that is due to a row of the outbox: who reads it, in which words, by which channel."""

from __future__ import annotations

import hmac
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import urlsplit

from alerts.ack_code import code_of
from alerts.ack_link import LASTS, Claim, link_of
from alerts.agreement import Contact, Protocol
from alerts.announced import announced_work
from alerts.compose import compose
from alerts.conference_words import CONFERENCE
from alerts.context import Conference, Context, CrisisDue, Drafted
from alerts.crisis import cell_opens_at, next_report
from alerts.delivery import route
from alerts.escalation import next_rung
from alerts.handover import Handover
from alerts.internal_words import internal_sheet
from alerts.invitation import Meeting, Method, invitation
from alerts.language import speech
from alerts.moved import Moved
from alerts.notice import MAIL_DOMAIN, STORMS, Audience, Message, Notice, NoticeKey, NoticeState, Planned, Step
from alerts.protocol import NOBODY_ON_DUTY, conference_at, conference_due
from alerts.revisions import revised_since
from alerts.service_words import title_in
from alerts.sheet import Sheet
from alerts.slots import next_slot, next_update
from alerts.storm import Storm
from monitor.core.answer import stage_of
from monitor.core.ids import IncidentId, NodeId
from monitor.core.impact import Outlook
from monitor.core.incident import Incident
from monitor.core.maintenance import Window
from monitor.core.rota import Roster
from monitor.core.text import Text, say
from monitor.inventory.model import Inventory
from monitor.inventory.privacy import private_names


@dataclass(frozen=True, slots=True)
class Moment:
    """What the time of writing adds: `now`, whether time can be trusted, and what is down between us and the reader.

    `outlook`: what each service is able to do. `windows`: the work that is announced. `roster`: who is on
    duty.
    """

    now: datetime
    trusted: bool
    links_down: Collection[NodeId]
    outlook: tuple[Outlook, ...] = ()
    windows: tuple[Window, ...] = ()
    roster: Roster = NOBODY_ON_DUTY


class Letters:
    """Writes the notices of one inventory."""

    def __init__(self, inventory: Inventory, link_key: bytes = b"") -> None:
        self._inventory, self._link_key = inventory, link_key
        self._domain = urlsplit(inventory.site.url).hostname or MAIL_DOMAIN
        self._private = private_names(inventory)
        self._people = {name: contact.name for name, contact in inventory.contacts.items()}

    def about_many(self, many: Handover | Storm, protocols: Mapping[IncidentId, Protocol], at: Moment) -> Notice:
        """Return the row of the outbox for whoever has come on duty, or reads of a storm."""
        language = self._language(self._inventory.contacts.get(many.plan.key.recipient))
        handed = tuple((one, self._context(one, protocols[one.id], at, language, None)) for one in many.incidents)
        escalated = many.escalated if isinstance(many, Storm) else frozenset[IncidentId]()
        return self.write(many.plan, None, Protocol(), at, handed, escalated=escalated)

    def about_move(self, planned: Planned, move: Moved, protocol: Protocol, at: Moment) -> Notice:
        """Return the row of the outbox about a move of a group."""
        notice = self.write(planned, None, protocol, at, move=move)
        # A state that is begun anew gives names anew, and mail systems drop what comes under a known Message-ID.
        origin = f"{self._inventory.site.name}|{move.began_at.isoformat()}"
        return replace(
            notice,
            message_id=planned.key.message_id(origin, self._domain),
            in_reply_to=planned.key.thread_id(origin, self._domain),
        )

    def _language(self, contact: Contact | None) -> str:
        return (contact.language if contact is not None else "") or self._inventory.site.language

    def write(
        self,
        planned: Planned,
        incident: Incident | None,
        protocol: Protocol,
        at: Moment,
        handed: tuple[tuple[Incident, Context], ...] = (),
        move: Moved | None = None,
        escalated: frozenset[IncidentId] = frozenset(),
    ) -> Notice:
        """Return the row of the outbox for `planned`: waiting, or skipped, or dead when nothing leads to its reader."""
        key = planned.key
        contact = self._inventory.contacts.get(key.recipient)
        language = self._language(contact)
        way = None if contact is None else route(contact, self._inventory.channels, at.links_down)
        context = self._context(incident, protocol, at, language, way)
        context = replace(context, handed=handed, move=move, escalated=escalated)
        link, code = ("", "") if incident is None else self._ways_to_answer(planned, incident, protocol, at)
        own = self._inventory.words.of(key.step, key.audience, language)
        drafted = None
        if incident is not None and key.step is Step.DRAFT:
            drafted = self._drafted(planned, incident, protocol, at, language)
        message = compose(planned, incident, replace(context, ack_link=link, ack_code=code, draft=drafted, own=own))
        state, answer = NoticeState.PENDING, ""
        if planned.skipped:
            state = NoticeState.SKIPPED
        elif way is None:
            state, answer = NoticeState.DEAD, self.own_words(_no_way(key.recipient, contact))
        channel, address = way if way is not None else ("", "")
        # Like a message about one incident, one about many is answered under a name that nobody can make up.
        site = self._inventory.site.name
        origin = self._untold(STORMS, site) if key.step is Step.STORM else self._origin(incident)
        if incident is not None and key.step in CONFERENCE and not planned.instead_of:
            message = replace(message, calendar=self._calendar(planned, incident, protocol, message, at))
        return Notice(
            key=key,
            due_at=planned.due_at,
            created_at=at.now,
            message_id=key.message_id(origin, self._domain),
            message=message,
            channel=channel,
            address=address,
            language=language,
            state=state,
            next_try_at=at.now,
            answer=answer,
            in_reply_to=key.thread_id(origin, self._domain),
            first_choice=self._first_choice(contact),
        )

    def _ways_to_answer(self, planned: Planned, incident: Incident, protocol: Protocol, at: Moment) -> tuple[str, str]:
        """Return the link and the code by which the reader says that they are on it; empty for none."""
        url, replies, reader = self._inventory.site.url, self._inventory.replies, planned.key.recipient
        if not self._link_key or not may_answer(planned, incident, protocol, at):
            return "", ""
        stage, link, code = stage_of(incident), "", ""
        if url:
            link = link_of(Claim(incident.id, stage, reader, at.now + LASTS), self._link_key, url)
        contact = self._inventory.contacts.get(reader)
        if replies is not None and contact is not None and replies.sms in contact.addresses:
            code = code_of(incident.id, stage, reader, self._link_key)
        return link, code

    def sheet(self, incident: Incident, protocol: Protocol, at: Moment, language: str) -> Sheet:
        """Return what our own people read of `incident` now, in `language`, outside of any message."""
        key = NoticeKey(incident.id, Audience.INTERNAL, Step.FIRST_NOTICE, incident.episode, "")
        return internal_sheet(Planned(key, at.now), incident, self._context(incident, protocol, at, language, None))

    def _first_choice(self, contact: Contact | None) -> str:
        """The channel that a notice should go by, whatever is down."""
        way = None if contact is None else route(contact, self._inventory.channels, ())
        return "" if way is None else way[0]

    def _drafted(
        self, planned: Planned, incident: Incident, protocol: Protocol, at: Moment, language: str
    ) -> Drafted | None:
        """Return the update to come, in the `language` of those who may change it."""
        slot = next_slot(protocol, incident, at.now)
        if slot is None:
            return None
        key = replace(planned.key, audience=Audience.CLIENT, step=slot.step, n=slot.n)
        then = self._context(incident, protocol, replace(at, now=slot.due_at), language, None)
        then = replace(then, own=self._inventory.words.of(key.step, key.audience, language))
        return Drafted(slot.due_at, tuple(compose(Planned(key, slot.due_at), incident, then).text.splitlines()[:3]))

    def _calendar(self, planned: Planned, incident: Incident, protocol: Protocol, message: Message, at: Moment) -> str:
        """Return the invitation to the conference call, or its end: for everybody the same meeting."""
        starts_at, due_at = conference_at(protocol, incident), conference_due(protocol, incident)
        if starts_at is None or due_at is None:
            return ""
        contacts = [self._inventory.contacts.get(name) for name in _invited(protocol, incident, at)]
        invited = {one.addresses["mail"]: one.name for one in contacts if one is not None and "mail" in one.addresses}
        same_for_all = NoticeKey(incident.id, Audience.CLIENT, Step.CONFERENCE, incident.episode, "")
        meeting = Meeting(
            uid=same_for_all.message_id(self._origin(incident), self._domain),
            starts_at=starts_at,
            title=message.subject,
            words=message.text,
            place=protocol.bridge,
            invited=[(name, address) for address, name in invited.items()],
        )
        cancelled = planned.key.step is Step.CONFERENCE_CANCELLED
        method, revision = Method.CANCEL if cancelled else Method.REQUEST, revised_since(incident, due_at)
        return invitation(meeting, method, at.now, revision)

    def own_words(self, text: Text) -> str:
        """Return `text` as the site's people read it."""
        return speech(self._inventory.site.language, self._inventory.site.timezone).render(text)

    def _origin(self, incident: Incident | None) -> str:
        """What tells apart two incidents of one name, at two sites or of a state that was lost and begun anew.

        Mail systems drop in silence what comes under the Message-ID of an older message.
        """
        site = self._inventory.site.name
        if incident is None:
            return site
        return self._untold(incident.id, f"{site}|{incident.opened_at.isoformat()}")

    def _untold(self, name: IncidentId, origin: str) -> str:
        """`origin` with what nobody can make up, where there is a key.

        Whoever answers a message proves by its Message-ID that they read it: no other message may tell it.
        """
        if not self._link_key:
            return origin
        return f"{origin}|{hmac.digest(self._link_key, f'message-id {name} {origin}'.encode(), 'sha256').hex()}"

    def _context(
        self,
        incident: Incident | None,
        protocol: Protocol,
        at: Moment,
        language: str,
        way: tuple[str, str] | None,
    ) -> Context:
        site, kind, node, upcoming, rung = self._inventory.site, None, "", None, None
        if incident is not None:
            kind = self._inventory.kinds.get(incident.kind)
            check = None if incident.check is None else self._inventory.checks.get(incident.check)
            node = "" if check is None else check.node
            upcoming = next_update(protocol, incident, at.now)
            rung = next_rung(protocol.escalation, incident, at.now) if protocol.live else None
        return Context(
            site=site.name,
            speech=speech(language, site.timezone),
            now=at.now,
            next_at=upcoming,
            next_to=protocol.update_to if upcoming is not None else (),
            title=title_in(kind.titles, language, "") if kind is not None else "",
            usual_cause=title_in(kind.causes, language, "") if kind is not None else "",
            node=node,
            target=None if kind is None else kind.target,
            runbook=(kind.runbook or "") if kind is not None and self._inventory.automation.live else "",
            private=self._private,
            people=self._people,
            alerted=bool(protocol.operations),
            live=protocol.live,
            channel=way[0] if way is not None else "",
            trusted=at.trusted,
            url=site.url,
            outlook=at.outlook,
            work=None if incident is None else announced_work(incident, at.windows, language),
            conference=None if incident is None else self._conference(incident, protocol, at),
            crisis=None if incident is None else _crisis(incident, protocol, at.now),
            escalates_at=None if rung is None else rung.at,
            escalates_to=() if rung is None else at.roster.people(rung.to, rung.at),
        )

    def _conference(self, incident: Incident, protocol: Protocol, at: Moment) -> Conference | None:
        starts_at = conference_at(protocol, incident)
        if starts_at is None:
            return None
        people = tuple(self._people.get(name, name) for name in _invited(protocol, incident, at))
        return Conference(starts_at, protocol.bridge, people)


def _crisis(incident: Incident, protocol: Protocol, now: datetime) -> CrisisDue | None:
    """The crisis cell that the protocol calls for, past or to come; None for none."""
    opens_at, began = cell_opens_at(protocol, incident), incident.disrupted_at
    if opens_at is None or began is None:
        return None
    upcoming = next_report(protocol, incident, now)
    to = protocol.crisis_to if upcoming is not None else ()
    return CrisisDue(opens_at, upcoming, to, began + protocol.long_after)


def may_answer(planned: Planned, incident: Incident, protocol: Protocol, at: Moment) -> bool:
    """Return whether the message asks its reader to take charge: one of our own people, while nobody has.

    A runbook may tell a contact of the client, who reads the same words but is not asked to act.
    """
    wanted = incident.open and incident.acknowledged_at is None
    return wanted and not planned.instead_of and is_asked(planned.key, protocol, at.roster, at.now)


def is_asked(key: NoticeKey, protocol: Protocol, roster: Roster, at: datetime) -> bool:
    """Return whether the reader of that notice, written `at`, is one of those who may say that they are on it."""
    clients = {
        *protocol.first_to,
        *protocol.update_to,
        *protocol.conference_to,
        *protocol.crisis_to,
        *protocol.resolved_to,
    }
    ours = key.recipient in roster.people(protocol.operations, at) or key.recipient not in clients
    return ours and key.audience is Audience.INTERNAL and key.step not in (Step.TEST, Step.RESOLVED)


def _invited(protocol: Protocol, incident: Incident, at: Moment) -> tuple[str, ...]:
    """The contacts who are called together: of a rota, who is on duty when the invitation is due."""
    return at.roster.people(protocol.called_together, conference_due(protocol, incident) or at.now)


def _no_way(recipient: str, contact: Contact | None) -> Text:
    if contact is None:
        return say("the inventory has no contact {name}", name=recipient)
    return say("no channel leads to {name}: give an address for one of the channels", name=recipient)
