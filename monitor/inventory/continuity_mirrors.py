"""Files that Relève mirrors between two sites: which way each mirror goes, and what of two does not go together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from failover.model import Continuity, DataSet, DataSetId, How, Plan, SiteId
from monitor.core.ids import CheckId, NodeId
from monitor.core.text import say
from monitor.inventory.continuity_data import OF_ARCHIVE
from monitor.inventory.continuity_plans import Drafted
from monitor.inventory.repairs import in_one_place
from monitor.inventory.scope import Scope, names_in
from monitor.inventory.yaml_nodes import TableNode
from probes.contract import Target
from runbooks.contract import Recordings
from runbooks.steps.archive import ArchiveParams

Folder = tuple[Target, str]


def with_mirrors(read: Continuity, folders: Mapping[str, Recordings], scope: Scope) -> dict[DataSetId, DataSet]:
    """Return the data sets of `read`, each with the mirrors among its checks and from which site they go.

    `folders`: those of `recordings:`. A mirror counts whose two devices stand at the two sites of a plan that names the
    data set. Noted: two against each other that would copy their own copies, and the way back that has none.
    """
    found: dict[DataSetId, DataSet] = {}
    for name, data in read.data.items():
        plans = [plan for plan in read.plans.values() if name in plan.data]
        mirrors = {check: (one, way) for check, one, way in _mirrors(data, folders, plans, read)}
        found[name] = replace(data, mirrors={check: way[0] for check, (_one, way) in mirrors.items()})
        _look_at_pairs([one for one, _way in mirrors.values()], data, scope)
        if data.how is How.FILES:
            _look_at_way_back({way for _one, way in mirrors.values()}, data, scope)
    return found


def _mirrors(
    data: DataSet, folders: Mapping[str, Recordings], plans: list[Plan], read: Continuity
) -> Iterator[tuple[CheckId, Recordings, tuple[SiteId, SiteId]]]:
    """The mirrors that measure `data`, each with its check and the sites from and to which it goes."""
    pairs = {site for plan in plans for site in ((plan.active, plan.standby), (plan.standby, plan.active))}
    for check in data.checks:
        one = folders.get(check.removeprefix(OF_ARCHIVE)) if check.startswith(OF_ARCHIVE) else None
        if one is None or not one.mirror:
            continue
        way = _site_of(one.device.name, read), _site_of(one.archive.name, read)
        if way[0] is not None and way[1] is not None and way in pairs:
            yield check, one, (way[0], way[1])


def _site_of(device: NodeId, read: Continuity) -> SiteId | None:
    return next((site.id for site in read.sites.values() if device in site.devices), None)


def _look_at_way_back(ways: set[tuple[SiteId, SiteId]], data: DataSet, scope: Scope) -> None:
    """Warn of files that go one way alone: after a move nobody knows how far the other site is behind."""
    for source, target in sorted(ways):
        if (target, source) not in ways:
            message = say(
                "{data} is mirrored from {source} to {target} alone: after a move nothing goes back, and nobody can "
                "say what would be lost",
                data=data.id,
                source=source,
                target=target,
            )
            hint = say("the way back needs a mirror of its own: another under recordings:, named here too")
            entry = scope.sections["datasets"][data.id]
            checks = entry.value.get("checks") if isinstance(entry.value, TableNode) else None
            at = next((word.at for word in names_in(checks)), entry.at)
            scope.problems.warn(at, f"datasets.{data.id}.checks", message, hint)


def _look_at_pairs(mirrors: list[Recordings], data: DataSet, scope: Scope) -> None:
    """Note two mirrors of which one copies what the other has brought; two that go both ways between the same two
    folders do not, for what lies there already is recognised."""
    for n, one in enumerate(mirrors):
        for other in mirrors[n + 1 :]:
            there, back = _ends(one), _ends(other)
            meets = (_touch(there[1], back[0]), _touch(back[1], there[0]))
            if not any(meets) or (_same(there[1], back[0]) and _same(back[1], there[0])):
                continue
            message = say(
                "{one} and {other} would copy copies: what {first} brings to {folder} is taken on by {second}",
                one=one.id,
                other=other.id,
                first=one.id if meets[0] else other.id,
                second=other.id if meets[0] else one.id,
                folder=one.archive_folder if meets[0] else other.archive_folder,
            )
            hint = say(
                "mirror the same two folders both ways, with folder: and archive: exchanged, or four that lie apart"
            )
            scope.problems.error(scope.sections["recordings"][other.id].at, f"recordings.{other.id}", message, hint)


def look_at_last_copy(drafted: Drafted, data: Mapping[DataSetId, DataSet], scope: Scope) -> None:
    """Note each step that copies files once its site has stopped, and names a mirror that begins at another one."""
    begins = {check: site for name in drafted.plan.data for check, site in data[name].mirrors.items()}
    for site in drafted.plan.parts:
        for placed in drafted.laid.placed(f"{drafted.where}.sites.{site}.stop"):
            named = placed.work.params.recordings if isinstance(placed.work.params, ArchiveParams) else None
            source = begins.get(CheckId(f"{OF_ARCHIVE}{named}"))
            if named is not None and source is not None and source != site:
                message = say(
                    "{recordings} begins at {source}, and stands by while {site} is stopped",
                    recordings=named,
                    source=source,
                    site=site,
                )
                hint = say("name the mirror that begins at {site}", site=site)
                scope.problems.error(placed.at, placed.where, message, hint)


def _ends(one: Recordings) -> tuple[Folder, Folder]:
    return (one.device, one.folder), (one.archive, one.archive_folder)


def _touch(one: Folder, other: Folder) -> bool:
    """Whether one of the two lies in the other, or is it."""
    return in_one_place(one[0], one[1], other[0], other[1])


def _same(one: Folder, other: Folder) -> bool:
    return _touch(one, other) and one[1].rstrip("/").lower() == other[1].rstrip("/").lower()
