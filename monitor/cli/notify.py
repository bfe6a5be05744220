"""`releve notify`: can a contact be reached? One real message says so, and what the server answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from monitor.cli.context import ExitCode, Failure, Settings, emit_json, pass_settings, warn
from monitor.core.text import N_, Text, say

if TYPE_CHECKING:
    from alerts.notice import Notice
    from alerts.parcel import Parcel, TransportError
    from alerts.protocol import Contact
    from monitor.inventory.model import Inventory


@click.group(help=N_("Send one real message to a contact, as a test."))
def notify() -> None:
    """Group the commands about messages."""


@notify.command(help=N_("Send one real message to CONTACT and say what the server answered."))
@click.argument("contact", metavar="CONTACT")
@click.option("--channel", default="", metavar="NAME", help=N_("By this channel; default: the contact's first."))
@click.option("--json", "as_json", is_flag=True, help=N_("Answer in JSON."))
@pass_settings
def test(settings: Settings, contact: str, channel: str, as_json: bool) -> int:
    """Send one message now, from this process: the daemon's outbox and log know nothing of it."""
    from alerts.delivery import deliver
    from alerts.parcel import TransportError
    from monitor.cli.reading import inventory_of

    inventory = inventory_of(settings)
    parcel = _parcel(inventory, _contact(inventory, contact), channel)
    error: TransportError | None = None
    answer = ""
    try:
        answer = deliver(parcel).answer
    except TransportError as failure:
        error = failure
    speech = settings.speech(inventory.site.language, inventory.site.timezone)
    text = _sent(parcel, answer) if error is None else error.text
    if as_json:
        emit_json(_as_json(parcel.notice, answer if error is None else speech.render(text), accepted=error is None))
    elif error is None:
        click.echo(speech.render(text))
    else:
        warn(speech.render(say("Not sent to {name}: {why}", name=parcel.recipient_name, why=text)))
    if error is None:
        return ExitCode.DONE
    return ExitCode.CANNOT if error.ours else ExitCode.WRONG


def _contact(inventory: Inventory, name: str) -> Contact:
    found = inventory.contacts.get(name)
    if found is None:
        known = ", ".join(inventory.contacts) or "-"
        raise Failure(say("the inventory has no contact {name}; there are: {known}", name=name, known=known))
    return found


def _parcel(inventory: Inventory, contact: Contact, channel: str) -> Parcel:
    """The test message as the daemon would write it, on its way by `channel` or by the contact's first one."""
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
    key = NoticeKey(IncidentId("test"), Audience.INTERNAL, Step.TEST, int(now.timestamp()), contact.id)
    message = compose(Planned(key, now), None, Context(site.name, speech(language, site.timezone), now, channel=name))
    notice = Notice(key, now, now, key.message_id(site.name), message, name, address, language)
    return Parcel(notice, inventory.channels[name], contact.name, site.name)


def _sent(parcel: Parcel, answer: str) -> Text:
    return say(
        "Sent to {name} by {channel} ({address}): {answer}",
        name=parcel.recipient_name,
        channel=parcel.notice.channel,
        address=parcel.notice.address,
        answer=answer,
    )


def _as_json(notice: Notice, answer: str, *, accepted: bool) -> dict[str, object]:
    return {
        "contact": notice.key.recipient,
        "channel": notice.channel,
        "address": notice.address,
        "accepted": accepted,
        "answer": answer,
        "message_id": f"<{notice.message_id}>",
    }
