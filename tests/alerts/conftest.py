"""Notices and parcels as the post hands them over."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from alerts.agreement import Channel
from alerts.notice import Audience, Message, Notice, NoticeKey, Step
from alerts.parcel import Parcel
from monitor.core.ids import IncidentId
from monitor.secret import Secret

AT = datetime(2026, 11, 22, 13, 5, 7, tzinfo=UTC)


@pytest.fixture
def parcel() -> Callable[..., Parcel]:
    """Return `parcel(url="", **fields of the notice)`: a notice about to leave by the channel of that URL."""

    def make(url: str = "", *, audit_head: str = "", unwritten: bool = False, **fields: object) -> Parcel:
        key = NoticeKey(IncidentId("26-0042"), Audience.INTERNAL, Step.UPDATE, 3, "awa")
        message = Message(
            "[Relève] 26-0042 Arrêt d’un service",
            "Première ligne\n.\n.point\nFin, 3,8\u202fMbit/s\n",
            "<html><body><p>Première ligne</p></body></html>",
            "Releve 26-0042 : arrêt",
        )
        given: dict[str, object] = {
            "key": key,
            "due_at": AT,
            "created_at": AT,
            "message_id": key.message_id("douala"),
            "message": message,
            "channel": "mail",
            "address": "awa@example.org",
            "language": "fr",
            "in_reply_to": key.thread_id("douala"),
        }
        notice = Notice(**(given | fields))  # type: ignore[arg-type]
        channel = Channel(notice.channel, Secret(url))
        return Parcel(notice, channel, "Awa Ndiaye", "Média Contact", audit_head, unwritten)

    return make
