"""`releve notify`: can a contact be reached, and what was answered that a person has to read?"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from monitor.cli import offline
from monitor.cli.context import ExitCode, Failure, Settings, emit_json, pass_settings, print_table, warn
from monitor.cli.reading import act, ask, daemon_or_none, site_speech
from monitor.core.text import N_, Text, say

if TYPE_CHECKING:
    from alerts.agreement import Contact
    from alerts.canary import Sounding
    from alerts.parcel import Parcel
    from alerts.parked import Parked
    from monitor.core.text import Speech
    from monitor.inventory.model import Inventory

LONGEST = timedelta(hours=1)
"""For which a canary is waited at most."""


@click.group(help=N_("Test whether a contact can be reached; read what people answered."))
def notify() -> None:
    """Group the commands about messages."""


@notify.command(help=N_("Send one real message to CONTACT, or to who is on duty, and say what the server answered."))
@click.argument("contact", metavar="CONTACT|ROTA")
@click.option("--channel", default="", metavar="NAME", help=N_("By this channel; default: the contact's first."))
@click.option("--json", "as_json", is_flag=True, help=N_("Answer in JSON."))
@pass_settings
def test(settings: Settings, contact: str, channel: str, as_json: bool) -> int:
    """Send one message now, from this process: the daemon's outbox and log know nothing of it."""
    from alerts.canary import Fate, sound
    from monitor.cli.reading import inventory_of
    from monitor.clock import SystemClock

    inventory = inventory_of(settings)
    end = sound(_parcel(inventory, _contact(settings, inventory, contact), channel), SystemClock().now)
    speech = settings.speech(inventory.site.language, inventory.site.timezone)
    accepted = end.fate is Fate.ACCEPTED
    if as_json:
        emit_json(_as_json(end, speech))
    elif accepted:
        click.echo(speech.render(_sent(end)))
    else:
        warn(speech.render(say("Not sent to {name}: {why}", name=end.parcel.recipient_name, why=end.answer)))
    if accepted:
        return ExitCode.DONE
    return ExitCode.CANNOT if end.ours else ExitCode.WRONG


@notify.command(
    help=N_(
        "Send one real message by every channel, to CONTACT or to operations, and say what became of each.\n\n"
        "The client is never written to. Exit status 0: every channel accepted its message in time."
    )
)
@click.argument("contact", metavar="[CONTACT]", default="")
@click.option("--deadline", metavar="TIME", default="60s", show_default=True, help=N_("How long they may take."))
@click.option("--json", "as_json", is_flag=True, help=N_("Answer in JSON."))
@pass_settings
def canary(settings: Settings, contact: str, deadline: str, as_json: bool) -> int:
    """Sound every channel."""
    from alerts.canary import Fate, sound_all
    from monitor.cli.reading import inventory_of
    from monitor.clock import SystemClock

    patience = _span(deadline)
    inventory = inventory_of(settings)
    people = _reached(settings, inventory, contact)
    ways = _by_channel(inventory, people)
    parcels = [_parcel(inventory, one, name, n) for n, (name, one) in enumerate(ways.items(), 1) if one is not None]
    speech = settings.speech(inventory.site.language, inventory.site.timezone)
    ends = []
    for end in sound_all(parcels, patience, SystemClock().now):
        ends.append(end)
        if not as_json:
            click.echo(speech.render(_told(end, speech)))
    silent = [] if contact else [name for name, one in ways.items() if one is None]
    for name in silent:
        if not as_json:
            warn(speech.render(say("{channel}: nobody of operations has an address for it", channel=name)))
    good = not silent and all(end.fate is Fate.ACCEPTED for end in ends)
    if as_json:
        channels = [_canary_json(end, speech) for end in ends] + [_nobody_json(name) for name in silent]
        emit_json({"ok": good, "deadline_s": patience.total_seconds(), "channels": channels})
    return ExitCode.DONE if good else ExitCode.WRONG


def _span(written: str) -> timedelta:
    from monitor.core.units import BadUnit, parse_duration

    try:
        span = parse_duration(written)
    except BadUnit as error:
        raise Failure(say("{option}: {why}", option="--deadline", why=error.text)) from error
    if not timedelta() < span <= LONGEST:
        raise Failure(say("{option}: between 1 ms and {most}", option="--deadline", most=LONGEST))
    return span


def _reached(settings: Settings, inventory: Inventory, contact: str) -> list[Contact]:
    """Whom the canary may go to: the contact that was named, unless it is the client's, or operations.

    Of a rota, who is on duty; of those of operations, by the inventory.
    """
    from alerts.canary import outsiders
    from monitor.clock import SystemClock

    if contact:
        found = _contact(settings, inventory, contact)
        if found.id in outsiders(inventory.protocol, inventory.rotas):
            raise Failure(say("{name} is the client's: no canary goes there", name=found.id))
        return [found]
    names = inventory.roster().people(inventory.protocol.operations, SystemClock().now())
    people = [inventory.contacts[name] for name in names if name in inventory.contacts]
    if not people:
        raise Failure(say("nobody is in operations: name a contact"))
    return people


def _by_channel(inventory: Inventory, people: list[Contact]) -> dict[str, Contact | None]:
    """The first of `people` with an address for each channel, None where nobody has one."""
    ways = {name: next((one for one in people if name in one.addresses), None) for name in inventory.channels}
    if not any(ways.values()):
        names = ", ".join(one.id for one in people)
        raise Failure(say("no channel leads to {name}: give an address for one of the channels", name=names))
    return ways


@notify.command(help=N_("List the answers that changed nothing and are for people to read."))
@click.option("--read", "was_read", is_flag=True, help=N_("They were read: list them once more, and forget them."))
@click.option("--json", "as_json", is_flag=True, help=N_("Answer in JSON."))
@pass_settings
def replies(settings: Settings, was_read: bool, as_json: bool) -> int:
    """List them, oldest first; the mails themselves lie in the mailbox, in the folder Releve/parked."""
    api = daemon_or_none(settings)
    words = site_speech(settings)
    if api is not None:
        found = ask(api, "/api/v1/replies")
    else:
        from monitor.web.replies import parked_json

        nothing: tuple[Parked, ...] = ()
        kept = offline.read_or(settings, lambda store: store.parked(), nothing)
        found = [parked_json(one, words) for one in kept]
    if was_read and found:
        if api is not None:
            act(api, "/api/v1/replies/read", {"ids": [one["id"] for one in found]})
        else:
            names = [one["id"] for one in found]
            offline.with_daemon(settings, lambda daemon, who: daemon.answers.read(names, who))
    if as_json:
        emit_json(found)
    else:
        _print_replies(found, words)
    return ExitCode.DONE


def _print_replies(found: list[dict[str, Any]], words: Speech) -> None:
    from monitor.cli.shown import at_site, table_of
    from monitor.clock import SystemClock

    if not found:
        click.echo(words.render(say("No answer waits for a reader.")))
        return
    titles = (N_("Time"), N_("From"), N_("By"), N_("Incident"), N_("Why"), N_("First line"))
    table, now = table_of(titles, words), SystemClock().now()
    for one in found:
        sender = one["contact"] or one["sender"]
        table.add_row(at_site(one["at"], words, now), sender, one["way"], one["incident"], one["reason"], one["line"])
    print_table(table)


def _contact(settings: Settings, inventory: Inventory, name: str) -> Contact:
    """The contact `name`; of a rota of that name, who is on duty now, whoever takes over from whom."""
    if name in inventory.rotas:
        from monitor.cli.oncall import duty

        name = next((one["contact"] for one in duty(settings, "", 0) if one["rota"] == name), name)
    found = inventory.contacts.get(name)
    if found is None:
        known = ", ".join((*inventory.contacts, *inventory.rotas)) or "-"
        raise Failure(say("the inventory has no contact {name}; there are: {known}", name=name, known=known))
    return found


def _parcel(inventory: Inventory, contact: Contact, channel: str, n: int = 0) -> Parcel:
    """The test message as the daemon would write it, on its way by `channel` or by the contact's first one.

    `n` tells apart those of one moment, lest a mail system takes the second for a copy of the first.
    """
    from dataclasses import replace

    from alerts.compose import compose
    from alerts.context import Context
    from alerts.delivery import route
    from alerts.language import speech
    from alerts.notice import Audience, Notice, NoticeKey, Planned, Step
    from alerts.parcel import Parcel
    from monitor.clock import SystemClock
    from monitor.core.ids import IncidentId

    asked = replace(contact, order=(channel,)) if channel else contact
    way = route(asked, inventory.channels, ())
    if way is None:
        ways = ", ".join(name for name in contact.addresses if name in inventory.channels) or "-"
        raise Failure(
            say("no such channel leads to {name}; there are: {channels}", name=contact.id, channels=ways)
            if channel
            else say("no channel leads to {name}: give an address for one of the channels", name=contact.id)
        )
    name, address = way
    now = SystemClock().now()
    site, language = inventory.site, contact.language or inventory.site.language
    key = NoticeKey(IncidentId("test"), Audience.INTERNAL, Step.TEST, int(now.timestamp()) + n, contact.id)
    message = compose(Planned(key, now), None, Context(site.name, speech(language, site.timezone), now, channel=name))
    notice = Notice(key, now, now, key.message_id(site.name), message, name, address, language)
    return Parcel(notice, inventory.channels[name], contact.name, site.name)


def _sent(end: Sounding) -> Text:
    return say(
        "Sent to {name} by {channel} ({address}): {answer}",
        name=end.parcel.recipient_name,
        channel=end.parcel.notice.channel,
        address=end.parcel.notice.address,
        answer=end.answer,
    )


def _told(end: Sounding, speech: Speech) -> Text:
    """One channel's line: how far the message came, with the moments to the second, and in whose words."""
    from alerts.canary import Fate
    from monitor.cli.shown import clock_with_seconds

    def clock(at: datetime) -> str:
        return clock_with_seconds(at.isoformat(), speech, at)

    values: dict[str, str | Text] = {
        "channel": end.parcel.notice.channel,
        "name": end.parcel.notice.key.recipient,
        "queued": clock(end.parcel.notice.created_at),
        "sent": clock(end.sent_at),
        "answer": end.answer,
    }
    if end.accepted_at is not None:
        at = clock(end.accepted_at)
        return say(
            "{channel} to {name}: queued {queued}, sent {sent}, accepted {accepted}: {answer}", **values, accepted=at
        )
    if end.fate is Fate.LATE:
        return say("{channel} to {name}: queued {queued}, sent {sent}, NO ANSWER: {answer}", **values)
    return say("{channel} to {name}: queued {queued}, sent {sent}, REFUSED: {answer}", **values)


def _as_json(end: Sounding, speech: Speech) -> dict[str, object]:
    notice = end.parcel.notice
    return {
        "contact": notice.key.recipient,
        "channel": notice.channel,
        "address": notice.address,
        "accepted": end.accepted_at is not None,
        "answer": speech.render(end.answer),
        "message_id": f"<{notice.message_id}>",
    }


def _canary_json(end: Sounding, speech: Speech) -> dict[str, object]:
    from monitor.web.views import when

    return {
        **_as_json(end, speech),
        "state": end.fate.value,
        "queued_at": when(end.parcel.notice.created_at),
        "sent_at": when(end.sent_at),
        "accepted_at": when(end.accepted_at),
    }


def _nobody_json(channel: str) -> dict[str, object]:
    return {"channel": channel, "contact": None, "accepted": False, "state": "nobody"}
