"""What an availability group and log shipping mean as they were seen. Pure."""

from __future__ import annotations

from datetime import timedelta

from monitor.core.text import Quantity, Text, say, verbatim
from monitor.core.verdict import Metric, Severity, Verdict, worst
from probes.mssql_seen import MOVING, Group, Member, Replica, S, Shipment, Shipping, Two, copy_of, lag_of
from probes.phrases import joined
from probes.replication_judge import Asked, Finding, no_active, two_active
from probes.replication_seen import Role, Silent


def group_verdict(group: Group, asked: Asked) -> Verdict:
    """Return how far the copy of the group is behind, and whether exactly one of the two is active."""
    servers, silent, facts = group.servers, group.silent, _facts(group)
    if not servers:
        return Verdict(Severity.UNKNOWN, joined([one.why for one in silent]), facts=facts)
    broken = _broken(group)
    if broken is not None:
        return Verdict(Severity.CRITICAL, broken, facts=facts)
    primary = next((one for one in servers if one.role is Role.PRIMARY), None)
    if primary is None or primary.own is None:
        return _without_primary(servers[0], silent, asked, facts)
    other = next((one for one in servers if one is not primary), None)
    copy = copy_of(primary, "" if other is None else other.server, asked.application)
    name = _copy_name(group, primary, copy)
    found: list[Finding] = [(Severity.WARNING, one.why) for one in silent]
    metrics: tuple[Metric, ...] = ()
    if copy is None:
        text = say("{copy} is not connected to {primary}: nothing is copied", copy=name, primary=primary.name)
        found.append((Severity.CRITICAL, text))
    else:
        metrics = _group_metrics(primary.own, copy, asked)
        found += _of_replica(copy, name, primary, asked)
        found.append((worst(one.severity for one in metrics), _lag_said(name, primary, primary.own, copy)))
        facts["state"] = copy.state.lower()
    facts["sync"] = "none" if copy is None else "sync" if copy.waits else "async"
    return _worst_first(found, metrics, facts)


def _of_replica(copy: Replica, name: Text, primary: Member, asked: Asked) -> list[Finding]:
    where: dict[str, Text | str] = {"copy": name, "primary": str(primary.name)}
    if copy.suspended:
        text = say("the copying from {primary} to {copy} is suspended ({why})", why=copy.suspended, **where)
        return [(Severity.CRITICAL, text)]
    if copy.connected is False:
        return [(Severity.CRITICAL, say("{copy} is not connected to {primary}: nothing is copied", **where))]
    if copy.state not in MOVING:
        text = say("{copy} does not take the changes of {primary} ({state})", state=copy.state, **where)
        return [(Severity.CRITICAL, text)]
    if asked.synchronous and not copy.waits:
        return [
            (Severity.WARNING, say("no commit waits for {copy} ({sync}): what is lost is lost", sync="async", **where))
        ]
    return []


def _group_metrics(primary: Replica, copy: Replica, asked: Asked) -> tuple[Metric, ...]:
    found: list[Metric] = []
    lag = lag_of(primary, copy)
    if lag is not None:
        found.append(asked.params.metric("lag", lag.total_seconds(), "s", first=True, minimum=0))
    if copy.unsent is not None:
        found.append(asked.params.metric("behind", float(copy.unsent), "By", minimum=0))
        if copy.unredone is not None:
            found.append(asked.params.metric("replay_behind", float(copy.unsent + copy.unredone), "By", minimum=0))
    return tuple(found)


def _lag_said(name: Text, primary: Member, own: Replica, copy: Replica) -> Text:
    where: dict[str, Text | str] = {"copy": name, "primary": str(primary.name)}
    lag = lag_of(own, copy)
    if lag is None:
        return say("nobody knows how far {copy} is behind {primary}", **where)
    if not lag and not (copy.state in MOVING and copy.unsent):
        text = say("{copy} has all that {primary} has", **where)
    else:
        size = Quantity(copy.unsent or 0, "By")
        text = say("{copy} is {lag} behind {primary}: it lacks {size}", lag=lag, size=size, **where)
    if copy.unredone:
        waiting = Quantity(copy.unredone, "By")
        text = say("{text}; {waiting} wait there to be replayed", text=text, waiting=waiting)
    return text


def _without_primary(standby: Member, silent: tuple[Silent, ...], asked: Asked, facts: dict[str, str]) -> Verdict:
    """Only a secondary answered: it knows how old its data are, and not what it lacks."""
    text = say(
        "{standby} is a standby, and its primary was not asked: the check names no other server", standby=standby.name
    )
    if silent:
        text = say("nobody knows what {standby} lacks: {why}", standby=standby.name, why=silent[0].why)
    metrics: tuple[Metric, ...] = ()
    if standby.own is not None and standby.own.committed_at is not None:
        age = max(timedelta(0), standby.at - standby.own.committed_at)
        metrics = (asked.params.metric("age", age.total_seconds(), "s", minimum=0),)
        text = say("{text}. It has all that was written until {age} ago", text=text, age=age)
    return Verdict(worst([Severity.UNKNOWN, *(one.severity for one in metrics)]), text, metrics, facts)


def shipping_verdict(shipping: Shipping, asked: Asked) -> Verdict:
    """Return how old the newest backup of the log is that arrived, and whether exactly one of the two is active."""
    servers, silent, facts = shipping.servers, shipping.silent, _facts(shipping)
    broken = _broken(shipping)
    if broken is not None:
        return Verdict(Severity.CRITICAL, broken, facts=facts)
    copy = next((one for one in servers if one.role is Role.STANDBY), None)
    found: list[Finding] = [(Severity.WARNING, one.why) for one in silent]
    if copy is None:
        if not silent and servers:
            text = say("{device} takes writes, and the copy was not asked: the check names no other server",
                       device=servers[0].name)  # fmt: skip
            found.append((Severity.UNKNOWN, text))
        found = [(Severity.UNKNOWN, text) for _, text in found]
        return _worst_first(found, (), {**facts, "sync": "none"})
    facts["sync"] = "async" if copy.receives else "none"
    if not copy.receives:
        text = say("no log is shipped to {copy}: nothing is copied", copy=copy.name)
        return _worst_first([*found, (Severity.CRITICAL, text)], (), facts)
    metrics = _shipping_metrics(copy, asked)
    if copy.restored_at is not None and copy.limit is not None and copy.at - copy.restored_at > copy.limit:
        text = say(
            "{copy} has restored nothing for {span}; SQL Server's own limit is {limit}",
            copy=copy.name, span=copy.at - copy.restored_at, limit=copy.limit,
        )  # fmt: skip
        found.append((Severity.WARNING, text))
    lost = Severity.CRITICAL if copy.copied is None else worst(one.severity for one in metrics)
    found.append((lost, _shipped_said(copy)))
    return _worst_first(found, metrics, facts)


def _shipping_metrics(copy: Shipment, asked: Asked) -> tuple[Metric, ...]:
    found: list[Metric] = []
    for name, at in (("lag", copy.copied), ("replay_lag", copy.restored)):
        if at is not None:
            seconds = max(0.0, (copy.at - at).total_seconds())
            found.append(asked.params.metric(name, seconds, "s", first=name == "lag", minimum=0))
    return tuple(found)


def _shipped_said(copy: Shipment) -> Text:
    if copy.copied is None:
        return say("nothing has been copied to {copy} yet", copy=copy.name)
    lag = max(timedelta(0), copy.at - copy.copied)
    return say("the newest backup of the log on {copy} is {lag} old", copy=copy.name, lag=lag)


def _broken(two: Two[S]) -> Text | None:
    """Return what is wrong with the two, whatever the lag; None where one is active and the other its copy."""
    if len(two.servers) < 2:
        return None
    one, other = two.servers
    if one.role is not other.role:
        return None
    return (two_active if one.role is Role.PRIMARY else no_active)(one.name, other.name)


def _facts(two: Two[S]) -> dict[str, str]:
    found = {f"role.{one.name}": "unknown" if isinstance(one, Silent) else one.role.value for one in two.each}
    return {**found, "role": found[f"role.{two.device.name}"]}


def _copy_name(group: Group, primary: Member, copy: Replica | None) -> Text:
    """Return how the copy is called: by its name in the inventory, else as the group calls it."""
    each = [one.name for one in group.each]
    other = next((name for name in each if name != primary.name), None)
    if other is not None:
        return verbatim(str(other))
    return say("the copy") if copy is None else verbatim(copy.server)


def _worst_first(found: list[Finding], metrics: tuple[Metric, ...], facts: dict[str, str]) -> Verdict:
    ordered = sorted(found, key=lambda finding: finding[0], reverse=True)
    return Verdict(worst(severity for severity, _ in ordered), joined([text for _, text in ordered]), metrics, facts)
