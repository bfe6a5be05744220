"""The site's own words around what Relève says: a template is text with named values, and nothing in it is executed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from string import Formatter

from alerts.notice import Audience, Step

WHAT, IMPACT, NEXT = "what", "impact", "next"
FIRST_THREE = (WHAT, IMPACT, NEXT)
"""What the first three lines of every message say, in this order."""
REFERENCE = "reference"
VARIABLES = (*FIRST_THREE, REFERENCE, "title", "site", "cause", "began", "duration")
"""The names that a template may hold: see `worded` for what each stands for."""

NEVER_READ: Mapping[Audience, frozenset[Step]] = {
    Audience.CLIENT: frozenset(
        {
            *(Step.WORSENED, Step.DISRUPTED, Step.FLAPPING, Step.UNACKNOWLEDGED, Step.PERSON_CALLED, Step.REMINDER),
            *(Step.RUNBOOK, Step.LONG_SOON, Step.LONG, Step.OVERRUN, Step.DRAFT, Step.CRISIS_OPENED, Step.ESCALATED),
        }
    ),
    Audience.INTERNAL: frozenset({Step.UPDATE}),
}
"""Steps that this reader is never told: words for them would be written for nobody."""


class Unbalanced(ValueError):
    """A template in which a brace stands alone, or holds something other than a name."""


@dataclass(frozen=True, slots=True)
class Template:
    """Words and the names of values between them: pairs of a text and the name that follows it, empty for none."""

    parts: tuple[tuple[str, str], ...]

    @property
    def names(self) -> frozenset[str]:
        """The names in it."""
        return frozenset(name for _, name in self.parts if name)

    def filled(self, values: Mapping[str, str]) -> str:
        """Return the words with `values` in the places of their names."""
        return "".join(text + (values[name] if name else "") for text, name in self.parts)


def template_of(text: str) -> Template:
    """Return `text` as a template: `{name}` is a value, `{{` a brace. Raises Unbalanced.

    A name is nothing but a name: no attribute, no index, no format is looked up, whatever is written in the braces.
    """
    try:
        parts = tuple(Formatter().parse(text))
    except ValueError as error:
        raise Unbalanced(str(error)) from error
    if any(name == "" or spec or conversion for _, name, spec, conversion in parts):
        raise Unbalanced(text)
    return Template(tuple((literal, name or "") for literal, name, _, _ in parts))


@dataclass(frozen=True, slots=True)
class OwnWords:
    """What a site says otherwise in one kind of message, in one language; None and nothing leave ours.

    `opening`: templates of lines, of which the first three hold `{what}`, `{impact}` and `{next}`. `closing` stands
    below everything, `signature` above our own.
    """

    subject: Template | None = None
    opening: tuple[Template, ...] = ()
    closing: tuple[Template, ...] = ()
    signature: tuple[Template, ...] = ()


OURS = OwnWords()


@dataclass(frozen=True, slots=True)
class SiteWords:
    """All that a site says otherwise: by step, reader and language; the `signatures` of every message by language."""

    messages: Mapping[tuple[Step, Audience, str], OwnWords] = field(default_factory=dict)
    signatures: Mapping[str, tuple[Template, ...]] = field(default_factory=dict)

    def of(self, step: Step, audience: Audience, language: str) -> OwnWords:
        """Return what is said otherwise in such a message."""
        words = self.messages.get((step, audience, language), OURS)
        return replace(words, signature=self.signatures.get(language, ()))
