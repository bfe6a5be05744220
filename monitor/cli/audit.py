"""`releve audit`: is the trail of who did what still the one that was written?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from monitor.cli import offline
from monitor.cli.context import ExitCode, Failure, Settings, emit_json, pass_settings, warn
from monitor.cli.reading import site_speech
from monitor.core.text import N_, say

if TYPE_CHECKING:
    from monitor.core.text import Text
    from monitor.store import AuditReport, Store


@click.group(help=N_("Verify that the audit trail is whole."))
def audit() -> None:
    """Group the commands about the audit trail."""


@audit.command(help=N_("Verify that no entry was changed or taken out, and that none is missing at the end."))
@click.option(
    "--head", default="", metavar="HEAD", help=N_("The head that a mail carries: the trail must still hold that entry.")
)
@click.option("--json", "as_json", is_flag=True, help=N_("Answer in JSON."))
@pass_settings
def verify(settings: Settings, head: str, as_json: bool) -> int:
    """Verify the chain, and compare it with a head from a mail."""
    report = offline.read(settings, lambda store: _verified(store, head))
    words = site_speech(settings)
    reason = "" if report.reason is None else words.render(report.reason)
    if as_json:
        emit_json(
            {
                "ok": report.whole,
                "entries": report.entries,
                "head": report.head,
                "broken": report.broken,
                "reason": reason or None,
            }
        )
    elif report.whole:
        click.echo(words.render(_whole(report, head)))
    else:
        text = say("The audit trail is broken at entry {entry}: {reason}", entry=report.broken or 0, reason=reason)
        click.echo(words.render(text))
        remedy = say(
            "Keep a copy of {path} as it is. Mails that Relève sent carry the head of the trail: "
            "releve audit verify --head HEAD says up to which of them it still holds",
            path=str(settings.data),
        )
        warn(words.render(remedy))
    return ExitCode.DONE if report.whole else ExitCode.WRONG


def _verified(store: Store, head: str) -> AuditReport:
    from monitor.store import BadHead

    try:
        return store.verify_audit(head or None)
    except BadHead as error:
        raise Failure(
            say("{head} is no head of an audit trail, such as {example}", head=head, example="128-3f9c1a2b4d5e6f70")
        ) from error


def _whole(report: AuditReport, head: str) -> Text:
    if head:
        return say(
            "The audit trail is whole: {entries} entries, head {head}; it holds {given}",
            entries=report.entries,
            head=report.head,
            given=head,
        )
    return say("The audit trail is whole: {entries} entries, head {head}", entries=report.entries, head=report.head)
