"""A draft as the commands and the API give it."""

from __future__ import annotations

from typing import Any

from monitor.daemon.drafts import Preview
from monitor.web.views import when


def preview_json(preview: Preview) -> dict[str, Any]:
    """Return the next update as it stands: until when it can be changed, each reader's message.

    `words`, `by` and `at` are what a person gave for it, empty for nothing.
    """
    draft, slot = preview.draft, preview.slot
    return {
        "incident": preview.incident.id,
        "step": slot.step.value,
        "ready_at": when(slot.ready_at),
        "due_at": when(slot.due_at),
        "words": "" if draft is None else draft.words,
        "by": "" if draft is None else draft.actor,
        "at": None if draft is None else when(draft.at),
        "messages": [
            {
                "step": notice.key.step.value,
                "recipient": notice.key.recipient,
                "channel": notice.channel,
                "language": notice.language,
                "subject": notice.message.subject,
                "text": notice.message.text,
                "short": notice.message.short,
            }
            for notice in preview.notices
        ],
    }
