"""What a channel is given to send, what it gives back, and how it says that it could not."""

from __future__ import annotations

from dataclasses import dataclass

from alerts.agreement import Channel
from alerts.notice import Audience, Notice
from monitor.core.text import Text


class TransportError(Exception):
    """The message was not accepted, or nobody can tell; `text` says why, without any secret.

    `permanent`: the same message to the same address will never be accepted. `ours`: the fault lies in our settings
    (log-in, certificate, sender, URL), not with the recipient; somebody will mend it, so it is worth waiting for.
    """

    def __init__(self, text: Text, *, permanent: bool = False, ours: bool = False) -> None:
        super().__init__(text.template)
        self.text, self.permanent, self.ours = text, permanent, ours


@dataclass(frozen=True, slots=True)
class Receipt:
    """The message was accepted; `answer` is the server's own word on it, without any secret."""

    answer: str


@dataclass(frozen=True, slots=True)
class Parcel:
    """A notice on its way out.

    `recipient_name`, `site_name`: for the address lines. `audit_head`: head of the audit chain, which every mail
    carries. `unwritten`: the state cannot be written, so it leaves from memory.
    """

    notice: Notice
    channel: Channel
    recipient_name: str = ""
    site_name: str = ""
    audit_head: str = ""
    unwritten: bool = False

    @property
    def warned(self) -> bool:
        """Whether the reader is told that Relève cannot write its state: our own people only."""
        return self.unwritten and self.notice.key.audience is Audience.INTERNAL
