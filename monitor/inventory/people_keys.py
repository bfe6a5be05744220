"""What the inventory may hold of people: who they are, how they are reached, and who is told of what when."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model

from monitor.core.plan import REOPEN_WITHIN
from monitor.core.text import N_
from monitor.inventory.notation import Part, Span, Word
from monitor.inventory.service_keys import TimeOfDay
from probes.access import Hidden

Language = Literal["fr", "en"]


class ContactKeys(BaseModel):
    """Somebody to tell. Every further key is a channel with the address there: `mail:`, `sms:` ..."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, Word]

    name: Word | None = None
    language: Language | None = Field(default=None, description=N_("language of messages, where it is not the site's"))
    order: Annotated[list[Word], Field(min_length=1)] | None = Field(
        default=None, description=N_("channels in the order in which they are tried; as written, if absent")
    )


class ChannelKeys(Part):
    """A way to send messages."""

    url: Hidden = Field(description=N_("mailto(s)://user:pass@host:port, gammu:FOLDER, or any Apprise URL"))
    through: Word | None = Field(default=None, description=N_("while this link or device is down, start with the next"))


To = Annotated[list[Word], Field(min_length=1)]


class FirstNoticeKeys(Part):
    """The first mail to the client."""

    to: To
    within: Span = timedelta(seconds=30)


class UpdateKeys(Part):
    """The mails while it lasts, on the grid that starts with the interruption."""

    to: To
    every: Span = timedelta(minutes=60)
    draft: Span | None = Field(
        default=None, description=N_("operations are shown each update this long before it leaves; at most every / 6")
    )


class ConferenceKeys(Part):
    """The conference call (S17)."""

    to: To
    after: Span = timedelta(minutes=60)
    bridge: Word | None = None


class CrisisReportKeys(Part):
    """The crisis cell's report (S17)."""

    to: To
    every: Span = timedelta(minutes=60)


class ToKeys(Part):
    """Who is told."""

    to: To


class RungKeys(Part):
    """Who is told next when nobody says that they are on it."""

    after: Span = Field(description=N_("for how long nobody has, such as 10 min"))
    to: To


class _QuietKeys(Part):
    """Hours in which a warning wakes nobody."""

    to: TimeOfDay = Field(description=N_('to this time of day: "07:00"'))


QuietKeys: type[_QuietKeys] = create_model(  # `from` is a word of Python
    "QuietKeys",
    __base__=_QuietKeys,
    __doc__=_QuietKeys.__doc__,
    **{"from": (TimeOfDay, Field(description=N_('from this time of day, site time: "22:00"')))},  # type: ignore[call-overload]
)


class OperationsKeys(ToKeys):
    """Our own people: who is told of everything, and who when nobody answers."""

    escalation: Annotated[list[RungKeys], Field(min_length=1, max_length=10)] | None = Field(
        default=None, description=N_("who is told in turn while nobody says that they are on a critical incident")
    )
    quiet: QuietKeys | None = Field(  # type: ignore[valid-type]
        default=None, description=N_("hours in which a warning that interrupts nothing waits for their end")
    )


class ProtocolKeys(Part):
    """The client's protocol (S15 to S18)."""

    live: bool = Field(default=True, description=N_("false: what the client would get goes to operations"))
    first_notice: FirstNoticeKeys | None = None
    update: UpdateKeys | None = None
    conference: ConferenceKeys | None = None
    crisis_report: CrisisReportKeys | None = None
    resolved: ToKeys | None = None
    long_after: Span = timedelta(hours=6)
    reopen_within: Span = Field(
        default=REOPEN_WITHIN, description=N_("a relapse within this reopens the incident instead of a new one")
    )
