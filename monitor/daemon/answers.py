"""Answers to messages: who is on it is recorded, and what only a person understands is kept until one has read it."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import timedelta
from hmac import compare_digest
from itertools import islice

from alerts.ack_code import MOST_GUESSES, code_of, said_in, same_number
from alerts.agreement import Contact
from alerts.delivery import route
from alerts.letter import one_line
from alerts.mailbox import Filing
from alerts.notice import OF_MANY, Notice, Step
from alerts.parked import MOST_PARKED, WHY_PARKED, Parked, Why
from alerts.reply import Kind, Reply
from alerts.reply_words import acknowledges
from alerts.sms_in import Sms
from alerts.storm import told_in
from monitor.core.answer import CONTACT, Answer, NotWanted, Stage, Standing, Way, answered, stage_at, stage_of
from monitor.core.events import RELEVE
from monitor.core.ids import IncidentId
from monitor.core.incident import Incident, Refused
from monitor.daemon.beliefs import legible
from monitor.daemon.desk import Desk
from monitor.daemon.letters import is_asked
from monitor.store import AuditEntry, Batch

log = logging.getLogger(__name__)
MOST_STAGES = 50
"""Stages of an incident, the latest first, whose codes are tried: one that wavers has hundreds."""
STILL_NEWS = timedelta(hours=1)
"""What came back later than that after it was written is not sent again: newer messages have been."""
LONGEST_SHOWN = 120
"""Characters of a sender or a line that are kept: strangers write them."""


async def take(desk: Desk, name: IncidentId, answer: Answer) -> Incident:
    """Record that a contact who was told of the incident says that they are on it. Raises NotWanted, or Refused."""
    known = desk.inventory.contacts.get(answer.contact)
    called = legible(known.name if known is not None else answer.contact)
    actor, data = f"{CONTACT}{answer.contact}", {"way": answer.way.value}
    return await desk.act(name, actor, "ack", lambda i, now: answered(i, answer, called, now), data)


class Answers:
    """Takes each answer once, whatever a crash makes come again; `parked`: those that wait for a reader."""

    def __init__(self, desk: Desk, kept: Sequence[Parked] = ()) -> None:
        self._desk = desk
        self.parked = tuple(kept)

    async def by_mail(self, reply: Reply) -> Filing:
        """Take a mail; return where it belongs. Raises StoreError when the disk does not say what it answers.

        Who wrote it is not proved; that they read our message is, by its Message-ID. So it counts only from the address
        to which that message went.
        """
        known = {notice.message_id: notice for notice in await self._desk.journal.sent_as(reply.answers)}
        told = [known[name] for name in reply.answers if name in known]
        if reply.kind is Kind.BOUNCE and told:
            await self._send_again(told[0], reply.failed)
            return await self._park(reply, Why.BOUNCED, told[0], line=reply.failed)
        if reply.kind is not Kind.ANSWER:
            return Filing.DONE if told else Filing.LEFT
        if not told:
            contact = self._contact_at(reply.sender)
            return Filing.LEFT if not contact else await self._park(reply, Why.NO_REFERENCE, contact=contact)
        mine = next((notice for notice in told if self._reads(notice, reply.sender)), None)
        if mine is None:
            return await self._park(reply, Why.NOT_RECIPIENT, told[0])
        if not acknowledges(reply.line):
            return await self._park(reply, Why.OTHER_WORDS, mine)
        return await self._acknowledged(reply, mine)

    async def _send_again(self, notice: Notice, failed: str) -> None:
        """Let a notice that came back go by its reader's next channel, as long as it is news. Raises StoreError.

        A report may name another address than we wrote to, behind which that one lies; and it may come twice, when
        another channel has the notice already.
        """
        desk, now = self._desk, self._desk.clock.now()
        contact = desk.inventory.contacts.get(notice.key.recipient)
        incident = desk.state.incidents.get(notice.key.incident)
        news = notice.key.step in OF_MANY or (
            incident is not None and (incident.open or notice.key.step is Step.RESOLVED)
        )
        by_mail = "@" in notice.address and (not notice.tried or failed.lower() == notice.address.lower())
        if contact is None or not news or not by_mail or now - notice.created_at > STILL_NEWS:
            return
        way = route(contact, desk.inventory.channels, desk.links_down(), (*notice.tried, notice.channel))
        if way is None:
            return
        answer = desk.letters.own_words(WHY_PARKED[Why.BOUNCED])
        if await desk.journal.ask(desk.journal.store.send_again, notice, *way, now, answer):
            data = {"notice": str(notice.key), "channel": notice.channel, "next": way[0]}
            await desk.journal.commit(Batch(audit=(AuditEntry(RELEVE, "bounced", data),), guard=desk.guard()))
            desk.mail_waiting.set()

    async def _acknowledged(self, reply: Reply, notice: Notice) -> Filing:
        why = await self.acknowledge(notice, Way.MAIL, reply.id)
        return Filing.DONE if why is not Standing.OUTDATED else await self._park(reply, Why.OUTDATED, notice)

    async def by_sms(self, sms: Sms) -> Filing:
        """Take an SMS; return where it belongs. A number can be forged, so guessing codes is put off."""
        contacts = [one for one in self._desk.inventory.contacts.values() if _has_number(one, sms.number)]
        if not contacts:
            return Filing.LEFT
        said = said_in(sms.text)
        if not said.code or not said.acknowledges:
            return await self._park_sms(sms, Why.OTHER_WORDS, contacts[0].id)
        if self._guesses(sms.number) >= MOST_GUESSES:
            log.warning("a number guesses codes", extra={"event": "sms_guessing", "number": sms.number})
            return Filing.PARKED
        for contact in contacts:
            for incident in sorted(self._desk.state.incidents.values(), key=lambda one: one.opened_at, reverse=True):
                stage = self._stage_meant(incident, contact.id, said.code)
                if stage is not None:
                    return await self._taken_by_sms(sms, incident, Answer(contact.id, Way.SMS, stage, sms.id))
        return await self._park_sms(sms, Why.WRONG_CODE, contacts[0].id)

    async def _taken_by_sms(self, sms: Sms, incident: Incident, answer: Answer) -> Filing:
        try:
            await take(self._desk, incident.id, answer)
        except NotWanted as no:
            if no.standing is Standing.OUTDATED:
                return await self._park_sms(sms, Why.OUTDATED, answer.contact, str(incident.id))
        except Refused:
            return Filing.DONE  # it has left the desk meanwhile
        return Filing.DONE

    def _stage_meant(self, incident: Incident, contact: str, code: str) -> Stage | None:
        """The stage of `incident` that the code of `contact` is for, if they were told of it; the latest first."""
        desk = self._desk
        protocol = desk.protocols.get(incident.id, desk.inventory.protocol)
        told = (key for key in desk.sent.get(incident.id, ()) if key.recipient == contact)
        if not desk.link_key or not any(is_asked(key, protocol, desk.roster, desk.clock.now()) for key in told):
            return None
        now = stage_of(incident)
        stages = (Stage(e, n) for e in range(now.episode, 0, -1) for n in range(now.lapses, -1, -1))
        for stage in islice(stages, MOST_STAGES):
            if compare_digest(code_of(incident.id, stage, contact, desk.link_key), code):
                return stage
        return None

    def _guesses(self, number: str) -> int:
        """How many wrong codes that number sent within the last hour."""
        since = self._desk.clock.now() - timedelta(hours=1)
        wrong = (one for one in self.parked if one.why is Why.WRONG_CODE and one.at > since)
        return sum(same_number(one.sender, number) for one in wrong)

    async def _park_sms(self, sms: Sms, why: Why, contact: str, incident: str = "") -> Filing:
        at = self._desk.clock.now()
        await self.park(Parked(sms.id, at, Way.SMS, why, sms.number, contact, incident, sms.text))
        return Filing.PARKED

    async def acknowledge(self, notice: Notice, way: Way, answer: str) -> Standing:
        """Let the reader of `notice` be on it; return what the answer, which is called `answer`, did.

        Whoever answers a message about many is on each of them.
        """
        if notice.key.step is not Step.STORM:
            return await self._on_it(notice.key.incident, notice, way, answer)
        about = told_in(notice.key, self._desk.state.incidents.values())
        did = {await self._on_it(name, notice, way, answer) for name in about}
        return next((one for one in (Standing.WANTED, Standing.OUTDATED) if one in did), Standing.OVER)

    async def _on_it(self, name: IncidentId, notice: Notice, way: Way, answer: str) -> Standing:
        desk, key = self._desk, notice.key
        incident = desk.state.incidents.get(name)
        protocol = desk.protocols.get(name, desk.inventory.protocol)
        if incident is None or not is_asked(key, protocol, desk.roster, notice.created_at):
            return Standing.OVER
        stage = stage_at(incident, notice.created_at)
        try:
            await take(desk, name, Answer(key.recipient, way, stage, answer))
        except NotWanted as no:
            return no.standing
        except Refused:  # it has left the desk meanwhile
            return Standing.OVER
        return Standing.WANTED

    def _reads(self, notice: Notice, sender: str) -> bool:
        """Whether `sender` is an address at which the reader of `notice` is told."""
        contact = self._desk.inventory.contacts.get(notice.key.recipient)
        known = {notice.address, *(contact.addresses.values() if contact is not None else ())}
        return bool(sender) and sender in {address.strip().lower() for address in known}

    def _contact_at(self, sender: str) -> str:
        """The contact with that address; empty for a stranger."""
        contacts = self._desk.inventory.contacts.values()
        found = (one.id for one in contacts if sender in {address.lower() for address in one.addresses.values()})
        return next(found, "") if sender else ""

    async def _park(
        self, reply: Reply, why: Why, notice: Notice | None = None, *, contact: str = "", line: str = ""
    ) -> Filing:
        await self.park(
            Parked(
                id=reply.id,
                at=self._desk.clock.now(),
                way=Way.MAIL,
                why=why,
                sender=reply.sender,
                contact=contact if notice is None else notice.key.recipient,
                incident="" if notice is None or notice.key.step in OF_MANY else str(notice.key.incident),
                line=line or reply.line,
            )
        )
        return Filing.PARKED

    async def park(self, one: Parked) -> None:
        """Keep `one` until somebody has read it; what is kept already stays as it is."""
        if any((other.way, other.id) == (one.way, one.id) for other in self.parked):
            return
        sender, line = (one_line(words)[:LONGEST_SHOWN] for words in (one.sender, one.line))
        await self._keep((*self.parked, replace(one, sender=sender, line=line))[-MOST_PARKED:])
        log.warning(
            "an answer waits for a reader",
            extra={"event": "answer_parked", "way": one.way.value, "why": one.why.value, "incident": one.incident},
        )

    async def read(self, ids: Collection[str], actor: str) -> int:
        """Forget those of `ids`, which `actor` has read; return how many there were. What came since stays."""
        left = tuple(one for one in self.parked if one.id not in ids)
        count = len(self.parked) - len(left)
        if count:
            await self._keep(left, AuditEntry(actor, "answers read", {"count": count}))
        return count

    async def _keep(self, parked: tuple[Parked, ...], *audit: AuditEntry) -> None:
        # First in memory: what is written by two at once must hold what both found.
        self.parked = parked
        await self._desk.journal.commit(Batch(parked=parked, audit=audit, guard=self._desk.guard()))


def _has_number(contact: Contact, number: str) -> bool:
    return any(same_number(address, number) for address in contact.addresses.values() if "@" not in address)
