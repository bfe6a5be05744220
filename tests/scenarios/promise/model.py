"""The contract's clock (S15 to S18) stated a second time, as it reads, by what happens: it knows nothing of `due`.

Where the product asks of each incident which messages should exist and do not, this writes each down when its reason
comes up. It is told what was seen, what people did and when somebody looked at the clock, with the hour and whether the
hour can be trusted; it says which messages there must be, what became of each, when it was due and what it made good.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.scenarios.promise.agreed import ALL, CRITICAL, OK, RANK, WARNING, Fate, Owed, Row, Rules, Soft, Story

RELAPSE_WITHIN = timedelta(minutes=15)
FORGOTTEN_AFTER = timedelta(hours=24)
"""An incident that is over is then left alone."""
TO_DIAL_IN = timedelta(minutes=10)
CALL_BEGINS_LATE = timedelta(minutes=1)
"""What changed just before the call is still said so soon after it."""
END_SAYS_IT = timedelta(seconds=5)
"""An end so soon after the minute of an update is the update."""


@dataclass(slots=True)
class Model:
    """All that must have been told. `confirm`: how many bad looks it takes to believe each check."""

    rules: Rules
    confirm: dict[str, int]
    client: dict[str, bool]
    rows: dict[str, Row] = field(default_factory=dict)
    stories: list[Story] = field(default_factory=list)
    looks: dict[str, Soft] = field(default_factory=dict)
    kept: dict[str, Soft] = field(default_factory=dict)
    number: int = 0

    # --- what happens ---------------------------------------------------------------------------------------------

    def seen(self, check: str, severity: str, now: datetime, *, certain: bool) -> None:
        """Somebody looked at `check`."""
        look = self.looks.setdefault(check, Soft())
        story = next((one for one in self.stories if one.check == check and one.ended is None), None)
        if severity == OK:
            self.looks[check] = Soft()
            if story is not None:
                self._end(story, now, certain=certain)
            return
        first = now if look.first is None else look.first
        look = self.looks[check] = Soft(look.bad + 1, first, look.believed or look.bad + 1 >= self.confirm[check])
        if not look.believed:
            return
        if story is None:
            self._fail(check, severity, first, now)
        elif severity != story.severity:
            self._change(story, severity, now)
        else:
            return  # it goes on: nothing happened
        self._of(check, now, certain=certain)

    def opened_by_hand(self, now: datetime, *, certain: bool) -> None:
        """Somebody reports an interruption that no check sees."""
        story = self._new("", CRITICAL, now, client=True)
        self._interrupt(story, now, now)
        self._look(story, now, certain=certain)

    def closed_by_hand(self, name: str, now: datetime, *, certain: bool) -> None:
        """Somebody ends what was opened by hand."""
        self._end(self._named(name), now, certain=certain)

    def taken_charge(self, name: str, length: timedelta | None, now: datetime, *, certain: bool) -> None:
        """Somebody is on it, for `length` or to the end."""
        story = self._named(name)
        story.in_charge_for = story.severity
        story.in_charge_until = None if length is None else now + length
        self._look(story, now, certain=certain)

    def written_to(self, name: str, now: datetime, *, certain: bool) -> None:
        """Somebody adds a note."""
        self._look(self._named(name), now, certain=certain)

    def explained(self, name: str, cause: str, now: datetime, *, certain: bool) -> None:
        """Somebody says what the cause is."""
        story = self._named(name)
        if cause != story.cause:
            story.news.append(now)
        story.cause = cause
        self._look(story, now, certain=certain)

    def rewritten(self, rules: Rules) -> None:
        """The inventory is another from now on; what goes on keeps the protocol it began under."""
        self.rules = rules

    def looked_at_the_clock(self, now: datetime, *, certain: bool) -> None:
        """Somebody asks what the hour makes due, as after a start."""
        for story in self.stories:
            self._look(story, now, certain=certain)

    def time_passed(self, now: datetime, *, certain: bool) -> None:
        """The same, in the ordinary run of things: who was on it for a time may not be any more."""
        self.stories = [one for one in self.stories if one.ended is None or now - one.ended <= FORGOTTEN_AFTER]
        for story in self.stories:
            until = story.in_charge_until
            if story.ended is None and until is not None and until <= now:
                story.in_charge_for, story.in_charge_until = "", None
                story.lapses += 1
                self._ours(story, "unacknowledged", story.lapses, now + story.rules.within, now)
        self.looked_at_the_clock(now, certain=certain)

    def on_disk(self, checks: tuple[str, ...]) -> None:
        """What was seen of these is written."""
        for check in checks:
            self.kept[check] = self.looks.get(check, Soft())

    def struck_dead(self) -> None:
        """What was seen and not written is lost."""
        self.looks = dict(self.kept)

    # --- what follows from it -------------------------------------------------------------------------------------

    def _new(self, check: str, severity: str, now: datetime, *, client: bool) -> Story:
        self.number += 1
        name = f"{now.year % 100:02}-{self.number:04}"
        story = Story(name, check, client, self.rules, severity, severity, now)
        self.stories.append(story)
        self._ours(story, "first_notice", 1, now + story.rules.within, now)
        return story

    def _fail(self, check: str, severity: str, first: datetime, now: datetime) -> None:
        lately = next((one for one in reversed(self.stories) if one.check == check), None)
        if lately is None or lately.ended is None or now - lately.ended > RELAPSE_WITHIN:
            story = self._new(check, severity, now, client=self.client[check])
        else:
            story = lately
            self._relapse(story, severity, first, now)
        if story.client and severity == CRITICAL:
            self._interrupt(story, first, now)

    def _relapse(self, story: Story, severity: str, first: datetime, now: datetime) -> None:
        until = story.in_charge_until
        if severity != WARNING or (until is not None and until <= now):
            story.in_charge_for, story.in_charge_until = "", None
        story.episode += 1
        story.episode_at, story.ended, story.told_from, story.owed = now, None, None, []
        if RANK[severity] > RANK[story.worst]:
            story.worsened_at, story.worst = first, severity
            story.news.append(now)
        story.severity = severity
        self._ours(story, "first_notice", story.episode, now + story.rules.within, now)

    def _change(self, story: Story, severity: str, now: datetime) -> None:
        if story.in_charge_for and RANK[severity] > RANK[story.in_charge_for]:
            story.in_charge_for, story.in_charge_until = "", None
        story.severity = severity
        if RANK[severity] > RANK[story.worst]:
            story.worst, story.worsened_at = severity, now
            story.news.append(now)
            story.worsenings += 1
            self._ours(story, "worsened", story.worsenings, now + story.rules.within, now)
        if story.client and severity == CRITICAL and story.told_from is None:
            self._interrupt(story, now, now)

    def _interrupt(self, story: Story, first: datetime, now: datetime) -> None:
        """The client's service is interrupted, as is known `now`; it has been since `first`."""
        story.since = story.since or first
        story.told_from = now
        story.in_charge_for, story.in_charge_until = "", None
        if now not in (story.episode_at, story.worsened_at):
            self._ours(story, "disrupted", story.episode, now + story.rules.within, now)
        self._theirs(story, "first_notice", story.episode, now + story.rules.within, now, story.rules.first_to)

    def _end(self, story: Story, now: datetime, *, certain: bool) -> None:
        story.ended = now
        story.in_charge_for = ""
        self._ours(story, "resolved", story.episode, now, now)
        if story.told_from is None:
            return
        rules = story.rules
        missed = self._slots(story, now - min(END_SAYS_IT, (rules.every or END_SAYS_IT) / 10))
        unsaid = self._reports(story, now - min(END_SAYS_IT, (rules.reports_every or END_SAYS_IT) / 10))
        readers = {name for name in rules.resolved_to if name != ALL}
        if ALL in rules.resolved_to:
            readers |= self._told(story) | set(rules.first_to)
            readers |= set(rules.update_to) if missed or self._was(story, "update") else set()
            readers |= set(rules.reports_to) if unsaid or self._was(story, "crisis_report") else set()
            readers |= set(rules.call_to) if self._call_was_due(story, now) else set()
        self._call_off(story, now)
        story.owed = [("client", "update", n, at, rules.update_to) for n, at in missed]
        story.owed += [one for n, at in unsaid for one in self._report(story, n, at)]
        story.owed += self._left_out(story, now)
        gap, reports = tuple(at for _, at in missed), tuple(at for _, at in unsaid)
        self._theirs(story, "resolved", story.episode, now, now, tuple(readers), gap, reports)
        self._look(story, now, certain=certain)

    def _call_was_due(self, story: Story, now: datetime) -> bool:
        call = self._call_at(story)
        return call is not None and call <= now

    def _call_off(self, story: Story, now: datetime) -> None:
        """Tell whoever was invited and has not dialled in yet that there is no call."""
        call, n = self._call_at(story), story.episode
        if call is None or not self._was(story, "conference", n) or now >= self._dialled_in_at(story, call):
            return
        self._theirs(story, "conference_cancelled", n, now, now, story.rules.call_to)
        self._ours(story, "conference_cancelled", n, now, now)

    def _left_out(self, story: Story, now: datetime) -> list[Owed]:
        """What was due once in this episode before it ended and was never said."""
        rules, cell = story.rules, self._cell_at(story)
        due = [("internal", step, at, rules.operations) for step, at in self._long(story)]
        call = self._call_at(story)
        if call is not None:
            due += [("client", "conference", call, rules.call_to), ("internal", "conference", call, rules.operations)]
        if cell is not None:
            due.append(("internal", "crisis_opened", cell, rules.operations))
        return [
            (audience, step, story.episode, at, to)
            for audience, step, at, to in due
            if at <= now and not self._was(story, step, story.episode)
        ]

    def _look(self, story: Story, now: datetime, *, certain: bool) -> None:
        """Write what only the hour makes due; none of it while nobody knows what o'clock it is."""
        self._revise(story, now)
        if not certain:
            return
        for audience, step, n, at, to in story.owed:
            self._say(story, audience, step, n, at, now, to, missed=True)
        story.owed = []
        if story.ended is not None or story.told_from is None:
            return
        *missed, last = [*self._slots(story, now), None]
        if missed:
            *missed, last = missed
        for n, at in missed:
            self._say(story, "client", "update", n, at, now, story.rules.update_to, missed=True)
        if last is not None:
            story.slot, at = last
            gap = tuple(moment for _, moment in missed)
            self._theirs(story, "update", story.slot, at, now, story.rules.update_to, gap)
        call = self._call_at(story)
        if call is not None and call <= now and not self._was(story, "conference", story.episode):
            self._theirs(story, "conference", story.episode, call, now, story.rules.call_to)
            self._ours(story, "conference", story.episode, call, now)
        for step, at in self._long(story):
            if at <= now and not self._was(story, step, story.episode):
                self._ours(story, step, story.episode, at, now)
        self._meet(story, now)

    def _meet(self, story: Story, now: datetime) -> None:
        """Call for the crisis cell, and let it report."""
        cell = self._cell_at(story)
        if cell is None or cell > now:
            return
        if not self._was(story, "crisis_opened", story.episode):
            self._ours(story, "crisis_opened", story.episode, cell, now)
        unsaid = self._reports(story, now)
        for n, at in unsaid:
            late = (n, at) != unsaid[-1]
            stands_for = () if late else tuple(moment for _, moment in unsaid[:-1])
            for audience, step, number, due, to in self._report(story, n, at):
                self._say(story, audience, step, number, due, now, to, (), stands_for, missed=late)

    def _report(self, story: Story, n: int, at: datetime) -> list[Owed]:
        """A report: to the client, and to ours, who read all of the first one in the call for the cell."""
        theirs = ("client", "crisis_report", n, at, story.rules.reports_to)
        ours = ("internal", "crisis_report", n, at, story.rules.operations)
        return [theirs] if at == self._cell_at(story) else [theirs, ours]

    def _reports(self, story: Story, until: datetime) -> list[tuple[int, datetime]]:
        """The minutes of the cell's grid since it opened, up to `until`, and not spoken of."""
        every, since, cell = story.rules.reports_every, story.since, self._cell_at(story)
        if every is None or since is None or cell is None:
            return []
        found, n, at = [], 1, since + every
        while at <= until:
            if at >= cell and n > story.reported:
                found.append((n, at))
            n, at = n + 1, at + every
        return found

    def _cell_at(self, story: Story) -> datetime | None:
        """With the conference, or where there is none, with the first minute of the cell's reports."""
        after = story.rules.call_after or story.rules.reports_every
        if after is None or story.since is None or story.told_from is None:
            return None
        return max(story.since + after, story.told_from)

    def _revise(self, story: Story, now: datetime) -> None:
        """Say to whoever was invited what has changed since the call was due, as long as nobody has dialled in yet."""
        call = self._call_at(story)
        if story.ended is not None or call is None or not self._was(story, "conference", story.episode):
            return
        dialled_in_at = self._dialled_in_at(story, call)
        if now >= dialled_in_at + CALL_BEGINS_LATE or not any(call < at < dialled_in_at for at in story.news[-1:]):
            return
        n, at = len(story.news), story.news[-1]
        if not self._was(story, "conference_updated", n):
            self._theirs(story, "conference_updated", n, at, now, story.rules.call_to)
            self._ours(story, "conference_updated", n, at, now)

    @staticmethod
    def _dialled_in_at(story: Story, call: datetime) -> datetime:
        return call + min(TO_DIAL_IN, (story.rules.call_after or TO_DIAL_IN) / 6)

    def _slots(self, story: Story, until: datetime) -> list[tuple[int, datetime]]:
        """The minutes of the grid that came since the client was told, up to `until`, and were not spoken of."""
        every, since, told_from = story.rules.every, story.since, story.told_from
        if every is None or since is None or told_from is None:
            return []
        found, n, at = [], 1, since + every
        while at <= until:
            if at > told_from and n > story.slot:
                found.append((n, at))
            n, at = n + 1, at + every
        return found

    def _call_at(self, story: Story) -> datetime | None:
        after = story.rules.call_after
        if after is None or story.since is None or story.told_from is None:
            return None
        return max(story.since + after, story.told_from)

    def _long(self, story: Story) -> list[tuple[str, datetime]]:
        if story.since is None or story.told_from is None:
            return []
        length = story.rules.long_after
        return [
            ("long_soon", max(story.since + length * 5 / 6, story.told_from)),
            ("long", max(story.since + length, story.told_from)),
        ]

    # --- the messages ---------------------------------------------------------------------------------------------

    def _ours(self, story: Story, step: str, n: int, due: datetime, now: datetime) -> None:
        self._say(story, "internal", step, n, due, now, story.rules.operations)

    def _theirs(
        self,
        story: Story,
        step: str,
        n: int,
        due: datetime,
        now: datetime,
        to: tuple[str, ...],
        gap: tuple[datetime, ...] = (),
        reports: tuple[datetime, ...] = (),
    ) -> None:
        self._say(story, "client", step, n, due, now, to, gap, reports)

    def _say(
        self,
        story: Story,
        audience: str,
        step: str,
        n: int,
        due: datetime,
        now: datetime,
        to: tuple[str, ...],
        gap: tuple[datetime, ...] = (),
        reports: tuple[datetime, ...] = (),
        *,
        missed: bool = False,
    ) -> None:
        rehearsal = audience == "client" and not story.rules.live
        for name in story.rules.operations if rehearsal and to else to:
            key = f"{story.name}/{audience}/{step}/{n}/{name}"
            if key in self.rows:
                raise AssertionError(f"{key} is to be told twice")
            fate = Fate.MISSED if missed else Fate.TOLD if name in self.rules.contacts else Fate.UNDELIVERABLE
            named = gap if rehearsal or name in story.rules.update_to else ()
            readers = (*story.rules.reports_to, *story.rules.operations)
            self.rows[key] = Row(fate, due, named, reports if rehearsal or name in readers else (), now)
            if step == "update":
                story.slot = max(story.slot, n)
            elif step == "crisis_report":
                story.reported = max(story.reported, n)

    def _of(self, check: str, now: datetime, *, certain: bool) -> None:
        for story in self.stories:
            if story.check == check and story.ended is None:
                self._look(story, now, certain=certain)

    def _named(self, name: str) -> Story:
        return next(one for one in self.stories if one.name == name)

    def _keys(self, story: Story) -> list[list[str]]:
        return [key.split("/") for key in self.rows if key.startswith(f"{story.name}/")]

    def _was(self, story: Story, step: str, n: int | None = None) -> bool:
        return any(key[2] == step and n in (None, int(key[3])) for key in self._keys(story))

    def _told(self, story: Story) -> set[str]:
        """The client's people who were told of it; in a rehearsal none of them was."""
        return {key[4] for key in self._keys(story) if key[1] == "client"} if story.rules.live else set()
