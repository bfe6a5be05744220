"""`releve report comms`: the proof that everybody was told, of one month or any other period."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.cli import offline
from monitor.cli.context import ExitCode, Failure, Settings, pass_settings, warn
from monitor.cli.documents import FORMATS, OUTPUT, STDOUT, check_target, format_of, put, site_of, write
from monitor.core.text import N_, Text, say

if TYPE_CHECKING:
    from monitor.core.text import Speech
    from monitor.reports.comms_material import CommsMaterial, Period
    from monitor.store import Store

CSV = "csv"
YEARS = range(2000, 3000)
"""Years that somebody may mean."""
_MONTH = re.compile(r"(?P<year>\d{4})-(?P<month>\d{1,2})")
_DAY = re.compile(r"(?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})")
_JOUR = re.compile(r"(?P<day>\d{1,2})/(?P<month>\d{1,2})/(?P<year>\d{4})")


@click.command(
    help=N_(
        "Prove what was told to whom: every message that the contract demanded in a month, when it was due, when it "
        "left, by which channel, what the server answered, and every deadline that was missed. Without a period, the "
        "present month so far.\n\n"
        "Exit status: 0 every deadline was met, 1 one was missed."
    )
)
@click.option("--month", metavar="YYYY-MM", default="", help=N_("Of this month."))
@click.option("--since", metavar="DAY", default="", help=N_("From this day on: 2026-11-01 or 01/11/2026."))
@click.option("--until", metavar="DAY", default="", help=N_("Up to this day, which belongs to it."))
@click.option(
    "--format",
    "wanted",
    type=click.Choice((*FORMATS, CSV)),
    help=N_("Of the document; default: by the name of the file, or md on stdout."),
)
@OUTPUT
@pass_settings
def comms(settings: Settings, month: str, since: str, until: str, wanted: str | None, output: str) -> int:
    """Write the proof of communication."""
    from monitor.clock import SystemClock

    as_table = wanted == CSV or (wanted is None and Path(output).suffix.lower() == f".{CSV}")
    form = None if as_table else format_of(wanted, output)
    inventory, speech = site_of(settings)
    now = SystemClock().now()
    period = period_of(month, since, until, now, speech.zone)
    if period.since > now:
        raise Failure(say("nothing has happened yet: {since} lies in the future", since=speech.date(period.since)))
    check_target(output)

    def gathered(store: Store) -> CommsMaterial:
        from monitor.reports.comms_material import comms_material

        return comms_material(store, inventory, period, now)

    material = offline.read(settings, gathered)
    if form is None:
        from monitor.reports.comms_csv import comms_csv

        put(comms_csv(material, speech).encode(), output)
    else:
        from monitor.reports.comms import comms as document

        write(document(material, speech), form, output)
    return _told(material, speech, output)


def _told(material: CommsMaterial, speech: Speech, output: str) -> int:
    """Say on stderr what was written where; a missed deadline is what is wrong here."""
    breaches = sum(line.breach for _, line in material.lines)
    if output != STDOUT:
        warn(speech.render(say("Proof of communication written: {path}", path=output)))
    if breaches:
        warn(speech.render(say("Deadlines missed: {count}", count=breaches)))
    return ExitCode.WRONG if breaches else ExitCode.DONE


def period_of(month: str, since: str, until: str, now: datetime, zone: tzinfo) -> Period:
    """Return the period that the options ask for, the present month where they ask for none. Raises Failure."""
    from monitor.reports.comms_material import days

    if month and (since or until):
        raise Failure(say("name a month or two days, not both"))
    today = now.astimezone(zone).date()
    if since or until:
        first = _day("--since", since) if since else date(today.year, today.month, 1)
        last = _day("--until", until) if until else today
        if last < first:
            raise Failure(say("the period ends before it begins: {first} to {last}", first=str(first), last=str(last)))
        return days(first, last, zone)
    first = _first("--month", month) if month else date(today.year, today.month, 1)
    following = (first + timedelta(days=31)).replace(day=1)
    return days(first, following - timedelta(days=1), zone, f"{first:%Y-%m}")


def _first(option: str, written: str) -> date:
    match = _MONTH.fullmatch(written.strip())
    return _date(option, written, match, say("write a month as {example}", example="2026-11"))


def _day(option: str, written: str) -> date:
    match = _DAY.fullmatch(written.strip()) or _JOUR.fullmatch(written.strip())
    return _date(option, written, match, say("write a day as {example}", example="2026-11-01, 01/11/2026"))


def _date(option: str, written: str, match: re.Match[str] | None, how: Text) -> date:
    try:
        if match is None:
            raise ValueError
        found = {name: int(value) for name, value in match.groupdict().items()}
        if found["year"] not in YEARS:
            raise ValueError
        return date(found["year"], found["month"], found.get("day", 1))
    except ValueError as error:
        why = say("{written} is no date; {how}", written=repr(written), how=how)
        raise Failure(say("{option}: {why}", option=option, why=why)) from error
