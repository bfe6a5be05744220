"""What a person sees who looks at both sites at once."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from lab.two_sites import CENTRE, SECOURS, TwoSites
from monitor.core.text import N_, Text, say

TITLES = {CENTRE: "Douala", SECOURS: "Yaoundé"}


@dataclass(frozen=True, slots=True)
class View:
    """Where a dialler runs, where the calls are led (empty: nowhere), which sites are cut off at the client's edge."""

    running: frozenset[str]
    led: str
    cut: frozenset[str]


def look(sites: TwoSites) -> View:
    """Return how both sites stand now."""
    cut = frozenset(site for site in TITLES if sites.trunk.is_cut(site))
    return View(sites.running, sites.trunk.leads_to, cut)


def noticed(before: View, after: View) -> tuple[Text, ...]:
    """Return what somebody noticed between two looks."""
    said = [Text(CUT, (("site", TITLES[site]),)) for site in sorted(after.cut - before.cut)]
    said += [Text(ENDED, (("site", TITLES[site]),)) for site in sorted(before.running - after.running)]
    said += [Text(RUNS, (("site", TITLES[site]),)) for site in sorted(after.running - before.running)]
    if after.led and after.led != before.led:
        said.append(say("the client's trunk leads the calls to {site}", site=TITLES[after.led]))
    return tuple(said)


CUT = N_("the client's edge lets nothing of {site} through any more")
ENDED = N_("the dialler of {site} has ended")
RUNS = N_("the dialler of {site} runs")


def in_one_line(view: View) -> Text:
    """Return how both sites stand, in one line."""
    return say("dialler: {running}; calls: {led}", running=_names(view.running), led=TITLES.get(view.led, "-"))


def _names(sites: Collection[str]) -> str:
    return ", ".join(TITLES[site] for site in sorted(sites)) or "-"
