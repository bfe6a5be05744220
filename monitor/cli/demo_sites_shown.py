"""How a demonstration on two sites is shown: both beside each other, and at the end what came of it."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.table import Table

from monitor.cli.context import emit_json, print_table
from monitor.cli.demo_json import received_json
from monitor.cli.moves_shown import reached_words
from monitor.core.text import N_, Speech, Text, say

if TYPE_CHECKING:
    from lab.adapt import Difference
    from lab.proof_two import Evidence, People
    from lab.two_sites import TwoSites
    from monitor.cli.demo_shown import Teller
    from monitor.cli.demo_sites import Told

RUNS, STANDS, LED, CUT_OFF = N_("runs"), N_("does not run"), N_("led here"), N_("cut off")


def sites_table(
    sites: TwoSites, daemons: Mapping[str, str], leases: Mapping[str, tuple[str, int]], teller: Teller
) -> None:
    """Print one line for each site. `daemons`: what the Relève there does, to be translated; `leases`: by their name,
    who holds it under which token.
    """
    from lab.view_two import TITLES, look

    words, view = teller.words, look(sites)
    table = Table(box=None, padding=(0, 2))
    for name in (N_("Site"), N_("Relève"), N_("Dialler"), N_("Calls"), *((N_("Leases"),) if leases else ())):
        table.add_column(words.translate(name), style="bold" if name == N_("Site") else "")
    for site, title in TITLES.items():
        calls = LED if view.led == site else CUT_OFF if site in view.cut else ""
        dialler = RUNS if site in view.running else STANDS
        cells = (words.translate(one) if one else "" for one in (daemons[site], dialler, calls))
        held = ", ".join(f"{name} {token}" for name, (holder, token) in sorted(leases.items()) if holder == site)
        table.add_row(title, *cells, *((held,) if leases else ()))
    teller.out.print()
    print_table(table, teller.out)
    teller.out.print()


def show_end(
    told: Told, evidence: Evidence, people: People, changed: Sequence[Difference], teller: Teller, *, as_json: bool
) -> None:
    """Print how the story ended; `as_json`: also what CONTRACT.md promises, and what `ok` was computed from."""
    words = teller.words
    teller.heading(say("How it went, from the fault on") if "cut_at" in told.moments else say("How it went"))
    for line in _lines(told, words):
        teller.out.print(f"  {line}", soft_wrap=True)
    if told.problems:
        teller.out.print(words.render(say("It did not go as it should:")))
        for problem in told.problems:
            teller.out.print(f"  - {words.render(problem)}", soft_wrap=True)
    else:
        teller.out.print(words.render(say("It never ran twice, and everybody was told: the servers outside say so.")))
    if told.review is not None:
        teller.out.print(words.render(say("The review: {path}", path=str(told.review))), soft_wrap=True)
    if as_json:
        emit_json(result(told, evidence, people, changed, words))
        sys.stdout.flush()


def _lines(told: Told, words: Speech) -> Iterable[str]:
    move, moments = told.move, told.moments
    named: dict[str, Text] = {
        "cut_at": say("the centre is lost"),
        "verified_at": say("the redundant site is seen to work"),
    }
    for name, what in named.items():
        if name in moments:
            after = words.duration(moments[name] - moments["fault_at"])
            yield words.render(say("{what}: {detail}", what=what, detail=f"+{after}"))
    if not move:
        return
    for label, key in ((say("RTO"), "rto_s"), (say("RPO"), "rpo_s")):
        shown = reached_words(move[key], move["promised"][key], words)
        yield words.render(say("{what}: {detail}", what=label, detail=shown or "?"))


def result(
    told: Told, evidence: Evidence, people: People, changed: Sequence[Difference], words: Speech
) -> dict[str, Any]:
    """Return the story JSON-ready: what was reached, when, and what the servers hold."""
    from lab.adapt_two import every
    from lab.proof_two import REPORT, updates
    from monitor.web.views import when

    move, incident = told.move, told.incident
    first = [one for one in evidence.received if one.to == people.client and one.step == "first_notice"]
    due = due_of(incident)
    return {
        "scenario": told.scenario,
        "mode": told.after.get("mode"),
        "incident": incident.get("id"),
        "fault_at": when(told.moments.get("fault_at")),
        "cut_at": when(told.moments.get("cut_at")),
        "detected_at": incident.get("opened_at"),
        "first_notice_at": when(first[0].at) if first else None,
        "repaired_at": when(told.moments.get("verified_at")),
        "resolved_at": incident.get("resolved_at"),
        "rto_s": move.get("rto_s"),
        "rpo_s": move.get("rpo_s"),
        "promised": move.get("promised"),
        "loss_stated_s": move.get("loss_s"),
        "lost": {
            "recordings": len(evidence.lost),
            "copied": len(evidence.copied),
            "oldest_at": when(evidence.lost[0]) if evidence.lost else None,
        },
        "updates": [
            {"at": when(one.at), "n": one.n, "due_at": when(due.get(one.message_id))}
            for one in updates(evidence.received, people, incident.get("id", ""))
        ],
        "every_s": every().total_seconds(),
        "move": dict(move),
        "leases": {name: {"holder": holder, "token": token} for name, (holder, token) in told.leases.items()},
        "report": next((one.text for one in evidence.received if one.step == REPORT and one.to == people.it), None),
        "ready": {name: _group(group) for name, group in (("before", told.before), ("after", told.after)) if group},
        "notices": incident.get("notices", []),
        "runs": incident.get("runs", []),
        "rex": None if told.review is None else str(told.review),
        "ok": not told.problems,
        "problems": [words.render(problem) for problem in told.problems],
        "received": received_json(evidence.received),
        "effects": [
            {"at": when(one.at), "token": one.token, "host": one.host, "what": one.what} for one in evidence.effects
        ],
        "samples": {
            "looks": len(evidence.samples),
            "both": sum(len(one.running) > 1 for one in evidence.samples),
            "calls": len(evidence.calls),
            "refused": sum(not call.site for call in evidence.calls),
        },
        "differences": [{"path": one.path, "before": one.before, "after": one.after} for one in changed],
    }


def due_of(incident: Mapping[str, Any]) -> dict[str, datetime]:
    """Return when each message about `incident` (as the API gives it) was due, by its Message-ID."""
    return {one["message_id"]: datetime.fromisoformat(one["due_at"]) for one in incident.get("notices", ())}


def _group(group: Mapping[str, Any]) -> dict[str, Any]:
    names = ("ready", "reasons", "exercised_at", "severity", "text")
    return {**{name: group[name] for name in names}, "runs_at": group["runs_at"]["site"] if group["runs_at"] else None}
