"""How a document is written for one reader: words, moments of the site, names, and what nobody documented."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.context import Context, person
from alerts.wording import wording
from monitor.core.events import RELEVE
from monitor.core.text import Quantity, Speech, Text, say
from monitor.reports.document import Paragraph, Tone, Words, printable
from monitor.reports.material import Material

SELF = "Relève"
LONGEST_NAME = 60
"""Characters of a name: of a contact, a check, a channel, a metric, the site."""
LONGEST_UNIT = 12
MOST_NAMES = 12
"""Names in one sentence; beyond that they are counted."""


@dataclass(frozen=True, slots=True)
class Pen:
    """Writes about `material` in the words of `context`, whose present day is the day on which the incident began."""

    material: Material
    context: Context

    def t(self, text: Text | str) -> str:
        """Return `text` in the reader's words; what is no `Text` is nobody's language."""
        return text if isinstance(text, str) else self.context.t(text)

    def w(self, text: Text | str, tone: Tone = Tone.PLAIN) -> Words:
        """Return `text` as a part of the document; what is empty was not documented."""
        words = self.t(text)
        return Words(words, tone) if words.strip() else self.gap()

    def gap(self, text: Text | None = None) -> Words:
        """Return what stands where nobody documented anything; `text` says it more exactly."""
        return Words(self.t(text if text is not None else say("not documented")), Tone.GAP)

    def paragraph(self, text: Text | str, tone: Tone = Tone.PLAIN) -> Paragraph:
        """Return `text` as a paragraph."""
        return Paragraph(self.w(text, tone))

    def at(self, moment: datetime) -> str:
        """Return a moment with the zone's name, the day before it unless the incident began on it."""
        return self.context.at(moment)

    def exact(self, moment: datetime | None) -> Words:
        """Return a moment to the second, for tables that say in their head whose time it is."""
        if moment is None:
            return self.gap()
        speech = self.context.speech
        clock = moment.astimezone(speech.zone).strftime("%H:%M:%S")
        same = speech.date(moment) == speech.date(self.context.now)
        return Words(clock if same else f"{speech.date(moment)} {clock}")

    def span(self, length: timedelta) -> str:
        """Return a length of time in words."""
        return self.context.span(length)

    def quantity(self, value: float, unit: str, digits: int = 1) -> str:
        """Return a figure with its unit."""
        return self.context.speech.quantity(Quantity(value, printable(unit, LONGEST_UNIT), digits))

    def who(self, actor: str) -> str:
        """Return who acted: Relève itself, or the name of the account."""
        return SELF if actor in (RELEVE, "") else self.name(person(actor, self.material.people))

    def name(self, name: str) -> str:
        """Return a name of fair length, whoever gave it."""
        return printable(name, LONGEST_NAME)

    def contact(self, name: str) -> str:
        """Return what a contact is called."""
        return self.name(self.material.people.get(name, name))

    def names(self, names: tuple[str, ...]) -> str:
        """Return names in one sentence, beyond `MOST_NAMES` with how many more there are."""
        shown = ", ".join(self.name(name) for name in names[:MOST_NAMES])
        more = len(names) - MOST_NAMES
        return shown if more <= 0 else self.t(say("{names} and {count} more", names=shown, count=more))

    @property
    def title(self) -> str:
        """What the incident's kind is called: by the inventory, else by us."""
        kind, language = self.material.kind, self.context.speech.language
        own = "" if kind is None else kind.titles.get(language) or next(iter(kind.titles.values()), "")
        return self.context.line(own or self.t(wording(self.material.incident.kind).title))

    @property
    def usual_cause(self) -> str:
        """What usually causes this kind: by the inventory, else by us; empty where nobody says."""
        kind, language = self.material.kind, self.context.speech.language
        own = "" if kind is None else kind.causes.get(language) or next(iter(kind.causes.values()), "")
        return own or self.t(wording(self.material.incident.kind).cause)

    @property
    def zone(self) -> str:
        """Whose time the document's times are: `heure de Douala`."""
        began = self.context.now
        return self.context.at(began).removeprefix(self.context.day_and_clock(began)).lstrip(" ,")

    @property
    def zone_head(self) -> str:
        """The same as the head of a column: `Heure de Douala`."""
        return self.zone[:1].upper() + self.zone[1:]


def pen_for(material: Material, speech: Speech) -> Pen:
    """Return what writes about `material` for a reader spoken to by `speech`."""
    now = material.incident.began_at
    return Pen(material, Context(material.site, speech, now, people=material.people))
