"""Relève in the Prometheus text format, version 0.0.4."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from alerts.notice import NoticeState
from monitor.daemon.daemon import Daemon

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Sample = tuple[Mapping[str, str], float]


def exposition(daemon: Daemon, notices: Mapping[NoticeState, int]) -> str:
    """Return what a scrape reads. `notices`: how many there are in each state, as far as the disk says."""
    site, own = _of_the_site(daemon) + _of_services(daemon), _of_ourselves(daemon) + _of_signs_of_life(daemon)
    return site + _of_messages(daemon, notices) + own


def _of_the_site(daemon: Daemon) -> str:
    desk = daemon.desk
    severities = [({"check": name}, float(health.confirmed)) for name, health in desk.state.healths.items()]
    values = [
        ({"check": name, "metric": metric.name, "unit": metric.unit}, metric.value)
        for name, seen in desk.seen.items()
        for metric in seen.verdict.metrics
    ]
    open_now = sum(incident.open for incident in desk.state.incidents.values())
    return (
        family(
            "releve_check_severity", "gauge", "Confirmed severity: 0 ok, 1 warning, 2 unknown, 3 critical.", severities
        )
        + family("releve_metric", "gauge", "Last value of every metric, in its UCUM unit.", values)
        + _single("releve_incidents_open", "gauge", "Open incidents.", open_now)
    )


def _of_services(daemon: Daemon) -> str:
    """What each service is able to do, and which checks the site should not be judged by."""
    desk = daemon.desk
    seen = [({"service": one.service.name}, one) for one in desk.outlook()]
    healths, stale = desk.state.healths, desk.state.stale
    return (
        family("releve_service_able", "gauge", "What surely works.", [(name, one.view.able) for name, one in seen])
        + family(
            "releve_service_unsure",
            "gauge",
            "What may work as well: nobody can see it.",
            [(name, one.view.unsure) for name, one in seen],
        )
        + family("releve_service_total", "gauge", "Of how many.", [(name, one.view.total) for name, one in seen])
        + family(
            "releve_service_interrupted",
            "gauge",
            "Whether too few work: 1 interrupted.",
            [(name, float(one.interrupted)) for name, one in seen],
        )
        + family(
            "releve_check_flapping",
            "gauge",
            "Whether a check comes and goes.",
            [({"check": name}, float(health.flapping)) for name, health in healths.items()],
        )
        + family(
            "releve_check_stale",
            "gauge",
            "Whether a check has given no result for three intervals.",
            [({"check": name}, float(name in stale)) for name in healths],
        )
    )


def _of_messages(daemon: Daemon, notices: Mapping[NoticeState, int]) -> str:
    counted = [({"state": state.value}, float(count)) for state, count in notices.items()]
    return (
        family("releve_notices", "gauge", "Notices in the outbox by state.", counted)
        + _single("releve_notices_sent_total", "counter", "Notices sent.", daemon.post.sent)
        + _single("releve_notice_failures_total", "counter", "Attempts that failed.", daemon.post.failed)
    )


def _of_ourselves(daemon: Daemon) -> str:
    scheduler, stale = daemon.scheduler, len(daemon.ourselves.stale())
    return (
        _single("releve_scheduler_lag_seconds", "gauge", "Lateness of the latest check of late.", scheduler.lag)
        + _single("releve_checks_in_flight", "gauge", "Observations going on.", scheduler.in_flight)
        + _single("releve_checks_stale", "gauge", "Checks without a result for three intervals.", stale)
        + _single("releve_results_waiting", "gauge", "Results that wait to be taken.", daemon.desk.waiting)
        + _single("releve_journal_waiting", "gauge", "Entries that wait for disk space.", daemon.journal.waiting)
    )


def _of_signs_of_life(daemon: Daemon) -> str:
    """Heartbeats: our own, where there is a watcher, those of jobs, and what the public sees of us."""
    own, jobs, public = daemon.sign_of_life, daemon.jobs, daemon.publishing
    heard = [({"check": name}, _seconds(job.last.at)) for name, job in jobs.all().items() if job.last is not None]
    sent: list[Sample] = [] if own.sent_at is None else [({}, _seconds(own.sent_at))]
    shown: list[Sample] = [] if public.sent_at is None else [({}, _seconds(public.sent_at))]
    return (
        family(
            "releve_heartbeat_last_success_timestamp_seconds",
            "gauge",
            "When the watcher last took our sign of life.",
            sent,
        )
        + _single("releve_heartbeat_failures_total", "counter", "Signs of life that were not taken.", own.failed)
        + family("releve_job_last_report_timestamp_seconds", "gauge", "When a job last reported itself.", heard)
        + family(
            "releve_public_last_success_timestamp_seconds",
            "gauge",
            "When a host last took the public status.",
            shown,
        )
        + _single("releve_public_failures_total", "counter", "Public status that a host did not take.", public.failed)
        + _single("releve_job_reports_total", "counter", "Reports of jobs.", jobs.heard)
        + _single("releve_job_refusals_total", "counter", "Reports without the right token or name.", jobs.refused)
    )


def _single(name: str, kind: str, text: str, value: float) -> str:
    return family(name, kind, text, [({}, value)])


def _seconds(at: datetime) -> float:
    return at.timestamp()


def family(name: str, kind: str, text: str, samples: Iterable[Sample]) -> str:
    """Return one metric family: `name`, `kind` (gauge, counter), what it means, and its samples with their labels."""
    lines = [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
    for labels, value in samples:
        inner = ",".join(f'{label}="{_escaped(content)}"' for label, content in labels.items())
        lines.append(f"{name}{{{inner}}} {value:.10g}" if inner else f"{name} {value:.10g}")
    return "\n".join(lines) + "\n"


def _escaped(content: str) -> str:
    return content.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
