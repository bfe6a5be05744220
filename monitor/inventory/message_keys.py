"""The keys of the site's own words in messages (`messages:`)."""

from __future__ import annotations

from pydantic import Field, create_model

from alerts.notice import Step
from monitor.core.text import N_
from monitor.inventory.notation import Part, Words

STEPS = tuple(step for step in Step if step is not Step.TEST)


class OwnWordsKeys(Part):
    """What one kind of message says otherwise."""

    subject: Words | None = Field(default=None, description=N_("subject, with {reference}; a text, or one a language"))
    opening: Words | None = Field(
        default=None, description=N_("first lines: one with {what}, one with {impact}, one with {next}, then others")
    )
    closing: Words | None = Field(default=None, description=N_("lines below everything else"))


class ReadersKeys(Part):
    """The readers of one step."""

    client: OwnWordsKeys | None = Field(default=None, description=N_("as the client reads it"))
    internal: OwnWordsKeys | None = Field(default=None, description=N_("as operations read it"))


class _MessagesKeys(Part):
    """The site's own words in messages."""

    signature: Words | None = Field(
        default=None, description=N_("last lines of each message; a text, or one a language")
    )


MessagesKeys: type[_MessagesKeys] = create_model(
    "MessagesKeys",
    __base__=_MessagesKeys,
    __doc__=_MessagesKeys.__doc__,
    **{step.value: (ReadersKeys | None, None) for step in STEPS},  # type: ignore[call-overload]
)
