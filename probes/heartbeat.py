"""Does a job that runs where nobody looks report that it did its work: a backup at night, an export?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, ClassVar

from pydantic import Field

from monitor.core.text import N_, Text, say, verbatim
from monitor.core.verdict import Severity, Verdict
from probes.access import Hidden
from probes.beat import Job
from probes.contract import Io, ProbeFault, Target
from probes.params import Duration, Params


class HeartbeatParams(Params):
    """Keys of a `heartbeat` check."""

    within: Annotated[Duration, Field(gt=timedelta(0))] = Field(
        description=N_("the job reports at least this often, such as 26 h for one a night")
    )
    token: Hidden | None = Field(
        default=None, description=N_("what the job sends to be believed over the network: env:NAME or file:PATH")
    )


@dataclass(frozen=True, slots=True)
class HeartbeatSeen:
    """The job as it stood at `at` (UTC)."""

    job: Job
    at: datetime


class Heartbeat:
    """Looks at when the job last called `/heartbeat/NAME`, NAME being the check's, and at what it said."""

    kind: ClassVar[str] = "heartbeat"
    Params: ClassVar[type[HeartbeatParams]] = HeartbeatParams
    metrics: ClassVar[tuple[tuple[str, str], ...]] = (("age", "s"),)
    ways: ClassVar[tuple[str, ...]] = ()
    needs: ClassVar[Text] = say(
        "No permission. When its work is done, the job calls http://RELEVE:8321/heartbeat/NAME (the check's name) with "
        "the header Authorization: Bearer TOKEN; when it failed, it calls /heartbeat/NAME/fail. "
        "Relève listens for other machines with --listen."
    )

    async def observe(self, target: Target, params: HeartbeatParams, io: Io) -> HeartbeatSeen:
        """Ask what the daemon heard. Raises ProbeFault where no daemon has heard anything."""
        job = io.job()
        if job is None:
            raise ProbeFault(
                say("only the daemon knows whether the job has reported"),
                say("`releve run` starts it, `releve status` asks it"),
            )
        return HeartbeatSeen(job, io.clock.now())

    def judge(self, seen: HeartbeatSeen, params: HeartbeatParams) -> Verdict:
        """A failed or overdue job is CRITICAL; one that has never reported is OK until it should have."""
        last = seen.job.last
        if last is None:
            return _never(seen, params)
        since = max(timedelta(0), seen.at - last.at)
        age = params.metric("age", since.total_seconds(), "s", first=True, minimum=0)
        facts = {"reported_at": last.at.isoformat(timespec="seconds")}
        if not last.ok:
            failed = say("the job says that it failed, {age} ago", age=since)
            return Verdict(Severity.CRITICAL, _with_words(failed, last.text), (age,), facts)
        if since > params.within:
            late = say(
                "the job has not reported for {age}, since {time}; it should within {within}. See whether it runs and "
                "whether it reaches Relève",
                age=since, time=last.at, within=params.within,
            )  # fmt: skip
            return Verdict(Severity.CRITICAL, late, (age,), facts)
        done = say("the job reported {age} ago", age=since)
        return Verdict(age.severity, _with_words(done, last.text), (age,), facts)


def _never(seen: HeartbeatSeen, params: HeartbeatParams) -> Verdict:
    """Return what it means that the job never called; it is given as long as between two of its calls."""
    waited = max(timedelta(0), seen.at - seen.job.known_at)
    if waited <= params.within:
        text = say(
            "the job has never reported; it has {left} left. `releve probe show heartbeat` says how it does",
            left=params.within - waited,
        )
        return Verdict(Severity.OK, text)
    text = say(
        "the job has never reported, {waited} after Relève began to wait for it; it should within {within}. "
        "`releve probe show heartbeat` says how it does",
        waited=waited, within=params.within,
    )  # fmt: skip
    return Verdict(Severity.CRITICAL, text)


def _with_words(text: Text, words: str) -> Text:
    return say("{what}: {words}", what=text, words=verbatim(words)) if words else text
