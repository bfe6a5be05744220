"""`releve probe`: which kinds of probe there are, what one takes and measures, and one run of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from monitor.cli.context import ExitCode, Failure, Settings, console, emit_json, pass_settings, print_table
from monitor.core.text import N_, say

if TYPE_CHECKING:
    from monitor.core.text import Speech
    from probes.runner import Result


@click.group(help=N_("List the kinds of probe, explain one, run one without an inventory."))
def probe() -> None:
    """Hold the three commands together."""


@probe.command("list", help=N_("List the kinds of probe: what each measures and how it looks."))
@click.option("--json", "as_json", is_flag=True, help=N_("Answer in JSON."))
@pass_settings
def list_kinds(settings: Settings, as_json: bool) -> int:
    """List the kinds; one that does not load is shown with the reason, and makes the exit status 1."""
    from monitor.cli.probe_shown import kinds_table
    from probes.registry import kinds

    words = settings.speech()
    known = [_kind(kind, words) for kind in kinds()]
    if as_json:
        emit_json(known)
    else:
        print_table(kinds_table(known, words))
    return ExitCode.WRONG if any("error" in kind for kind in known) else ExitCode.DONE


def _kind(kind: str, words: Speech) -> dict[str, Any]:
    from monitor.cli.look import probe_of
    from monitor.cli.probe_shown import kind_json

    try:
        return kind_json(probe_of(kind), words)
    except Failure as failure:
        return {"kind": kind, "error": words.render(failure.text)}


@probe.command(help=N_("Explain a kind: parameters, metrics and units, permissions needed, device profiles."))
@click.argument("kind")
@click.option("--json", "as_json", is_flag=True, help=N_("Answer in JSON."))
@pass_settings
def show(settings: Settings, kind: str, as_json: bool) -> int:
    """Explain one kind."""
    from monitor.cli.look import probe_of
    from monitor.cli.probe_shown import kind_json, print_kind

    explained = kind_json(probe_of(kind), settings.speech())
    if as_json:
        emit_json(explained)
    else:
        print_kind(console(), explained, settings.speech())
    return ExitCode.DONE


@probe.command(
    help=N_(
        "Run one probe against ADDRESS, without an inventory.\n\n"
        "Parameters are the keys of a check, and those of a device by their way: --param port=22, "
        "--param thresholds.loss.warning=20%, --param snmp.version=2c, --param snmp.community=env:C."
    )
)
@click.argument("kind")
@click.argument("address")
@click.option("--param", "given", metavar="KEY=VALUE", multiple=True, help=N_("A parameter; may be repeated."))
@click.option("--timeout", metavar="TIME", default="10s", show_default=True, help=N_("How long it may take."))
@click.option("--json", "as_json", is_flag=True, help=N_("Answer in JSON."))
@click.option("--nagios", is_flag=True, help=N_("Answer as a Nagios plugin does: one line, exit status 0 to 3."))
@pass_settings
def run(
    settings: Settings, kind: str, address: str, given: Sequence[str], timeout: str, as_json: bool, nagios: bool
) -> int:
    """Run one probe once."""
    from monitor.core.verdict import Severity, Verdict
    from probes.report import NAGIOS, nagios_line

    try:
        result = _run(settings, kind, address, given, timeout)
    except Failure as failure:
        if not nagios:
            raise
        click.echo(nagios_line(kind, Verdict(Severity.UNKNOWN, failure.text), settings.speech()))
        return NAGIOS[Severity.UNKNOWN]
    verdict = result.verdict
    if nagios:
        click.echo(nagios_line(kind, verdict, settings.speech()))
        return NAGIOS[verdict.severity]
    if as_json:
        from probes.report import result_json

        emit_json(result_json(kind, kind, address, result, settings.speech()))
    else:
        from monitor.cli.probe_shown import print_result

        print_result(console(), verdict, settings.speech())
    return ExitCode.WRONG if verdict.severity else ExitCode.DONE


def _run(settings: Settings, kind: str, address: str, given: Sequence[str], timeout: str) -> Result:
    from monitor.cli.look import Look, look, probe_of
    from monitor.cli.probe_params import parameters
    from monitor.core.ids import NodeId
    from monitor.core.units import BadUnit, parse_duration
    from probes.contract import Target

    try:
        seconds = parse_duration(timeout).total_seconds()
    except BadUnit as error:
        raise Failure(say("{option}: {why}", option="--timeout", why=error.text)) from error
    if seconds <= 0:
        raise Failure(say("{option}: {why}", option="--timeout", why=say("it must be longer than nothing")))
    chosen = probe_of(kind)
    params, access = parameters(chosen, given, settings.speech())
    named = {key: getattr(params, key) for key in getattr(chosen, "others", ())}
    # Another device is given by its address too; it is reached with the same log-in.
    beside = {key: Target(NodeId(other), other, access) for key, other in named.items() if other is not None}
    (result,) = look([Look(kind, Target(NodeId(address), address, access, beside), params, seconds)])
    return result
