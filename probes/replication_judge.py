"""What a database and its copy mean as they were seen. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from monitor.core.ids import NodeId
from monitor.core.text import Quantity, Text, say, verbatim
from monitor.core.verdict import Metric, Severity, Verdict, worst
from probes.params import Params
from probes.phrases import joined
from probes.replication_seen import (
    WAITS,
    Behind,
    Pair,
    Role,
    Server,
    Silent,
    Stream,
    behind,
    position,
    stream_of,
    sync_of,
    whole_until,
)

Finding = tuple[Severity, Text]


@dataclass(frozen=True, slots=True)
class Asked:
    """What the check wants of it: the thresholds in `params`, which copy is meant, whether commits should wait."""

    params: Params
    application: str | None = None
    synchronous: bool = False


def verdict(pair: Pair, asked: Asked) -> Verdict:
    """Return what was seen as a verdict, the worst finding first."""
    if not pair.servers:
        return Verdict(Severity.UNKNOWN, joined([one.why for one in pair.silent]))
    broken = _broken(pair)
    if broken is not None:
        return Verdict(Severity.CRITICAL, broken, facts=_facts(pair))
    primary = pair.of(Role.PRIMARY)
    if primary is None:
        return _without_primary(pair, asked)
    return _of_copy(primary, pair, asked)


def _broken(pair: Pair) -> Text | None:
    """Return what is wrong with the two, whatever the lag; None where one is active and the other its copy."""
    servers = pair.servers
    if len(servers) < 2:
        return None
    one, other = servers
    if one.role is other.role:
        return (two_active if one.role is Role.PRIMARY else no_active)(one.name, other.name)
    if one.system != other.system:
        return say(
            "{one} and {other} are two different databases, neither a copy of the other", one=one.name, other=other.name
        )
    return None


def two_active(one: NodeId, other: NodeId) -> Text:
    """Return that both take writes: the worst that can be."""
    return say(
        "two active databases: {one} and {other} both take writes, and what each takes is lacking in the other. Stop "
        "the one that must not, at once",
        one=one,
        other=other,
    )


def no_active(one: NodeId, other: NodeId) -> Text:
    """Return that neither takes writes."""
    return say(
        "no active database: {one} and {other} are both standbys, and nothing can be written", one=one, other=other
    )


def _without_primary(pair: Pair, asked: Asked) -> Verdict:
    """Only a standby answered: until when it has everything is known, and not what it lacks."""
    (standby,) = pair.servers
    text = say("nobody knows what {standby} lacks", standby=standby.name)
    if pair.silent:
        text = say("nobody knows what {standby} lacks: {why}", standby=standby.name, why=pair.silent[0].why)
    elif pair.standby is None:
        text = say(
            "{standby} is a standby, and its primary was not asked: the check names no other server",
            standby=standby.name,
        )
    metrics: tuple[Metric, ...] = ()
    until = whole_until(standby, pair.trail)
    if until is not None:
        age = max(timedelta(0), standby.at - until)
        metrics = (asked.params.metric("age", age.total_seconds(), "s", minimum=0),)
        text = say("{text}. It has all that was written until {age} ago", text=text, age=age)
    severity = worst([Severity.UNKNOWN, *(metric.severity for metric in metrics)])
    return Verdict(severity, text, metrics, _facts(pair))


def _of_copy(primary: Server, pair: Pair, asked: Asked) -> Verdict:
    standby = pair.of(Role.STANDBY)
    stream = stream_of(primary, pair.address, asked.application)
    copy = position(standby, stream, pair.trail)
    lost = behind(primary, copy.received, copy, pair)
    unread = behind(primary, copy.replayed, copy, pair)
    metrics = _metrics(lost, unread, asked)
    found = _findings(primary, standby, stream, pair, asked)
    found.append((worst(metric.severity for metric in metrics), _said(primary, _name(pair, primary), lost, unread)))
    found.sort(key=lambda finding: finding[0], reverse=True)
    facts = {**_facts(pair), "sync": sync_of(primary, stream)}
    if stream is not None and stream.state:
        facts["state"] = stream.state
    return Verdict(worst(severity for severity, _ in found), joined([text for _, text in found]), metrics, facts)


def _findings(
    primary: Server, standby: Server | None, stream: Stream | None, pair: Pair, asked: Asked
) -> list[Finding]:
    found: list[Finding] = []
    name = _name(pair, primary)
    if any(one.state is None for one in primary.streams):
        hint = say("GRANT pg_monitor TO the user of Relève")
        text = say("{primary} does not show its copies to this user. {hint}", primary=primary.name, hint=hint)
        found.append((Severity.UNKNOWN, text))
    elif stream is None and (standby is None or not standby.receiving):
        text = say("{copy} is not connected to {primary}: nothing is copied", copy=name, primary=primary.name)
        found.append((Severity.CRITICAL, text))
    elif asked.synchronous and (sync := sync_of(primary, stream)) not in WAITS:
        text = say("no commit waits for {copy} ({sync}): what is lost is lost", copy=name, sync=sync)
        found.append((Severity.WARNING, text))
    if standby is not None and standby.paused:
        text = say(
            "replay is paused on {copy}: it would take over only after it has caught up (pg_wal_replay_resume())",
            copy=name,
        )
        found.append((Severity.WARNING, text))
    found += [(Severity.WARNING, one.why) for one in pair.silent]
    return found


def _name(pair: Pair, primary: Server) -> Text:
    """Return how the copy is called: by its name in the inventory, where it has one."""
    other = next((one.name for one in pair.each if one.name != primary.name), None)
    return say("the copy") if other is None else verbatim(str(other))


def _said(primary: Server, name: Text, lost: Behind | None, unread: Behind | None) -> Text:
    """Return how far the copy is behind, in a sentence."""
    where: dict[str, Text | str] = {"copy": name, "primary": str(primary.name)}
    if lost is None:
        return say("nobody knows how far {copy} is behind {primary}", **where)
    size = Quantity(lost.size, "By")
    if lost.size <= 0:
        text = say("{copy} has all that {primary} has", **where)
    elif lost.lag is None:
        text = say("{copy} lacks {size} of {primary}, and nobody knows since when", size=size, **where)
    else:
        text = say("{copy} is {lag} behind {primary}: it lacks {size}", lag=lost.lag, size=size, **where)
    if unread is not None and unread.size > lost.size:
        waiting = Quantity(unread.size - lost.size, "By")
        text = say("{text}; {waiting} wait there to be replayed", text=text, waiting=waiting)
    return text


def _metrics(lost: Behind | None, unread: Behind | None, asked: Asked) -> tuple[Metric, ...]:
    found: list[Metric] = []
    for lag, size, one in (("lag", "behind", lost), ("replay_lag", "replay_behind", unread)):
        if one is None:
            continue
        if one.lag is not None:
            found.append(asked.params.metric(lag, one.lag.total_seconds(), "s", first=lag == "lag", minimum=0))
        found.append(asked.params.metric(size, float(one.size), "By", minimum=0))
    return tuple(found)


def _facts(pair: Pair) -> dict[str, str]:
    """Return the role and the timeline of each, that of the check's own device without its name."""
    found: dict[str, str] = {}
    for one in pair.each:
        found[f"role.{one.name}"] = "unknown" if isinstance(one, Silent) else one.role.value
        if isinstance(one, Server):
            found[f"timeline.{one.name}"] = str(one.timeline)
    found["role"] = found[f"role.{pair.device.name}"]
    timelines = [one.timeline for one in pair.servers]
    if timelines:
        found["timeline"] = str(max(timelines))
    return found
